"""Calls of adapters. Whatever one raises becomes an error that names it, and that has nothing of a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Credentialed, Diagnosable, Values
from pykamal.secrets.credentials import hide_variables

Result = TypeVar("Result")

_FRAMES: Final = 8


def fetch(adapter: Adapter, named: str, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
    """Fetch with an adapter, which `named` tells in errors: `the adapter vault of the provider main`."""

    def call() -> Values:
        _hide_credentials(adapter)
        return adapter.fetch(secrets, account=account, source=source)

    values: object = guarded(named, call)
    if not isinstance(values, Mapping):
        raise _misbehaves(named, f"its `fetch` returned a {type(values).__name__} and no mapping")
    for value in values.values():
        if not isinstance(value, Sensitive | None):
            raise _misbehaves(named, f"its `fetch` returned a value that is a {type(value).__name__}, no Sensitive")
    return values


def status(adapter: Diagnosable, named: str, *, account: str | None) -> str | None:
    """Ask an adapter as whom the manager knows us."""

    def call() -> str | None:
        _hide_credentials(adapter)
        return adapter.status(account=account)

    return guarded(named, call)


def guarded(named: str, call: Callable[[], Result]) -> Result:
    """Do what calls an adapter. Raises `KamalError` alone, without a cause: that may hold an answer of the manager."""
    try:
        return call()
    except KamalError as error:
        failure = error
    except (Exception, SystemExit) as error:  # of a library, or of an adapter of others
        failure = KamalError(
            f"{_sentence(named)} failed with {type(error).__name__}",
            details=_places(error),  # the error's own text may hold a value
            hint="this is a fault of the adapter, or of a library that it uses: report it with these lines; an "
            "adapter tells what a manager refuses by pykamal.core.errors.KamalError",
        )
    failure.__cause__ = failure.__context__ = None
    raise failure


def _hide_credentials(adapter: object) -> None:
    if isinstance(adapter, Credentialed):
        hide_variables(adapter.credential_variables)


def _misbehaves(named: str, problem: str) -> KamalError:
    return UnexpectedAnswer(
        f"{_sentence(named)} does not keep to the interface: {problem}",
        hint="see pykamal.secrets.adapters.protocol.Adapter, and run pykamal.secrets.conformance over the adapter",
    )


def _sentence(named: str) -> str:
    return named[:1].upper() + named[1:]


def _places(error: BaseException) -> tuple[str, ...]:
    """Return where an error was raised, the innermost place last."""
    places: list[str] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename}:{step.tb_lineno} in {code.co_qualname}")
        step = step.tb_next
    return tuple(places[1:][-_FRAMES:])  # the first one is of this module
