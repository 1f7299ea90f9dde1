"""Commands on this machine (spec/cli.md 6.3)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pykamal.commands.command import command, shell_line
from pykamal.commands.script import Step, script
from pykamal.core.errors import CommandFailed
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, CommandFinished, CommandOutput, CommandStarted, Event
from pykamal.transport.local import LocalSession

pytestmark = [pytest.mark.unit, pytest.mark.process]


class Run:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.local = LocalSession(Bus(self.events.append))

    def __call__(self, call: Callable[[LocalSession], Awaitable[None]]) -> None:
        async def body() -> None:
            async with asyncio.timeout(30):
                await call(self.local)

        asyncio.run(body())

    def texts(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, CommandOutput))


@pytest.fixture
def run() -> Run:
    return Run()


def gone(process_id: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


async def first_output(run: Run) -> None:
    while not run.texts():
        await asyncio.sleep(0.01)


def test_programs_and_lines(run: Run) -> None:
    """A plain program starts without a shell, everything else through sh; status and both streams are the command's."""

    async def body(local: LocalSession) -> None:
        plain = await local.run(command("printf", "%s", "a b"), name="print")
        assert (plain.exit_status, plain.stdout, plain.stderr) == (0, "a b", "")
        line = await local.run(command("echo", "x") | command("tr", "x", "y"))
        assert line.stdout == "y\n"
        both = await local.run(shell_line("echo out; echo err >&2; exit 5"), check=False)
        assert (both.exit_status, both.stdout, both.stderr) == (5, "out\n", "err\n")

    run(body)
    started = [event for event in run.events if isinstance(event, CommandStarted)]
    assert [(event.command, event.host, event.exchange) for event in started] == [
        ("printf %s 'a b'", None, 1),
        ("echo x | tr x y", None, 2),
        ("echo out; echo err >&2; exit 5", None, 3),
    ]


