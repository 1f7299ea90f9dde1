"""A host whose shell says what it likes between and instead of the markers of a script, and as much as it likes."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.commands.command import Command, command, query
from pykamal.commands.script import MARK, Script, Step
from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.events import HostResult, Stream
from pykamal.operations.hosts import results
from pykamal.transport import capture, script_output
from pykamal.transport.script_output import ScriptOutput

pytestmark = pytest.mark.hostile

NONCE = "0123456789abcdef"
PREFIX = f"{MARK}{NONCE} ".encode()
MEBIBYTE = 1 << 20


def script(*commands: Command) -> Script:
    return Script(tuple(Step(f"step {number}", each) for number, each in enumerate(commands)))


def feed(output: ScriptOutput, *chunks: tuple[Stream, bytes]) -> None:
    for stream, data in chunks:
        output.feed(stream, data)


def said(*lines: bytes) -> bytes:
    return b"".join(PREFIX + line + b"\n" for line in lines)


@pytest.mark.parametrize(
    "lines",
    [
        [b"begin 0", b"end 0 abc"],
        [b"begin 0", b"end 0 -1"],
        [b"begin 0", b"end 0"],
        [b"begin 0", b"end 1 0"],
        [b"begin 1"],
        [b"begin x"],
        [b"begin -1"],
        [b"begin \xc2\xb2"],
        [b"end 0 0"],
        [b"pid x"],
        [b"pid"],
        [b""],
        [b"what is this"],
        [b"begin 0", b"begin " + b"9" * 200],
        [b"begin 0", b"x" * 1000],
    ],
)
def test_markers_that_no_script_writes(lines: list[bytes]) -> None:
    """`end 0 abc` is a host that lies, and no bug: the error names the host and what it said."""
    output = ScriptOutput(script(command("a"), command("b")), NONCE, host="10.0.0.1")
    with pytest.raises(UnexpectedAnswer, match=r"10\.0\.0\.1 answered") as caught:
        feed(output, *((stream, said(*lines)) for stream in Stream))
    assert caught.value.host == "10.0.0.1"
    assert caught.value.details[0].startswith("it said: ")
    assert caught.value.hint


def test_a_marker_without_end_is_not_waited_for() -> None:
    """Nor is what follows it kept: markers are short."""
    output = ScriptOutput(script(command("a")), NONCE)
    with pytest.raises(UnexpectedAnswer):
        feed(output, *[(Stream.STDOUT, PREFIX + b"x" * 100)] * 100)


PIECES = st.sampled_from(
    [
        *map(said, (b"pid 1", b"begin 0", b"begin 1", b"end 0 0", b"end 1 3", b"end 0 x", b"begin 7", b"")),
        *(PREFIX, PREFIX[:5], MARK.encode(), b"\n", b"output", b"\xff\xfe", b" end 0 0\n"),
    ]
)


@given(st.lists(st.tuples(st.sampled_from(Stream), PIECES | st.binary(max_size=9)), max_size=20))
def test_any_answer_of_a_shell_is_output_or_an_error(chunks: list[tuple[Stream, bytes]]) -> None:
    """There are never more results than steps, and they keep the order of the steps."""
    output = ScriptOutput(script(command("a").failing_allowed(), command("b")), NONCE)
    with suppress(KamalError):
        feed(output, *chunks)
        output.finish()
    assert [result.step.name for result in output.results] == [f"step {n}" for n in range(len(output.results))]
    if len(output.results) < 2 and not output.complete:
        assert output.cut_off(9).exit_status == 9


def flooded(output: ScriptOutput, mebibytes: int, stream: Stream = Stream.STDOUT) -> float:
    """Let the running step print so much; the memory in MiB that it took at most."""
    block = b"x" * 65535 + b"\n"
    tracemalloc.start()
    try:
        for _ in range(mebibytes * 16):
            output.feed(stream, block)
        return tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()


def begun(each: Command, *, whole: bool = False) -> ScriptOutput:
    output = ScriptOutput(script(each), NONCE, host="h", whole=whole)
    for stream in Stream:
        output.feed(stream, said(b"begin 0"))
    return output


def test_output_that_is_only_evidence_keeps_both_ends() -> None:
    """A build or a pull may print for ever: beginning and end are kept, with a line about the rest."""
    output = begun(command("docker", "pull"))
    output.feed(Stream.STDOUT, b"the beginning\n")
    assert flooded(output, 100) < 40
    output.feed(Stream.STDOUT, b"the end")
    for stream in Stream:
        output.feed(stream, said(b"end 0 1"))
    (result,) = output.results
    assert result.stdout.startswith("the beginning\n")
    assert result.stdout.endswith("the end")
    assert "bytes left out …" in result.stdout
    assert len(result.stdout) < capture.KEPT_BYTES + 100
    failure = result.failure("h")
    assert sum(map(len, failure.details)) < 1.1 * MEBIBYTE
    assert failure.details[1].endswith("the end")


def test_an_answer_that_is_read_is_never_cut() -> None:
    """Decisions rest on the output of reading commands, so too much of it is an error at once."""
    output = begun(query("docker", "ps"))
    with pytest.raises(UnexpectedAnswer, match="h answered with more than 16 MB") as caught:
        flooded(output, 100)
    assert caught.value.details == ("command: docker ps",)


def test_what_was_asked_for_is_whole_and_on_disk() -> None:
    """`app exec` and `app logs` may answer with more than fits into memory; nothing of it is lost."""
    output = begun(query("docker", "logs"), whole=True)
    assert flooded(output, 100) < 12
    for stream in Stream:
        output.feed(stream, said(b"end 0 0"))
    like = HostResult(host="h", text="", verbatim=True)
    sizes = [(len(each.text), each.begins, each.ends) for each in results.events(output.results[0], like)]
    assert sum(size for size, _, _ in sizes) == 100 * MEBIBYTE - 1  # white space at its end
    assert max(size for size, _, _ in sizes) <= results.PART_BYTES
    assert [(begins, ends) for _, begins, ends in sizes] == [
        (number == 0, number == len(sizes) - 1) for number in range(len(sizes))
    ]


def test_a_stream_that_runs_ahead_is_not_kept_for_ever() -> None:
    """An answer is refused if one stream ended its step long ago and the other never does."""
    output = ScriptOutput(script(command("a"), command("b")), NONCE)
    for stream in Stream:
        output.feed(stream, said(b"begin 0"))
    output.feed(Stream.STDOUT, said(b"end 0 0", b"begin 1"))
    with pytest.raises(UnexpectedAnswer, match="this machine"):
        flooded(output, 2 * script_output.AHEAD_BYTES // MEBIBYTE)


def test_noise_outside_of_steps_is_bounded() -> None:
    """A login shell's start-up files may print what they like; a little of it is kept, for an error."""
    output = ScriptOutput(script(command("a")), NONCE)
    assert flooded(output, 50) < 2
    assert flooded(output, 50, Stream.STDERR) < 2
    assert len(output.cut_off(1).stderr) < 2 * script_output.NOISE_BYTES
