"""Secrets that programs print, wherever it is shown or kept."""

from __future__ import annotations

import pytest

from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, CommandOutput, Event, HostResult, Level, Log, Message, RunFailed, Stream
from pykamal.events.masking import Masking

pytestmark = pytest.mark.unit

FAILURE = RunFailed(
    operation="deploy", identifier="x", label="E", message="because of pa$$word", details=("log: pa$$word",)
)


def output(text: str) -> CommandOutput:
    return CommandOutput(id="a", host="h", stream=Stream.STDOUT, text=text)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("it is true: pa$$word\nroot: pa$$word of root\n", "it is true: [REDACTED]\nroot: [REDACTED]\n"),
        ("  abcdef/+=\n", "  [REDACTED]\n"),
    ],
)
def test_secrets_that_programs_print(printed: str, shown: str) -> None:
    """The mission: in no log and no error, whoever wrote it; each line of a secret counts, short words do not."""
    known = [Sensitive("true"), Sensitive("pa$$word"), Sensitive("pa$$word of root"), Sensitive("BEGIN-1\nabcdef/+=\n")]
    masked = Masking(lambda: known)
    assert masked(output(printed)).text == shown
    assert masked(Log(level=Level.ERROR, text=printed)).text == shown
    assert masked(Message(text=printed)).text == shown
    failure = masked(FAILURE)
    assert (failure.message, failure.details) == ("because of [REDACTED]", ("log: [REDACTED]",))


def test_results_are_what_was_asked_for() -> None:
    """spec/cli.md 4.4: what `app exec env` prints is the answer."""
    answer = HostResult(host="h", text="pa$$word")
    assert Masking(lambda: [Sensitive("pa$$word")])(answer) == answer


def test_secrets_that_become_known_later() -> None:
    """Secrets are read late; looking for them must not be what reads them. All subscribers see the same."""
    known: list[Sensitive] = []
    seen: list[Event] = []
    bus = Bus(seen.append)
    bus.rewrite(Masking(lambda: known))
    bus.say("hush-hush")
    known.append(Sensitive("hush-hush"))
    bus.say("hush-hush")
    assert [event.text for event in seen if isinstance(event, Message)] == ["hush-hush", "[REDACTED]"]
