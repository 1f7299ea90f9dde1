"""Exec and logs in all their forms; those that take the operator's terminal in a real one, with its size and Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import KAMAL, Application, interrupt, wait_until
from tests.e2e.terminal import CTRL_C, Terminal, terminal

pytestmark = pytest.mark.e2e

SHELL = r"# $"


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The example application with a worker beside it on the first host, and an accessory on the second."""
    reset(sandbox)
    application = Application.create(tmp_path_factory.mktemp("terminal") / "hello", sandbox)
    first, second = (host.address for host in application.hosts)
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}TOKEN=first\n")
    application.configure(
        readiness_delay=0,
        env={"secret": ["TOKEN"]},
        servers={
            "web": [first, second],
            "worker": {"hosts": [first], "cmd": "sh -c 'echo the worker works; exec sleep 9999'"},
        },
        accessories={
            "jobs": {
                "image": f"{sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": second,
                "cmd": "sleep 9999",
                "options": {"init": True},
                "env": {"secret": ["TOKEN"]},
            }
        },
    )
    application.commit("in a terminal")
    application.kamal("setup")
    return application


def kamal(application: Application, *arguments: str) -> AbstractContextManager[Terminal]:
    return terminal(str(KAMAL), *arguments, folder=application.folder, environment=application.environment)


def processes(application: Application, words: str, *, host: int = 0) -> list[str]:
    listed = application.hosts[host].run(["ps", "-e", "-o", "args="])
    return [line for line in listed.splitlines() if words in line]


def container(application: Application, role: str) -> str:
    return f"hello-{role}-{application.git('rev-parse', 'HEAD')}"


def test_following_logs(running: Application) -> None:
    """spec/cli.md 14.5: lines appear as they are written; Ctrl-C is exit status 130 and leaves nothing behind there."""
    first, second = running.hosts
    with kamal(running, "app", "logs", "-f", "-n", "1") as window:
        window.expect(f"Following logs on {first.address}")
        window.expect(f"Only web on {first.address} is followed, not on {second.address}")
        wait_until(lambda: processes(running, "docker logs"), what="following")
        first.docker("exec", container(running, "web"), "sh", "-c", "echo a new line > /proc/1/fd/1")
        window.expect(r"(?m)^\S+Z a new line$")
        window.type(CTRL_C)
        assert window.wait() == 130
    wait_until(lambda: not processes(running, "docker logs"), what="the end of following")


def test_following_without_a_terminal(running: Application) -> None:
    """spec/cli.md 14.5 and 19: in CI too, its end leaves nothing behind there."""
    process = running.start("app", "logs", "-f", "-T", "-q")
    assert process.stdout is not None
    assert "listens on port 8000" in process.stdout.readline()
    assert processes(running, "docker logs")
    assert interrupt(process, signal.SIGTERM)[0] != 0
    wait_until(lambda: not processes(running, "docker logs"), what="the end of following")


def test_following_another_role(running: Application) -> None:
    """spec/cli.md 14.5: `-r` chooses the role that is followed, `-T` leaves the times out."""
    with kamal(running, "app", "logs", "-f", "-T", "-r", "worker") as window:
        window.expect(r"(?m)^the worker works$")
        assert "listens on port" not in window.text
        window.type(CTRL_C)
        assert window.wait() == 130


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("accessory", "logs", "jobs", "-f", "-s", "1h"), "docker logs hello-jobs --timestamps --since 1h --follow"),
        (("proxy", "logs", "-f", "-n", "2"), "docker logs kamal-proxy --timestamps --tail 2 --follow"),
    ],
)
def test_following_accessories_and_the_proxy(running: Application, command: tuple[str, ...], line: str) -> None:
    """spec/cli.md 14.7, 14.8 and 22, 12: the lines asked for, from the hosts that they are on."""
    host = 1 if command[0] == "accessory" else 0
    with kamal(running, *command) as window:
        window.expect(f"Following logs on {running.hosts[host].address}")
        wait_until(lambda: processes(running, line, host=host), what="following")
        window.type(CTRL_C)
        assert window.wait() == 130


def test_a_closed_window_ends_following(running: Application) -> None:
    """Nothing is left behind on the host."""
    with kamal(running, "app", "logs", "-f"):
        wait_until(lambda: processes(running, "docker logs"), what="following")
    wait_until(lambda: not processes(running, "docker logs"), what="the end of following")


