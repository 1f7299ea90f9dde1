"""The interface of a secret manager's adapter, for `kamal secrets fetch` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.settings import Setting, Settings

Values: TypeAlias = Mapping[str, Sensitive | None]
"""Values by full name, in the order of `kamal secrets fetch`; None for what the manager has without a value."""


class RenamedValues(dict[str, Sensitive | None]):
    """Values that the manager calls otherwise than they were asked for, such as by ids.

    `by_reference` has them by what `fetch` was asked for: deploy.yml names them so.
    """

    def __init__(self, values: Values, by_reference: Values) -> None:
        super().__init__(values)
        self.by_reference = dict(by_reference)


class Adapter(Protocol):
    """An adapter for one secret manager."""

    @property
    def needs_account(self) -> bool:
        """True where `--account` must be given."""
        ...

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        """Return the values; `source` is `--from`, which most managers have before each name, with a slash.

        Raises `DependencyError` when something of the manager is missing on this machine, and `KamalError` when it
        refuses, does not answer in time or says what cannot be understood. No error has anything of a value.
        """
        ...


@runtime_checkable
class Diagnosable(Protocol):
    """An adapter that can tell whether it is usable, for `kamal secrets doctor`.

    Of other adapters only the program is looked for.
    """

    def status(self, *, account: str | None) -> str | None:
        """Return as whom the manager knows us; None where it does not tell. Nobody is asked for a password.

        Raises `DependencyError` when something of the manager is missing on this machine, and `KamalError` where there
        is no login.
        """
        ...


@runtime_checkable
class Credentialed(Protocol):
    """An adapter whose manager logs in with variables of the environment, besides those of its settings.

    All output hides their values, as it does what passes through `pykamal.secrets.credentials.hidden`: a token that a
    login gives, for instance.
    """

    @property
    def credential_variables(self) -> Sequence[str]:
        """The names of these variables. One may end in `*`, for all that begin so."""
        ...


class Configurable(Protocol):
    """An adapter that has settings of its own, besides the account and `--from`.

    The object without settings, `ADAPTER`, takes them all from the environment.
    """

    @property
    def settings(self) -> Sequence[Setting]:
        """The settings that the adapter knows, in the order of the documentation."""
        ...

    def configured(self, settings: Settings) -> Adapter:
        """Return an adapter that uses these."""
        ...


def with_source(secrets: Sequence[str], source: str | None) -> list[str]:
    """Put `--from` before each name."""
    return [f"{source}/{name}" if source else name for name in secrets]


def refuse_account(adapter: str, account: str | None, *, hint: str = "leave it out") -> None:
    """Raise `KamalError` for an account that the adapter would not use."""
    if account:
        raise KamalError(f"The adapter {adapter} takes no --account", hint=hint)
