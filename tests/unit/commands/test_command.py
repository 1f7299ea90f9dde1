"""Command lines as values: how they are joined, shown and sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pykamal.commands.command import Command, Effect, command, query, shell_line
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Step, script
from pykamal.commands.words import Output, Raw, joined
from pykamal.core.sensitive import Sensitive
from tests.unit.commands.shell import run

pytestmark = pytest.mark.unit

A, B, C = command("a"), query("b", "x y"), query("c")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (A | B, "a | b 'x y'"),
        (A.and_(B).or_(C), "a && b 'x y' || c"),
        (A.then(B), "a ; b 'x y'"),
        (A.and_(B).grouped() | C, "{ a && b 'x y'; } | c"),
        (A.grouped(), "a"),
        (A.or_(B.then(C).in_subshell()), "a || (b 'x y' ; c)"),
        (A.redirected("> /dev/null", "2>&1"), "a > /dev/null 2>&1"),
        ((A | C).redirected("2>&1"), "a | c 2>&1"),
        (A.then(B).grouped().redirected("2>&1"), "{ a ; b 'x y'; } 2>&1"),
        (A.to_file("x y"), "a > 'x y'"),
        (A.to_file("x", append=True), "a >> x"),
        (A.from_file("x"), "a < x"),
        (command("d", Output(B)), "d \"$(b 'x y')\""),
        (command("d", joined("--t=", Output(C), ":80")), 'd --t="$(c)":80'),
        (shell_line("ls $HOME | wc"), "ls $HOME | wc"),
    ],
)
def test_lines(line: Command, expected: str) -> None:
    """design.md, rule 1: words plus how they are joined, quoted once, at the end."""
    assert line.display_text() == line.shell_text() == expected


@pytest.mark.parametrize(
    ("line", "effect"),
    [(A, Effect.CHANGE), (B, Effect.READ), (B | C, Effect.READ), (B.and_(A), Effect.CHANGE), (A.or_(B), Effect.CHANGE)],
)
def test_effect_of_a_line_is_that_of_its_strongest_part(line: Command, effect: Effect) -> None:
    """design.md, rule 1: a line says whether it only reads or also changes the host."""
    assert line.effect is effect


def test_marks_stay_with_the_line() -> None:
    """spec/cli.md 4.3 and 6.1: F and D marks belong to the whole line."""
    line = A.failing_allowed().quietly().and_(B)
    assert (line.may_fail, line.quiet) == (True, True)
    assert (A.may_fail, A.quiet) == (False, False)


@pytest.mark.process
def test_fed_text_is_hidden_and_arrives() -> None:
    """spec/cli.md 22, quirk 24: a password goes on standard input."""
    secret = "it's $HOME\nand `more` \\n %s"
    line = command("cat").fed(Sensitive(secret))
    assert line.display_text() == "printf '%s' [REDACTED] | cat"
    assert run(line).stdout.decode() == secret


def test_only_one_program_can_be_fed() -> None:
    """A line of several programs has no single standard input."""
    with pytest.raises(TypeError):
        A.and_(B).fed("x")


def test_program_names_the_command() -> None:
    """spec/cli.md 6.1: messages start with the first word."""
    assert command("docker", "ps").program == "docker"


def test_a_program_that_is_fed_names_the_command() -> None:
    """spec/cli.md 6.1: a failed login is docker's, whatever hands it the password."""
    login = command("docker", "login").fed(Sensitive("secret"))
    assert login.program == "docker"
    assert login.or_(command("false")).program == "docker"
    assert login.grouped().program == "docker"


def wired(*commands: Command) -> str:
    return script(*(Step(f"step {index}", each) for index, each in enumerate(commands))).wire("N")


def marks(text: bytes) -> list[str]:
    return [line.removeprefix("\x1eN ") for line in text.decode().split("\n") if line.startswith("\x1eN ")]


@pytest.mark.process
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_script_stops_at_the_step_that_may_not_fail(shell: str) -> None:
    """script.py: steps run until one fails that may not; markers go to both streams."""
    allowed = command("sh", "-c", "exit 3").failing_allowed()
    result = run(wired(allowed, command("echo", "two"), command("false"), command("echo", "no")), shell=shell)
    ends = ["begin 0", "end 0 3", "begin 1", "end 1 0", "begin 2", "end 2 1"]
    assert [mark for mark in marks(result.stdout) if not mark.startswith("pid")] == ends
    assert marks(result.stderr) == ends
    assert b"two" in result.stdout
    assert b"no" not in result.stdout
    assert result.returncode == 1