def test_a_shell_in_the_running_container(running: Application) -> None:
    """spec/cli.md 14.4: a terminal of the window's size; Ctrl-C is for the program there; its status is ours."""
    with kamal(running, "app", "exec", "-i", "--reuse", "-e", "GREETING:hello you", "--", "sh") as window:
        window.expect(SHELL)
        window.type("tty; stty size; echo $GREETING\n")
        window.expect(r"/dev/pts/\d+\s+24 80\s+hello you")
        window.resize(40, 132)
        wait_until(lambda: shows_size(window, "40 132"), what="the new size")
        window.type("sleep 777\n")
        wait_until(lambda: processes(running, "sleep 777"), what="sleep")
        window.type(CTRL_C)
        window.type("echo status $?\n")
        window.expect("status 130")
        window.type("exit 7\n")
        assert window.wait() == 7
    assert container(running, "web") in running.containers(running.hosts[0])


def shows_size(window: Terminal, size: str) -> bool:
    window.type("stty size\n")
    return window.text.rstrip().endswith(size) or f"\n{size}\n" in window.text


def test_a_new_container_has_current_secrets_and_is_removed(running: Application) -> None:
    """spec/cli.md 14.4: `exec` without `--reuse`, in a terminal; the secrets are those of now, not of the last boot."""
    secrets = running.folder / ".kamal" / "secrets"
    secrets.write_text(secrets.read_text().replace("TOKEN=first", "TOKEN=second"))
    before = running.containers(running.hosts[0], "--all")
    with kamal(running, "app", "exec", "-i", "sh") as window:
        window.expect(SHELL)
        window.type("echo $TOKEN\n")
        window.expect(r"\nsecond")
        window.resize(50, 100)
        wait_until(lambda: shows_size(window, "50 100"), what="the new size")
        assert [name for name in running.containers(running.hosts[0]) if name.startswith("hello-web-exec-latest-")]
        window.type("exit 3\n")
        assert window.wait() == 3
    assert running.containers(running.hosts[0], "--all") == before
    show = "sh -c 'echo $TOKEN'"
    assert running.kamal("app", "exec", "-p", "-r", "web", "--raw", show).stdout == "second\n"
    assert running.kamal("app", "exec", "-p", "-r", "web", "--raw", "--reuse", show).stdout == "first\n"
    assert running.kamal("accessory", "exec", "jobs", "--raw", show).stdout == "second\n"


@pytest.mark.parametrize("reuse", [True, False])
def test_a_shell_in_an_accessory(running: Application, reuse: bool) -> None:
    """spec/cli.md 14.8: on the accessory's host, in its container or in a new one that is gone afterwards."""
    host = running.hosts[1]
    before = running.containers(host, "--all")
    with kamal(running, "accessory", "exec", "jobs", "-i", *(["--reuse"] if reuse else []), "sh") as window:
        window.expect("from existing container" if reuse else "from new container")
        window.expect(SHELL)
        window.type("tty; python3 -c 'print(6 * 7)'; hostname\n")
        window.expect(r"/dev/pts/\d+\s+42")
        window.type("exit 4\n")
        assert window.wait() == 4
    assert running.containers(host, "--all") == before


def test_a_shell_on_a_server(running: Application) -> None:
    """spec/cli.md 14.1: on the primary host, or on the one that is chosen."""
    host = running.hosts[1]
    with kamal(running, "server", "exec", "-i", "-h", host.address, "bash --norc") as window:
        window.expect(f"Running 'bash --norc' on {host.address} interactively...")
        window.expect(SHELL)
        window.type("stty size; echo $SSH_CONNECTION\n")
        window.expect(rf"24 80\s+\S+ \d+ {host.address} 22")
        window.type("exit 9\n")
        assert window.wait() == 9


