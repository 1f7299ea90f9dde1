"""The sanitizing of each event before it is shown, kept or sent away."""

from __future__ import annotations

import pytest

from pykamal.core.sensitive import Sensitive
from pykamal.events import (
    Bus,
    CommandFinished,
    CommandOutput,
    CommandStarted,
    Event,
    HostResult,
    Level,
    Log,
    Message,
    Result,
    RunFailed,
    RunStarted,
    Stream,
)
from pykamal.events.sanitizing import Sanitizer

pytestmark = pytest.mark.unit

FAILURE = RunFailed(
    operation="deploy",
    identifier="x",
    label="E",
    message="because of pa$$word",
    details=("log: pa$$word",),
    hint="do not use pa$$word",
)
FINISHED = CommandFinished(id="a", host="h", exit_status=0, seconds=0.1)


def output(text: str, *, stream: Stream = Stream.STDOUT, identifier: str = "a") -> CommandOutput:
    return CommandOutput(id=identifier, host="h", stream=stream, text=text)


def sanitizer(*secrets: str) -> Sanitizer:
    return Sanitizer(lambda: map(Sensitive, secrets))


def shown(rules: Sanitizer, *events: Event) -> str:
    """The text of all output that comes out for these events."""
    out = (each for event in events for each in rules.events(event))
    return "".join(event.text for event in out if isinstance(event, CommandOutput))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("it is true: pa$$word\nroot: pa$$word of root\n", "it is true: [REDACTED]\nroot: [REDACTED]\n"),
        ("  abcdef/+=\n", "  [REDACTED]\n"),
    ],
)
def test_secrets_that_programs_print(printed: str, expected: str) -> None:
    """In no log and no error, whoever wrote it; each line of a secret counts, short words do not."""
    rules = sanitizer("true", "pa$$word", "pa$$word of root", "BEGIN-1\nabcdef/+=\n")
    assert shown(rules, output(printed), FINISHED) == expected
    assert rules.event(Log(level=Level.ERROR, text=printed)).text == expected
    assert rules.event(Message(text=printed)).text == expected
    assert rules.event(Result(text=printed)).text == expected
    failure = rules.event(FAILURE)
    assert (failure.message, failure.details) == ("because of [REDACTED]", ("log: [REDACTED]",))
    assert failure.hint == "do not use [REDACTED]"


def test_what_commands_and_logs_answer_is_verbatim() -> None:
    """spec/cli.md 4.4: what `app exec env` prints is the answer; it is filtered for the terminal all the same."""
    rules = sanitizer("pa$$word")
    assert rules.event(HostResult(host="h", text="pa$$word\x1b[2J", verbatim=True)).text == "pa$$word\\x1b[2J"
    assert rules.event(HostResult(host="h", text="pa$$word\x1b[2J", raw=True)).text == "pa$$word\x1b[2J"
    assert rules.event(HostResult(host="h", text="pa$$word", kind="Proxy")).text == "[REDACTED]"


def test_names_are_compared_by_machines() -> None:
    """A secret may be a word like `production`; names of hosts and destinations stay what they are."""
    rules = sanitizer("production", "web-production")
    started = RunStarted(operation="deploy", destination="production")
    assert rules.event(started) == started
    command = CommandStarted(id="a", host="web-production", command="echo production")
    assert rules.event(command).host == "web-production"
    assert rules.event(command).command == "echo [REDACTED]"


def test_a_secret_in_pieces() -> None:
    """Held back where it may begin, shown when it does not; the two streams of a command are two texts."""
    rules = sanitizer("pa$$word")
    assert shown(rules, output("x pa$"), output("other", stream=Stream.STDERR)) == "x other"
    assert shown(rules, output("$wor"), output("d!\n")) == "[REDACTED]!\n"
    assert shown(rules, output("pa$")) == ""
    assert shown(rules, output("te\n")) == "pa$te\n"


def test_the_end_of_a_command_shows_the_rest() -> None:
    """Before its end is told; also what was held back of other commands when the run ends."""
    rules = sanitizer("pa$$word")
    assert shown(rules, output("pa$")) == ""
    events = list(rules.events(FINISHED))
    assert [type(event) for event in events] == [CommandOutput, CommandFinished]
    assert shown(rules, output("\x1b[3", identifier="b"), FAILURE) == "\\x1b[3"


def test_secrets_that_become_known_later() -> None:
    """Secrets are read late; looking for them must not be what reads them. All subscribers see the same."""
    known: list[Sensitive] = []
    seen: list[Event] = []
    bus = Bus(seen.append)
    bus.hide(lambda: known)
    bus.say("hush-hush")
    bus.emit(output("hush-hush "))
    known.append(Sensitive("hush-hush"))
    bus.say("hush-hush")
    bus.emit(output("hush-hush\n"))
    texts = [event.text for event in seen if isinstance(event, Message | CommandOutput)]
    assert texts == ["hush-hush", "hush-hush ", "[REDACTED]", "[REDACTED]\n"]


def test_what_nobody_needs_is_not_looked_at() -> None:
    """Output by the megabyte that no subscriber shows costs nothing."""
    seen: list[Event] = []
    bus = Bus()
    bus.subscribe(seen.append, ignores=lambda event: isinstance(event, CommandOutput))
    bus.hide(lambda: pytest.fail("looked for secrets"))
    bus.emit(output("a" * 100))
    assert seen == []