@pytest.mark.process
def test_script_contains_an_exit_and_settings_of_a_step() -> None:
    """script.py: each step has a shell of its own."""
    result = run(wired(command("exit", "4").failing_allowed(), command("cd", "/"), command("pwd")))
    assert "end 0 4" in marks(result.stdout)
    assert b"\n/\n" not in result.stdout


@pytest.mark.process
def test_script_that_was_cut_off_runs_nothing() -> None:
    """script.py: the text is one function called on the last line."""
    text = wired(command("echo", "one"), command("echo", "two"))
    whole = text.rindex("pykamal_script")
    for end in range(0, whole, 7):
        assert b"one" not in run(text[:end]).stdout


@pytest.mark.process
def test_script_steps_read_nothing_of_the_script() -> None:
    """script.py: the text arrives on standard input, which a step must not eat."""
    result = run("sh -s", stdin=wired(command("cat"), command("echo", Raw("$((1+1))"))).encode())
    assert b"\n2\n" in result.stdout


def test_script_effect() -> None:
    """design.md, rule 1: a script of reads is a read."""
    assert script(Step("b", B)).effect is Effect.READ
    assert script([Step("b", B), Step("a", A)]).effect is Effect.CHANGE


def test_which_lines_need_no_shell() -> None:
    """Words without pipes, redirections or raw text are an argument vector."""
    assert command("git", "log", Sensitive("x")).arguments() == ["git", "log", "x"]
    assert shell_line("git log").arguments() is None
    assert command("git", "log").redirected("2>&1").arguments() is None
    assert command("a").and_(command("b")).arguments() is None


OPEN = (
    *('echo "open', "echo 'open", "echo `open", "echo $(open", "if true", "echo )"),
    *("done", "cat <<END\nopen", "( echo", "&&"),
)
"""Command lines that no shell takes."""


@pytest.mark.process
@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("text", OPEN)
def test_a_syntax_error_is_the_one_of_its_step(shell: str, text: str) -> None:
    """script.py: a step is a unit of its own for the shell, so that those before it run and it alone is to blame."""
    result = run(wired(command("echo", "before"), shell_line(text), command("echo", "after")), shell=shell)
    ends = [mark for mark in marks(result.stdout) if not mark.startswith("pid")]
    assert ends[:3] == ["begin 0", "end 0 0", "begin 1"]
    assert b"before\n" in result.stdout
    if text.startswith("cat <<"):  # which shells take, with a warning at most
        return
    assert ends[3].startswith("end 1 ")
    assert ends[3] != "end 1 0"
    assert len(ends) == 4
    said = result.stderr.split(b"\x1eN begin 1\n")[1].split(b"\x1eN end 1")[0]
    assert b"yntax error" in said or b"unexpected" in said or b"nterminated" in said


@pytest.mark.process
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_login_shell_reads_a_line_as_one_argument(shell: str) -> None:
    """spec/cli.md 6.1: the login's shell interprets what the user wrote; without one a POSIX shell does."""
    line = by_login_shell(shell_line("echo \"$0\" 'it''s' $((1+1)) | tr a-z A-Z; exit 3").failing_allowed())
    assert line.display_text() == "echo \"$0\" 'it''s' $((1+1)) | tr a-z A-Z; exit 3"
    assert (line.may_fail, line.program, line.effect) == (True, "echo", Effect.CHANGE)
    result = run(f"SHELL={shell}; {line.shell_text()}")
    assert (result.returncode, result.stdout) == (3, f"{shell.upper()} ITS 2\n".encode())
    assert run(f"unset SHELL; {line.shell_text()}").stdout == b"SH ITS 2\n"
    for option in ("-x", "--", "-n echo"):
        said = run(f"SHELL={shell}; {by_login_shell(shell_line(option)).shell_text()}")
        assert (said.returncode, b"not found" in said.stderr) == (127, True), "a text is no option of the shell"


@pytest.mark.parametrize("use", [str, format, "{}".format, lambda line: f"$({line})"])
def test_a_command_is_no_text(use: Callable[[Command], str]) -> None:
    """Display text in a shell line would run `[REDACTED]`: which text is meant has to be said, whatever formats it."""
    with pytest.raises(TypeError, match="shell_text"):
        use(command("docker", "login", Sensitive("secret")))
