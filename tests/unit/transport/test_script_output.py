"""The markers of a script are taken out of its output, however the output arrives (commands/script.py)."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.commands.command import Command, command, shell_line
from pykamal.commands.script import MARK, Script, Step
from pykamal.commands.words import Syntax
from pykamal.events import Stream
from pykamal.transport.script_output import ScriptOutput
from pykamal.transport.session import StepResult

pytestmark = pytest.mark.unit

NONCE = "0123456789abcdef"
Calls = list[tuple[object, ...]]


class Recorder:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: Calls = []

    def began(self, index: int) -> None:
        self.calls.append(("began", index))

    def printed(self, stream: Stream, text: str) -> None:
        self.calls.append(("printed", stream, text))

    def ended(self, result: StepResult) -> None:
        self.calls.append(("ended", result.exit_status))


def script_of(*commands: Command) -> Script:
    return Script(tuple(Step(f"step {number}", each) for number, each in enumerate(commands)))


def marker(words: str) -> bytes:
    return f"{MARK}{NONCE} {words}\n".encode()


def outcome(output: ScriptOutput) -> list[tuple[int, str, str]]:
    return [(result.exit_status, result.stdout, result.stderr) for result in output.results]


def real_streams(script: Script, shell: str = "sh") -> dict[Stream, bytes]:
    """Return the output of a real shell for the script."""
    ran = subprocess.run([shell, "-s"], input=script.wire(NONCE).encode(), capture_output=True, timeout=20, check=False)
    return {Stream.STDOUT: ran.stdout, Stream.STDERR: ran.stderr}


def fed(script: Script, chunks: list[tuple[Stream, bytes]]) -> tuple[ScriptOutput, Calls]:
    recorder = Recorder()
    output = ScriptOutput(script, NONCE, recorder, clock=lambda: 0.0)
    for stream, data in chunks:
        output.feed(stream, data)
    output.finish()
    return output, recorder.calls


@pytest.mark.process
def test_each_step_has_its_own_output_and_status() -> None:
    """Status, stdout and stderr of every step are told apart, also without a newline at the end of the output."""
    script = script_of(
        command("printf", "one"), shell_line("printf two >&2; exit 3").failing_allowed(), command("printf", "three\n")
    )
    streams = real_streams(script)
    output, _ = fed(script, list(streams.items()))
    assert outcome(output) == [(0, "one", ""), (3, "", "two"), (0, "three\n", "")]
    assert output.complete
    assert output.process_group is not None


@pytest.mark.process
def test_a_failing_step_is_the_last() -> None:
    """A step that may not fail ends the script: no later step has a result and none can follow."""
    script = script_of(shell_line("exit 7"), command("echo", "never"))
    output, calls = fed(script, list(real_streams(script).items()))
    assert outcome(output) == [(7, "", "")]
    assert output.complete
    assert calls == [("began", 0), ("ended", 7)]


@pytest.mark.process
def test_the_exit_of_a_shell_line_ends_only_its_own_step() -> None:
    """`exit 0` in a line of the user does not skip the steps after it."""
    script = script_of(shell_line("exit 0"), command("echo", "reached"))
    output, _ = fed(script, list(real_streams(script).items()))
    assert outcome(output) == [(0, "", ""), (0, "reached\n", "")]


@pytest.mark.process
@pytest.mark.parametrize("last", [Stream.STDOUT, Stream.STDERR])
def test_steps_are_told_in_order_whichever_stream_comes_first(last: Stream) -> None:
    """A step ends before the next one begins, even when one stream arrives complete before the other."""
    script = script_of(shell_line("echo a; echo b >&2"), shell_line("echo c; echo d >&2"))
    streams = real_streams(script)
    first = next(stream for stream in Stream if stream is not last)
    _, calls = fed(script, [(first, streams[first]), (last, streams[last])])
    kinds = [call[0] for call in calls]
    assert kinds == ["began", "printed", "printed", "ended", "began", "printed", "printed", "ended"]
    assert {call[2] for call in calls[1:3]} == {"a\n", "b\n"}


@pytest.mark.process
def test_noise_before_the_first_step_belongs_to_no_step() -> None:
    """Output of the login shell's start-up files is not output of a command."""
    script = script_of(command("echo", "hi"))
    streams = real_streams(script)
    output, _ = fed(script, [(stream, b"Welcome!\n" + data) for stream, data in streams.items()])
    assert outcome(output) == [(0, "hi\n", "")]