@pytest.mark.parametrize("place", [("app", "exec", "--reuse"), ("accessory", "exec", "jobs"), ("server", "exec")])
def test_without_a_terminal(running: Application, place: tuple[str, ...]) -> None:
    """spec/cli.md 14.4 and 19: what is piped in is read there, and no terminal changes what comes out."""
    done = subprocess.run(
        [KAMAL, *place, "-i", "sh -c 'cat; test ! -t 1; exit 6'"],
        cwd=running.folder,
        env=running.environment,
        input="piped\nin\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("piped\nin\n"), done.stdout + done.stderr
    assert done.returncode == 6
    assert "Pseudo-terminal" not in done.stderr
    assert " -it " not in done.stdout


def test_every_way_to_run_a_command(running: Application) -> None:
    """spec/cli.md 14.4: by host and role, with an environment; detached; failing on one host of two."""
    first, second = (host.address for host in running.hosts)
    shown = running.kamal("app", "exec", "-q", "--reuse", "-e", "A:1", "B:two words", "--", "sh -c 'echo $A $B'").stdout
    assert shown == "1 two words\n\n" * 3, "web and worker on the first host, web on the second"
    headed = running.kamal("app", "exec", "-r", "web", "echo hello").stdout
    assert re.findall(r"App Host: (\S+)\nhello\n\n", headed) == [first, second]
    assert "from new container..." in headed

    detached = running.kamal("app", "exec", "-q", "-p", "-r", "web", "--detach", "sleep 9999").stdout.strip()
    assert re.fullmatch("[0-9a-f]{64}", detached)
    assert running.hosts[0].docker("rm", "-f", detached)

    only_first = f"sh -c 'test $KAMAL_HOST = {first} && echo fine || exit 3'"
    failed = running.kamal("app", "exec", "--reuse", "-r", "web", only_first, expect=1).stdout
    assert f"App Host: {first}\nfine" in failed, "what worked is shown"
    assert f"Exception while executing on host {second}: docker exit status: 3" in failed


@pytest.mark.parametrize("command", ["app exec -r web", "accessory exec jobs"])
def test_an_interrupted_command_leaves_no_container_behind(running: Application, command: str) -> None:
    """Ctrl-C ends what was begun on all hosts, also what is deaf to the signal that Docker passes on."""
    before = [running.containers(host, "--all") for host in running.hosts]
    process = running.start(*command.split(), "sleep 9999")
    wait_until(lambda: len(running.containers(running.hosts[1])) > len(before[1]), what="the container")
    code, output = interrupt(process)
    assert code == 130, output
    assert [running.containers(host, "--all") for host in running.hosts] == before


def test_what_was_executed_is_noted(running: Application) -> None:
    """spec/cli.md 14.0 and 14.4: with the role's name only in the running container; nothing for terminals."""
    version = running.git("rev-parse", "HEAD")
    running.kamal("app", "exec", "-p", "-r", "web", "--reuse", "echo 1")
    running.kamal("app", "exec", "-p", "-r", "web", "echo 2")
    running.kamal("server", "exec", "-p", "echo 3")
    running.kamal("accessory", "exec", "jobs", "--reuse", "echo 4")
    first, second = running.hosts
    notes = [line.split("] ", 1)[1] for line in first.read("/root/.kamal/hello-audit.log").splitlines()[-3:]]
    assert notes == [
        f"[ada@example.com] [web] Executed cmd 'echo 1' on app version {version}",
        "[ada@example.com] Executed cmd 'echo 2' on app version latest",
        f"[ada@example.com] Executed cmd 'echo 3' on {first.address}",
    ]
    assert second.read("/root/.kamal/hello-audit.log").endswith("Executed cmd 'echo 4' on jobs accessory\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("app exec --detach --reuse ls", "Detach is not compatible with reuse"),
        ("app exec --detach -i --reuse ls", "Detach is not compatible with interactive or reuse"),
        ("app exec --raw --detach ls", "Raw is not compatible with detach"),
        ("accessory exec jobs --raw -i ls", "Raw is not compatible with interactive"),
        ("server exec --raw -i ls", "Raw is not compatible with interactive"),
    ],
)
def test_what_does_not_go_together(running: Application, command: str, message: str) -> None:
    """spec/cli.md 14.1 and 14.4."""
    assert message in running.kamal(*command.split(), expect=2).text


def test_every_way_to_read_logs(running: Application) -> None:
    """spec/cli.md 14.5: how many lines, since when, which of them, with or without times."""
    first = running.hosts[0]
    name = container(running, "web")
    for word in ("one", "two words", "three"):
        first.docker("exec", name, "sh", "-c", f"echo {word} > /proc/1/fd/1")

    def logs(*options: str) -> str:
        return running.kamal("app", "logs", "-q", "-p", "-r", "web", *options).stdout

    assert logs("-T", "-n", "2") == "two words\nthree\n\n"
    assert re.fullmatch(r"\S+Z three\n\n", logs("-n", "1"))
    assert logs("-T", "-g", "two words") == "two words\n\n"
    assert logs("-T", "-g", "TWO", "--grep-options=-i -A 1") == "two words\nthree\n\n"
    assert logs("-T", "-s", "1h").endswith("one\ntwo words\nthree\n\n")
    assert logs("-g", "never said") == "Nothing found\n\n"
    identifier = first.docker("ps", "--quiet", "--filter", f"name={name}").strip()
    assert logs("-T", "-n", "1", "--container-id", identifier) == "three\n\n"
    everywhere = running.kamal("app", "logs", "-T").stdout
    assert re.findall(r"App Host: (\S+)", everywhere) == [first.address, first.address, running.hosts[1].address]


