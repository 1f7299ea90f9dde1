"""Examines which secret managers can be used on this machine, and as whom. No secret is fetched."""

from __future__ import annotations

import os
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pykamal.config.models import Config
from pykamal.config.node_reading import child
from pykamal.core.catalogue.secrets import MANAGER_NOT_USABLE
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.errors import KamalError
from pykamal.core.source import Position
from pykamal.secrets import dotenv
from pykamal.secrets.adapters import MODULES, adapter, adapter_calls
from pykamal.secrets.adapters.protocol import Adapter, Diagnosable
from pykamal.secrets.adapters.settings import PROVIDERS
from pykamal.secrets.adapters.tool import Tool
from pykamal.secrets.interruptible import interruptible
from pykamal.secrets.providers import provider_adapter
from pykamal.transport.program import end_programs

_FETCH: Final = re.compile(r"\bkamal\s+secrets\s+fetch\b([^|;&)]*)")
_AT_A_TIME: Final = 8
SECONDS: Final = 45.0
"""How long the examination of one adapter may take."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place of the project that names an adapter. `made` gives the adapter with the settings that it has there.

    `provider` is the name that deploy.yml has for it.
    """

    adapter: str
    account: str | None
    position: Position | None
    made: Callable[[], Adapter]
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """The state of one adapter. `identity` is as whom the manager knows us, `problem` why it cannot be used.

    Of an adapter that cannot tell nothing is `known` before it fetches, except that its program is `installed`.
    """

    name: str
    use: Use | None
    identity: str | None = None
    problem: KamalError | None = None
    known: bool = True
    installed: bool = False

    def diagnostic(self) -> Diagnostic | None:
        """Return the error of an adapter that the project names and that cannot be used."""
        if self.use is None or self.problem is None:
            return None
        return MANAGER_NOT_USABLE.diagnostic(
            f"{self.name} cannot be used here: {self.problem.message}",
            Location(self.use.position, f"{PROVIDERS}/{self.use.provider}" if self.use.provider else ""),
            evidence=self.problem.details,
            remedy=self.problem.hint,
        )


def uses_in_files(files: Iterable[str]) -> Iterator[Use]:
    """Yield the adapters that `kamal secrets fetch` has in secrets files. No command in them is run."""
    for file in files:
        for entry in dotenv.entries(Path(file).read_text(errors="replace")):
            for found in _FETCH.finditer(entry.value or ""):
                options = _options(found[1])
                name = options.get("--adapter") or options.get("-a")
                if name is not None and "$" not in name:
                    account = options.get("--account")
                    known = account if account is None or "$" not in account else None
                    yield Use(name.lower(), known, Position(file, entry.line), partial(adapter, name))


def uses_in_configuration(config: Config, environment: Mapping[str, str] = os.environ) -> Iterator[Use]:
    """Yield the providers of `x-pykamal/secrets`, each with its settings."""
    for name, provider in config.extension.secrets.providers.items():
        node = child(config.document, *PROVIDERS.split("/"), name)
        position = node.position if node is not None else None
        made = partial(provider_adapter, config, name, environment)
        yield Use(provider.adapter.lower(), provider.account, position, made, provider=name)


def _options(line: str) -> dict[str, str]:
    """Return the options of a command line with their values; of a line that cannot be split, as far as it goes."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    options: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        options[name] = value if equals else following
    return options


def examine(uses: Sequence[Use]) -> list[Examination]:
    """Examine the adapters that the project names, in that order, then all others by name; several at a time."""
    from concurrent.futures import ThreadPoolExecutor

    first: dict[tuple[str, str | None, str | None], Use] = {}
    for use in uses:
        first.setdefault((use.adapter, use.account, use.provider), use)
    named = {MODULES.get(use.adapter, use.adapter) for use in uses}
    shortest = {module: name for name, module in sorted(MODULES.items(), key=lambda each: -len(each[0]))}
    others = sorted(name for module, name in shortest.items() if module not in named)
    asked: list[Use | str] = [*first.values(), *others]

    def ask() -> list[Examination]:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(_examined_in_time, asked))

    try:
        return interruptible(ask)
    finally:
        end_programs()  # those of adapters that were left behind


def _examined_in_time(asked: Use | str) -> Examination:
    """Examine an adapter; one that takes too long is left behind, and what it has started is ended."""
    from concurrent.futures import Future

    done: Future[Examination] = Future()
    threading.Thread(target=lambda: done.set_result(_examined(asked)), name="doctor", daemon=True).start()
    try:
        return done.result(SECONDS)
    except TimeoutError:
        problem = KamalError(f"It did not answer within {SECONDS:g} seconds", hint="see whether it can be reached")
    name = (asked.provider or asked.adapter) if isinstance(asked, Use) else asked
    return Examination(name, asked if isinstance(asked, Use) else None, problem=problem)


def _examined(asked: Use | str) -> Examination:
    use = asked if isinstance(asked, Use) else None
    kind = asked.adapter if isinstance(asked, Use) else asked
    name = (use and use.provider) or kind
    try:
        found = use.made() if use is not None else adapter(kind)
        tools = _tools(found)
        if isinstance(found, Diagnosable) and (use is not None or tools):  # a login elsewhere is for those in use
            account = use.account if use is not None else None
            return Examination(name, use, identity=adapter_calls.status(found, f"the adapter {kind}", account=account))
        for tool in tools:
            tool.require()
    except KamalError as error:
        return Examination(name, use, problem=error)
    return Examination(name, use, known=False, installed=bool(tools))


def _tools(found: Adapter) -> list[Tool]:
    """The programs of an adapter without a status of its own: those that its module names."""
    module = sys.modules[type(found).__module__]
    return [value for value in vars(module).values() if isinstance(value, Tool)]