@pytest.mark.process
def test_a_marker_of_another_script_is_output() -> None:
    """Only the nonce of this very script makes a marker: a command that prints one like it changes nothing."""
    script = script_of(command("printf", f"{MARK}ffff end 0 1\n{MARK}{NONCE[:-1]}"))
    output, _ = fed(script, list(real_streams(script).items()))
    assert outcome(output) == [(0, f"{MARK}ffff end 0 1\n{MARK}{NONCE[:-1]}", "")]


def test_output_is_passed_on_before_the_step_ends() -> None:
    """Live streaming: a piece of output is told of when it arrives, not when its line or its step is complete."""
    recorder = Recorder()
    output = ScriptOutput(script_of(command("true")), NONCE, recorder)
    output.feed(Stream.STDOUT, marker("begin 0") + b"50%")
    assert recorder.calls == [("began", 0), ("printed", Stream.STDOUT, "50%")]


def test_a_shell_that_dies_in_a_step_leaves_its_output() -> None:
    """`cut_off` ends the running step with what it had printed, half a character and half a marker included."""
    output = ScriptOutput(script_of(command("a"), command("b")), NONCE)
    for stream in Stream:
        output.feed(stream, marker("begin 0"))
    output.feed(Stream.STDOUT, b"half \xc3")
    output.feed(Stream.STDERR, MARK.encode() + NONCE[:4].encode())
    output.finish()
    result = output.cut_off(137)
    assert (result.exit_status, result.stdout, result.stderr) == (137, "half \ufffd", MARK + NONCE[:4])


@pytest.mark.process
def test_a_shell_that_cannot_read_the_script_fails_its_first_step() -> None:
    """A syntax error is reported as the failure of the step that could not begin, with the shell's own message."""
    script = script_of(command(Syntax('echo "never closed')))
    output, calls = fed(script, list(real_streams(script).items()))
    assert not output.results
    result = output.cut_off(2)
    assert "quot" in result.stderr.lower()
    assert [call[0] for call in calls] == ["began", "printed", "ended"]


pieces = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.text(max_size=6).map(str.encode),
        st.sampled_from(
            [MARK.encode(), f"{MARK}{NONCE}".encode(), f"{MARK}{NONCE[:5]}".encode(), b"\n", "é€😀".encode()]
        ),
    ),
    max_size=5,
).map(b"".join)


@given(data=st.data())
def test_any_chunking_gives_the_same_result(data: st.DataObject) -> None:
    """Each step has the same status and output for every cut and order of the two streams."""
    count = data.draw(st.integers(1, 4))
    statuses = data.draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))
    # A marker's full beginning is what a command cannot know: it never has the nonce.
    printed = {
        stream: [
            data.draw(pieces.filter(lambda piece: f"{MARK}{NONCE} ".encode() not in piece + b" ")) for _ in range(count)
        ]
        for stream in Stream
    }
    script = script_of(*(command(str(index)).failing_allowed() for index in range(count)))
    streams = {
        stream: b"".join(
            marker(f"begin {index}") + printed[stream][index] + marker(f"end {index} {statuses[index]}")
            for index in range(count)
        )
        for stream in Stream
    }
    chunks = []
    rest = dict(streams)
    while any(rest.values()):
        stream = data.draw(st.sampled_from([stream for stream in Stream if rest[stream]]))
        size = data.draw(st.integers(1, min(9, len(rest[stream]))) | st.just(len(rest[stream])))
        chunks.append((stream, rest[stream][:size]))
        rest[stream] = rest[stream][size:]

    output, calls = fed(script, chunks)

    assert outcome(output) == [
        (
            statuses[index],
            printed[Stream.STDOUT][index].decode("utf-8", "replace"),
            printed[Stream.STDERR][index].decode("utf-8", "replace"),
        )
        for index in range(count)
    ]
    assert output.complete
    told = [(call[0], call[1]) for call in calls if call[0] != "printed"]
    assert told == [item for index in range(count) for item in (("began", index), ("ended", statuses[index]))]
    for stream in Stream:
        text = "".join(str(call[2]) for call in calls if call[0] == "printed" and call[1] is stream)
        assert text == "".join(piece.decode("utf-8", "replace") for piece in printed[stream])