@pytest.mark.parametrize(("line", "status"), [("exit 5", 5), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_failures_have_their_real_exit_status(run: Run, line: str, status: int) -> None:
    """Ruby Kamal reports 256 times the status of local commands (spec/cli.md 6.3, a quirk); we report the status."""

    async def body(local: LocalSession) -> None:
        for each in (shell_line(line), command("sh", "-c", line)):
            with pytest.raises(CommandFailed) as caught:
                await local.run(each)
            assert caught.value.exit_status == status
            assert (await local.run(each.failing_allowed())).exit_status == status

    run(body)


def test_a_program_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """Not found is exit status 127, not executable 126, as shells have it."""
    plain_file = tmp_path / "file"
    plain_file.write_text("text")

    async def body(local: LocalSession) -> None:
        missing = await local.run(command("no-such-program-here"), check=False)
        assert (missing.exit_status, missing.stderr) == (127, "no-such-program-here: No such file or directory\n")
        assert (await local.run(command(str(plain_file)), check=False)).exit_status == 126
        with pytest.raises(CommandFailed):
            await local.run(command("no-such-program-here"))

    run(body)


def test_a_script_without_interpreter_line_runs(run: Run, tmp_path: Path) -> None:
    """An executable file of shell commands without `#!` is run by sh, as a shell would (hooks may be such)."""
    hook = tmp_path / "hook"
    hook.write_text("echo from hook $1\n")
    hook.chmod(0o755)

    async def body(local: LocalSession) -> None:
        assert (await local.run(command(str(hook), "arg"))).captured == "from hook arg"

    run(body)


def test_environment_and_directory(run: Run, tmp_path: Path) -> None:
    """The environment is added to ours; secrets in it arrive and are not shown."""

    async def body(local: LocalSession) -> None:
        environment: dict[str, str | Sensitive] = {"TOKEN": Sensitive("s3cret"), "PLAIN": "p"}
        for each in (
            command("sh", "-c", 'echo "$TOKEN $PLAIN $HOME"; pwd'),
            shell_line('echo "$TOKEN $PLAIN $HOME"; pwd'),
        ):
            result = await local.run(each, environment=environment, directory=str(tmp_path))
            assert result.stdout == f"s3cret p {os.environ['HOME']}\n{tmp_path.resolve()}\n"

    run(body)
    assert "s3cret" not in "".join(event.command for event in run.events if isinstance(event, CommandStarted))


def test_a_secret_on_standard_input_is_in_no_argument(run: Run) -> None:
    """`fed` text reaches the program through its standard input and shows in no process list."""

    async def body(local: LocalSession) -> None:
        secret = Sensitive("hunter2-" + "x" * 200_000)
        listing = command("sh", "-c", "cat | wc -c; cat /proc/*/cmdline 2> /dev/null | tr '\\0' ' '")
        for each in (listing.fed(secret), listing.fed(secret) | command("cat")):
            result = await local.run(each)
            assert result.stdout.startswith("200008\n")
            assert "hunter2" not in result.stdout

    run(body)


def test_a_program_that_does_not_read_its_input(run: Run) -> None:
    """A program may end before it has read what it is fed."""

    async def body(local: LocalSession) -> None:
        assert (await local.run(command("true").fed("x" * 1_000_000))).ok

    run(body)


def test_scripts_stop_like_remote_ones(run: Run) -> None:
    """Steps, statuses and events as on a host (contract of `Session`)."""

    async def body(local: LocalSession) -> None:
        steps = script(
            Step("one", command("echo", "1")),
            Step("two", shell_line("exit 2").failing_allowed()),
            Step("three", shell_line("exit 3")),
            Step("four", command("echo", "4")),
        )
        results = await local.run_script(steps, check=False)
        assert [result.exit_status for result in results] == [0, 2, 3]
        with pytest.raises(CommandFailed) as caught:
            await local.run_script(steps)
        assert caught.value.exit_status == 3

    run(body)
    assert [event.failed for event in run.events if isinstance(event, CommandFinished)] == [False, False, True] * 2


def test_output_comes_as_it_is_written(run: Run) -> None:
    """Output is passed on while the program runs, marked as `shown` when it is for the user to follow."""

    async def body(local: LocalSession) -> None:
        await local.run(shell_line("echo early; sleep 0.5; echo late"), shown=True)

    run(body)
    early, late = (event for event in run.events if isinstance(event, CommandOutput))
    assert late.at - early.at > 0.3
    assert early.shown
    assert next(event for event in run.events if isinstance(event, CommandStarted)).shown


def test_commands_do_not_read_our_terminal_unless_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is empty, or ours with `inherit_stdin`, for programs and for lines (spec/cli.md 19)."""
    reading, writing = os.pipe()
    os.write(writing, b"typed 1\ntyped 2\n")
    os.close(writing)
    saved = os.dup(0)
    os.dup2(reading, 0)
    try:

        async def body(local: LocalSession) -> None:
            assert (await local.run(command("cat"))).stdout == ""
            assert (await local.run(shell_line("cat"))).stdout == ""
            asked = await local.run(shell_line('read line; echo "got $line"'), inherit_stdin=True)
            assert asked.stdout == "got typed 1\n"
            assert (await local.run(command("cat"), inherit_stdin=True)).stdout == "typed 2\n"

        run(body)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)


@pytest.mark.parametrize("through_a_shell", [True, False])
def test_cancelling_ends_the_process_group(run: Run, through_a_shell: bool) -> None:
    """Cancelling ends the program and its children, and only then goes on."""
    line = "sleep 300 & echo $!; wait"

    async def body(local: LocalSession) -> None:
        each = shell_line(line) if through_a_shell else command("sh", "-c", line)
        running = asyncio.create_task(local.run(each))
        await first_output(run)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert gone(int(run.texts()))

    run(body)
    (finished,) = (event for event in run.events if isinstance(event, CommandFinished))
    assert finished.failed


def test_what_ignores_sigterm_is_killed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL follows after a while."""
    monkeypatch.setattr("pykamal.transport.process.KILL_SECONDS", 0.3)

    async def body(local: LocalSession) -> None:
        running = asyncio.create_task(local.run(shell_line("trap '' TERM; echo $$; while :; do sleep 1; done")))
        await first_output(run)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert gone(int(run.texts()))

    run(body)


def test_a_process_left_behind_does_not_hold_the_command(run: Run) -> None:
    """A hook may start something that goes on with our output open; the command is over when it is over."""

    async def body(local: LocalSession) -> None:
        started = time.monotonic()
        result = await local.run(command("sh", "-c", "sleep 30 & echo $!"))
        assert time.monotonic() - started < 10
        os.kill(int(result.captured), 9)

    run(body)


def test_a_failing_subscriber_fails_the_command(run: Run) -> None:
    """An error of whoever shows the output comes out of the call, and the process is ended."""

    def broken(event: Event) -> None:
        if isinstance(event, CommandOutput):
            raise ZeroDivisionError

    async def body() -> None:
        for each in (command("sh", "-c", "echo x; sleep 300"), shell_line("echo x; sleep 300")):
            with pytest.raises(ZeroDivisionError):
                await LocalSession(Bus(broken)).run(each)

    asyncio.run(body())
