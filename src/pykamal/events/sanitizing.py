"""Sanitizes every event before a subscriber gets it: the filter for terminals, then the masking of secrets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pykamal.core.printable import PrintableStream, printable
from pykamal.core.sensitive import Sensitive
from pykamal.events.types import (
    CommandFinished,
    CommandOutput,
    Event,
    HostResult,
    Result,
    RunFailed,
    RunFinished,
    Stream,
)

if TYPE_CHECKING:
    from pykamal.events.secret_forms import SecretForms, StreamMasker

KnownSecrets = Callable[[], Iterable[Sensitive]]
AnyEvent = TypeVar("AnyEvent", bound=Event)

_NAMES: Final = frozenset(
    {"id", "host", "hosts", "user", "kind", "operation", "identifier", "identifiers", "label", "phase", "step"}
    | {"service", "destination", "version", "service_version", "performer"}
)
"""Fields that name things of the configuration: machines compare them, and a secret may be a word like `production`."""


class Sanitizer:
    """Makes events harmless. `secrets` gives those that have been read so far.

    Output of commands is one stream for each command and stream, so that nothing gets through by being cut in two.
    Raw results go through as they are, and so do secrets in `verbatim` ones.
    """

    def __init__(self, secrets: KnownSecrets = tuple) -> None:
        self._secrets = secrets
        self._known: tuple[Sensitive, ...] = ()
        self._forms: SecretForms | None = None
        self._streams: dict[tuple[str, Stream], _OutputStream] = {}

    def events(self, event: Event) -> Iterator[Event]:
        """The event as it may be shown; before it what was held back of a command that has ended."""
        match event:
            case CommandOutput():
                key = (event.id, event.stream)
                if key not in self._streams:
                    self._streams[key] = _OutputStream(self.event(dataclasses.replace(event, text="")))
                yield from self._streams[key].feed(event.text, event.at, self._current_forms())
                return
            case CommandFinished():
                yield from self._rest(event.id)
            case RunFinished() | RunFailed():
                for identifier in {identifier for identifier, _ in self._streams}:
                    yield from self._rest(identifier)
        yield self.event(event)

    def event(self, event: AnyEvent) -> AnyEvent:
        """An event that is complete in itself."""
        if isinstance(event, HostResult | Result) and event.raw:
            return event
        keeps_secrets = isinstance(event, HostResult | Result) and event.verbatim
        changed = {}
        for field in dataclasses.fields(event):
            value = getattr(event, field.name)
            clean = _each_text(value, printable if keeps_secrets or field.name in _NAMES else self.text)
            if clean != value:
                changed[field.name] = clean
        return dataclasses.replace(event, **changed) if changed else event

    def text(self, text: str) -> str:
        """A text that is complete in itself."""
        forms = self._current_forms()
        return printable(text) if forms is None else forms.mask(printable(text))

    def _rest(self, identifier: str) -> Iterator[Event]:
        for stream in Stream:
            output = self._streams.pop((identifier, stream), None)
            if output is not None:
                yield from output.flush(self._current_forms())

    def _current_forms(self) -> SecretForms | None:
        known = tuple(self._secrets())
        if known != self._known:
            from pykamal.events.secret_forms import SecretForms

            self._known, self._forms = known, SecretForms(known)
        return self._forms


class _OutputStream:
    """One stream of one command, whose events are but for text and time `like` this one."""

    def __init__(self, like: CommandOutput) -> None:
        self._like = like
        self._filter = PrintableStream()
        self._masker: StreamMasker | None = None

    def feed(self, text: str, at: float, forms: SecretForms | None) -> Iterator[CommandOutput]:
        self._like = dataclasses.replace(self._like, at=at)
        yield from self._given(self._masked(self._filter.feed(text), forms))

    def flush(self, forms: SecretForms | None) -> Iterator[CommandOutput]:
        text = self._masked(self._filter.flush(), forms)
        yield from self._given(text + (self._masker.flush(forms) if self._masker and forms else ""))

    def _masked(self, text: str, forms: SecretForms | None) -> str:
        if forms is None:
            return text
        if self._masker is None:
            from pykamal.events.secret_forms import StreamMasker

            self._masker = StreamMasker()
        return self._masker.feed(text, forms)

    def _given(self, text: str) -> Iterator[CommandOutput]:
        if text:
            yield dataclasses.replace(self._like, text=text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case tuple() | list():
            return type(value)(_each_text(item, change) for item in value)
        case dict():
            return {key: _each_text(item, change) for key, item in value.items()}
    return value