def test_logs_of_accessories_and_the_proxy(running: Application) -> None:
    """spec/cli.md 14.7 and 14.8: without a heading, and with one that `-q` leaves out; no match is a failure there."""
    second = running.hosts[1]
    second.docker("exec", "hello-jobs", "sh", "-c", "echo done > /proc/1/fd/1")
    assert running.kamal("accessory", "logs", "jobs", "-T", "-n", "1").stdout.endswith("\ndone\n")
    assert running.kamal("accessory", "logs", "jobs", "-g", "never said", expect=1)
    headed = running.kamal("proxy", "logs", "-T", "-n", "1").stdout
    assert re.findall(r"Proxy Host: (\S+)\n\{", headed) == [host.address for host in running.hosts]
    assert running.kamal("proxy", "logs", "-g", "never said", expect=1)


def test_raw_output_is_byte_for_byte(running: Application) -> None:
    """spec/cli.md 4.4: `--raw` is for dumps, which are no text."""
    done = subprocess.run(
        [
            KAMAL,
            "app",
            "exec",
            "--reuse",
            "--raw",
            "-p",
            "-r",
            "web",
            r"""sh -c 'printf "\377\000\r\n \303\251\n\n"'""",
        ],
        cwd=running.folder,
        env=running.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"\xff\x00\r\n \xc3\xa9\n\n"


def test_pre_connect_comes_before_the_terminal(running: Application, tmp_path: Path) -> None:
    """spec/cli.md 9.5: exec commands run it explicitly, once, though it is `ssh` that connects; following does not."""
    record = tmp_path / "ran"
    running.hook("pre-connect", f"echo $KAMAL_COMMAND $KAMAL_SUBCOMMAND >> {record}")
    try:
        for command in (("server", "exec"), ("accessory", "exec", "jobs", "--reuse"), ("app", "exec")):
            running.kamal(*command, "-i", "true")
        assert record.read_text().split("\n") == ["server exec", "accessory exec", "app exec", ""]
        running.kamal("app", "exec", "--raw", "-i", "true", expect=2)
        assert len(record.read_text().splitlines()) == 3, "what cannot run connects nowhere"
    finally:
        (running.folder / ".kamal" / "hooks" / "pre-connect").unlink()


# -- the way of the terminal's ssh to the host


@pytest.fixture
def ssh_settings(running: Application) -> Iterator[dict[str, object]]:
    """The `ssh` section of deploy.yml, put back afterwards."""
    path = running.folder / "config" / "deploy.yml"
    before = path.read_text()
    yield {"user": "root", "config": False}
    path.write_text(before)


def private_key(application: Application) -> str:
    return str(application.sandbox.paths.private_key)


def test_a_key_that_is_in_no_file(running: Application, ssh_settings: dict[str, object]) -> None:
    """spec/cli.md 7.1: Ruby Kamal cannot; here an agent of the run's own has it, and no file and no argument does."""
    secrets = running.folder / ".kamal" / "secrets"
    text = secrets.read_text()
    secrets.write_text(f"{text}DEPLOY_KEY='{Path(private_key(running)).read_text()}'\n")
    running.configure(ssh={**ssh_settings, "key_data": ["DEPLOY_KEY"], "keys_only": True})
    try:
        with kamal(running, "server", "exec", "-i", "bash --norc") as window:
            window.expect(SHELL)
            window.type("exit 5\n")
            assert window.wait() == 5
        assert "PRIVATE KEY" not in window.text
    finally:
        secrets.write_text(text)


def test_through_a_jump_host(running: Application, ssh_settings: dict[str, object]) -> None:
    """spec/cli.md 7.1: a jump host is trusted by the same pinned keys, and logged in to with the same key."""
    host, gate = (host.address for host in running.hosts)
    running.configure(ssh={**ssh_settings, "proxy": gate, "keys": [private_key(running)], "keys_only": True})
    with kamal(running, "server", "exec", "-i", "-h", host, "echo from ${SSH_CONNECTION%% *}; exit 8") as window:
        window.expect(f"from {gate}\n")
        assert window.wait() == 8
