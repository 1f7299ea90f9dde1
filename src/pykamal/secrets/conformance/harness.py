"""The description of a manager and its adapter, for the suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pykamal.secrets.adapters.protocol import Adapter


class Fault(StrEnum):
    """A fault that a harness causes, under the name of its case."""

    MISSING_TOOL = "missing tool"
    """The program of the manager is not on the PATH, or the Python package of the extra cannot be imported."""

    NOT_LOGGED_IN = "not logged in"
    """Nobody is logged in, and the environment has nothing to log in with."""

    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a name
    """The manager refuses the password, the token or the key."""

    EXPIRED_LOGIN = "expired login"
    """The login was valid, and has ended."""

    RATE_LIMIT = "rate limit"
    """The manager refuses every request since there were too many."""

    SERVER_GONE = "server gone"
    """The connection is closed, or the program is ended, in the middle of the answer that has the values."""

    HALF_AN_ANSWER = "half an answer"
    """The answer, or the file, ends in the middle as if it were whole."""

    NO_ANSWER = "no answer"
    """The manager stays silent. The harness also shortens the adapter's time limit to a few seconds."""


class Harness(ABC):
    """A manager with one adapter, made anew for each case.

    `not_applicable` has the names of cases that cannot apply and the reason of each. A case that neither passes nor is
    in it fails.
    """

    account: str | None = None
    """The value of `--account`."""

    source: str | None = None
    """The value of `--from`."""

    not_applicable: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def adapter(self) -> Adapter:
        """Return an adapter as a new process has it: without a login that an earlier fetch left."""

    @abstractmethod
    def store(self, values: Mapping[str, str | bytes]) -> None:
        """Put values into the manager, by short names such as `one`. Bytes are those of a value that is no text."""

    def name(self, short: str) -> str:
        """Return what `fetch` is asked for to get the value with that short name."""
        return short

    def key(self, short: str) -> str:
        """Return the name that the answer of `fetch` has for it."""
        return f"{self.source}/{self.name(short)}" if self.source else self.name(short)

    def cause(self, fault: Fault) -> None:
        """Break the manager, or this machine, for the fetches that follow."""
        raise NotImplementedError

    def credentials(self) -> tuple[str, ...]:
        """Return the passwords and tokens that the adapter has, which have to stay as hidden as values."""
        return ()

    def missing_secret(self) -> str:
        """Return a name, with `missing` in it, of a secret that is not in the manager."""
        return self.name("missing")

    def missing_field(self) -> str:
        """Return a name, with `missing` in it, of a field that the secret `one` does not have."""
        raise NotImplementedError

    def requests(self) -> int:
        """Return how many requests or processes there were since the harness was made."""
        raise NotImplementedError

    def most_requests(self, secrets: int) -> int:
        """Return how many requests or processes a fetch of that many secrets may take, login included."""
        raise NotImplementedError
