"""One fetch of an adapter: its values or its error, and the rules that hold for every fetch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.conformance.harness import Harness
from pykamal.secrets.conformance.process_arguments import watched_processes
from pykamal.secrets.conformance.traces import Traces, texts_of


class NotConformant(AssertionError):
    """The adapter breaks a rule, which the message tells."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The values of a fetch by name, in its order, or its error."""

    values: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    error: KamalError | None = None

    def expect_error(self, situation: str) -> KamalError:
        """Return the error. Raises `NotConformant` for none, and for one that does not say what to do next."""
        if self.error is None:
            raise NotConformant(f"{situation}: fetch ended as if nothing had happened, with {len(self.values)} values")
        if not self.error.message.strip() or not (self.error.hint or "").strip():
            raise NotConformant(f"{situation}: the error has no message or no hint that says what to do next")
        return self.error

    def expect_values(self, expected: Mapping[str, str | bytes], *, ordered: bool) -> None:
        """Raise `NotConformant` unless these values came, in this order where it counts."""
        if self.error is not None:
            raise NotConformant(f"fetch failed: {self.error.message}") from self.error
        if set(self.values) != set(expected):
            missing, foreign = set(expected) - set(self.values), set(self.values) - set(expected)
            raise NotConformant(
                f"names of the answer: missing are {sorted(missing)[:5]}, not asked for are {sorted(foreign)[:5]}"
            )
        for name, value in expected.items():
            text = value if isinstance(value, str) else value.decode(errors="surrogateescape")
            if self.values[name] != text:
                raise NotConformant(f"{name} did not arrive as it was stored: {_difference(self.values[name], text)}")
        if ordered and list(self.values) != list(expected):
            raise NotConformant(f"order of the answer: asked were {list(expected)[:5]}, got {list(self.values)[:5]}")


def fetch(harness: Harness, names: Sequence[str], secret: Iterable[str | bytes]) -> Outcome:
    """Fetch with a fresh adapter. Raises `NotConformant` for a trace of a secret, and for errors of other kinds."""
    traces = Traces((*secret, *harness.credentials()))
    error: BaseException | None = None
    values: dict[str, str | None] = {}
    with watched_processes() as processes:
        try:
            found = harness.adapter().fetch(names, account=harness.account, source=harness.source)
            values = {name: _revealed(name, value) for name, value in found.items()}
        except (NotConformant, NotImplementedError):
            raise
        except Exception as caught:  # an adapter that raises what is no error of ours is what the suite is for
            error = caught
    if leaking := [words for words in processes if words in traces]:
        raise NotConformant(f"a value or a credential is in the arguments of a process: {leaking[0].split()[0]}")
    if error is None:
        return Outcome(values)
    for place, text in texts_of(error):
        if text in traces:
            raise NotConformant(f"something of a value or a credential is in {place}") from None
    if not isinstance(error, KamalError):
        raise NotConformant(f"an error that is no KamalError: {type(error).__name__}: {error}") from error
    return Outcome(error=error)


def _revealed(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, Sensitive):
        raise NotConformant(f"the value of {name} is a {type(value).__name__} and not a Sensitive")
    return None if value is None else value.reveal()


def _difference(found: str | None, expected: str) -> str:
    if found is None:
        return "it has no value"
    place = next((at for at, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), None)
    where = "" if place is None else f", first different at {place}: {expected[place : place + 4]!r}"
    return f"{len(found)} characters instead of {len(expected)}{where}"
