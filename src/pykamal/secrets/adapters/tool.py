"""The program of a secret manager: is it there, what does it answer, how long may it take.

It has our standard input and terminal, so that it can ask for a password. Its answers may be secret: errors say what it
wrote to standard error, and never anything of its standard output.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeGuard, TypeVar

from pykamal.core.errors import KamalError, ToolMissing, UnexpectedAnswer
from pykamal.core.sensitive import Sensitive
from pykamal.core.source import excerpt
from pykamal.transport.program import Ended, run_program

SECONDS: Final = 120.0
"""How long a program may take, a person's finger on a sensor included."""

SECONDS_VARIABLE: Final = "KAMAL_SECRETS_SECONDS"
"""The variable of the environment that sets another time limit."""

LOGIN_FACTOR: Final = 5
"""How many times as long a login may take: somebody types a password, or reads a code from a telephone."""

_EVIDENCE: Final = 4000
_LOGIN: Final = threading.Lock()
"""Managers are asked in parallel, and people answer one question after another."""

_NOT_FOUND: Final = (FileNotFoundError, NotADirectoryError, PermissionError)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a program of a secret manager."""

    program: str
    ended: Ended = field(repr=False)

    @property
    def ok(self) -> bool:
        return self.ended.ok

    def expect(self, message: str, *, hint: str) -> Answer:
        """Return itself. Raises `KamalError` with the message when the program failed."""
        if not self.ok:
            raise KamalError(message, details=self.evidence, hint=hint)
        return self

    @property
    def evidence(self) -> tuple[str, ...]:
        """Lines for an error: how the program ended, and what it complained about where that was kept."""
        complaint = excerpt(self.ended.errors.decode(errors="replace").strip(), _EVIDENCE)
        return (f"{self.program} exit status: {self.ended.status}", *(complaint.splitlines()))

    def text(self) -> Sensitive:
        """Return the output without white space around it, such as the token of a session."""
        return Sensitive(self.ended.output.decode(errors="surrogateescape").strip())

    def json(self, message: str) -> Any:
        """Return the output as JSON. Raises `UnexpectedAnswer` with the message when it is none."""
        try:
            return json.loads(self.ended.output.decode())
        except UnicodeDecodeError:  # the errors hold the output itself, so they are no cause of ours
            problem = "is not UTF-8 text"
        except (ValueError, RecursionError):
            problem = "is not JSON" if self.ended.output.strip() else "is empty"
        raise self.misunderstood(message, problem)

    def object(self, message: str) -> dict[str, Any]:
        """Return the output as an object of JSON. Raises `UnexpectedAnswer` with the message when it is none."""
        found = self.json(message)
        if not isinstance(found, dict):
            raise self.misunderstood(message, "is no JSON object")
        return found

    def field(self, message: str, name: str) -> str | None:
        """Return a text of an object of JSON, None where it has none. Raises as `object`."""
        found = self.object(message).get(name)
        return found if isinstance(found, str) and found else None

    def objects(self, message: str) -> list[dict[str, Any]]:
        """Return the output as a list of objects. Raises `UnexpectedAnswer` with the message when it is none."""
        found = self.json(message)
        if not are_objects(found):
            raise self.misunderstood(message, "is no list of JSON objects")
        return found

    def misunderstood(self, message: str, problem: str) -> UnexpectedAnswer:
        """Return the error for an answer that is not as the program's documentation has it."""
        return UnexpectedAnswer(
            message,
            details=(f"what {self.program} printed ({len(self.ended.output)} bytes) {problem}", *self.evidence),
            hint=f"run {self.program} by hand to see what it says; its version may be too old or too new",
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, its name in messages, where to get it, and the arguments with which it only tells its version."""

    program: str
    title: str
    home: str
    version: tuple[str, ...] = ("--version",)

    def find(self) -> None:
        """Look for the program without starting it. Raises `ToolMissing` when it is not on the PATH."""
        if shutil.which(self.program) is None:
            raise self._missing(f"{self.program}: not found on the PATH")

    def require(self) -> None:
        """Ask the program for its version. Raises `ToolMissing` when it gives none."""
        _PRESENT.get((self, os.environ.get("PATH")), self._answers)

    def _answers(self) -> bool:
        try:
            answer = self.run(*self.version, quiet=True)
        except ToolMissing:
            raise
        except KamalError as error:
            raise self._missing(error.message, *error.details) from error
        if not answer.ok:
            raise self._missing(*answer.evidence)
        return True

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str | Sensitive] | None = None,
        stdin: Sensitive | None = None,
        quiet: bool = False,
        login: bool = False,
    ) -> Answer:
        """Run the program to its end. Raises `ToolMissing`, or `KamalError` when it takes too long.

        On a terminal its standard error is ours, since it may be a question; with `quiet`, or elsewhere, it is kept as
        evidence. With `quiet` it has no standard input, so that it cannot ask. With `login` it has as long as a person
        needs, and no other login asks meanwhile.
        """
        limit = time_limit() * (LOGIN_FACTOR if login else 1)
        keep = quiet or not os.isatty(2)
        try:
            with _LOGIN if login else nullcontext():
                ended = run_program(
                    [self.program, *arguments],
                    environment=environment,
                    stdin=Sensitive("") if quiet and stdin is None else stdin,
                    seconds=limit,
                    keep_errors=keep,
                )
        except _NOT_FOUND as error:
            raise self._missing(f"{self.program}: {error.strerror}") from error
        except TimeoutError:  # an OSError too
            raise KamalError(
                f"{self.program} did not answer within {limit:g} seconds",
                hint=f"run {self.program} by hand to see what it waits for; {SECONDS_VARIABLE}=N gives it more time",
            ) from None
        except OSError as error:
            raise KamalError(f"{self.program} cannot be started: {error.strerror}") from error
        except ValueError as error:
            raise KamalError(f"{self.program} cannot be asked for a name with a NUL byte in it") from error
        return Answer(self.program, ended)

    def _missing(self, *evidence: str) -> ToolMissing:
        hint = f"install {self.program} where kamal runs ({self.home}), and see that it is on the PATH"
        return ToolMissing(f"{self.title} is not installed", details=evidence, hint=hint)


class OncePerRun(Generic[Result]):
    """Results that are found out once and kept in memory until this process ends; failures are not kept."""

    def __init__(self) -> None:
        self._results: dict[Hashable, Result] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, find_out: Callable[[], Result]) -> Result:
        """Return the result for a key, found out by one thread. Other keys do not wait for it."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._results:
                self._results[key] = find_out()
            return self._results[key]


_PRESENT: Final[OncePerRun[bool]] = OncePerRun()


def value_of(found: object) -> Sensitive | None:
    """Return a value of JSON as a secret: a text as it is, anything else as JSON, null as None."""
    if found is None:
        return None
    return Sensitive(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":")))


def are_objects(found: object) -> TypeGuard[list[dict[str, Any]]]:
    """Return True for a list of JSON objects."""
    return isinstance(found, list) and all(isinstance(each, dict) for each in found)


def listed(names: list[str]) -> str:
    """Return names as `["a", "b"]`, which is how messages list them (spec/cli.md 16.3)."""
    return json.dumps(names, ensure_ascii=False)


def time_limit() -> float:
    """Return how many seconds one call of a manager on this machine may take. Raises `KamalError` for no number."""
    text = os.environ.get(SECONDS_VARIABLE) or str(SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 86400:
        raise KamalError(f"{SECONDS_VARIABLE} is no number of seconds: {text}", hint="give a number, as in 300")
    return seconds
