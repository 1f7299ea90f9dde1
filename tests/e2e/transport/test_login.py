"""Logging in with keys, through the agent and with passwords, against real sshds (spec/cli.md 7)."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from pykamal.commands.command import query
from pykamal.config.models import Extension
from pykamal.core.errors import AuthenticationRefused
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus
from pykamal.transport.fleet import Fleet
from pykamal.transport.known_hosts import fingerprint
from tests.e2e.sshd import Sshd, new_key, start_sshd
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


@pytest.fixture
def agent(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    path = str(tmp_path / "agent.socket")
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as process:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        deadline = time.monotonic() + 20
        while _add_key(server.key).returncode != 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield path
        process.terminate()


def _add_key(key: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-add", "-q", str(key)], check=False, capture_output=True)


def test_a_refused_key_tells_what_was_tried(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """The error lists the keys that were offered and those that could not be, and what to do."""
    new_key(tmp_path / "stranger")
    new_key(tmp_path / "locked", passphrase="secret phrase")
    keys = tuple(str(tmp_path / name) for name in ("stranger", "locked", "missing"))
    with pytest.raises(AuthenticationRefused) as caught:
        answers(settings(server, keys=keys), trusting(known_hosts))
    details = "\n".join(caught.value.details)
    blob = (tmp_path / "stranger.pub").read_text().split()[1]
    assert f"tried {keys[0]} ({fingerprint(base64.b64decode(blob))})" in details
    assert f"not usable: {keys[1]}: needs a passphrase; add it to the agent: ssh-add {keys[1]}" in details
    assert f"not usable: {keys[2]}: no such file" in details
    assert caught.value.hint is not None
    assert "authorized_keys" in caught.value.hint
    assert known_hosts.exists(), "the host had proved its key by then"


def test_without_any_key_there_is_none_to_authorize(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """The same, where nothing could be offered: the advice is to get a key first."""
    with pytest.raises(AuthenticationRefused) as caught:
        answers(settings(server, keys=(str(tmp_path / "missing"),)), trusting(known_hosts))
    assert caught.value.details[0] == "no key to try"
    assert "ssh-add" in (caught.value.hint or "")


def test_key_data_logs_in(server: Sshd, known_hosts: Path) -> None:
    """`ssh.key_data` holds the text of a key (spec/config.md 10)."""
    text = Sensitive(server.key.read_text())
    assert answers(settings(server, keys=(), key_data=("SECRET",)), trusting(known_hosts), key_data=[text])


def test_a_key_of_the_agent_logs_in(server: Sshd, known_hosts: Path, agent: str) -> None:
    """Keys of the agent are offered unless `keys_only` (spec/cli.md 7)."""
    assert answers(settings(server, keys=(), keys_only=False), trusting(known_hosts))
    with pytest.raises(AuthenticationRefused):
        answers(settings(server, keys=(), keys_only=True), trusting(known_hosts))


def test_a_locked_key_is_used_through_the_agent(server: Sshd, known_hosts: Path, tmp_path: Path, agent: str) -> None:
    """A configured key with a passphrase works when the agent holds it, also with `keys_only`."""
    locked = tmp_path / "locked"
    locked.write_bytes(server.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret phrase", "-f", str(locked)], check=True, capture_output=True
    )
    locked.with_suffix(".pub").write_bytes(server.key.with_suffix(".pub").read_bytes())
    assert answers(settings(server, keys=(str(locked),)), trusting(known_hosts))


def test_a_passphrase_is_asked_for_at_the_terminal(
    server: Sshd, known_hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configured key with a passphrase that no agent holds: the user is asked, once for all hosts (spec/cli.md 7)."""
    locked = tmp_path / "locked"
    locked.write_bytes(server.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret phrase", "-f", str(locked)], check=True, capture_output=True
    )
    questions: list[str] = []

    def typed(question: str) -> str:
        questions.append(question)
        return "secret phrase" if len(questions) == 1 else ""

    monkeypatch.setattr("pykamal.transport.identities.sys.stdin", _Terminal())
    monkeypatch.setattr("pykamal.transport.identities.getpass.getpass", typed)
    ssh = settings(server, keys=(str(locked),))
    assert len(answers(ssh, trusting(known_hosts), ["127.0.0.1", "localhost"])) == 2
    assert questions == [f"Enter passphrase for key '{locked}': "]
    with pytest.raises(AuthenticationRefused) as caught:
        answers(ssh, trusting(known_hosts))
    assert "needs a passphrase" in "".join(caught.value.details)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts files over those of the system")
@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_is_asked_for_at_the_terminal(
    known_hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The user is asked for the password, three times at most, when no key is accepted (spec/cli.md 7)."""
    own = _sshd_with_password(tmp_path, method)
    typed: list[str] = []
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return typed.pop(0) if typed else ""

    monkeypatch.setattr("pykamal.transport.identities.sys.stdin", _Terminal())
    monkeypatch.setattr("pykamal.transport.identities.getpass.getpass", ask)
    ssh = settings(own, user="somebody", keys=(str(tmp_path / "stranger"),))
    new_key(tmp_path / "stranger")
    try:
        typed[:] = ["wrong", "right password"]
        assert answers(ssh, trusting(known_hosts))
        assert [question.startswith("(somebody@127.0.0.1) ") for question in questions] == [True, False]
        assert questions[1].startswith("(attempt 2 of 3, somebody@127.0.0.1) ")
        typed[:] = ["wrong"] * 9
        questions.clear()
        with pytest.raises(AuthenticationRefused):
            answers(ssh, trusting(known_hosts))
        assert len(questions) == 3
    finally:
        own.stop()


def _sshd_with_password(directory: Path, method: str) -> Sshd:
    """An sshd that sees a user with a password whom the machine does not have.

    sshd checks keyboard-interactive through PAM, which reads the same files.
    """
    made = subprocess.run(["openssl", "passwd", "-6", "right password"], capture_output=True, text=True, check=True)
    passwd = Path("/etc/passwd").read_text() + "somebody:x:0:0::/:/bin/sh\n"
    (directory / "passwd").write_text(passwd)
    shadow = Path("/etc/shadow").read_text() + f"somebody:{made.stdout.strip()}:20000:0:99999:7:::\n"
    (directory / "shadow").write_text(shadow)
    (directory / "shadow").chmod(0o600)
    mounts = f"mount --bind {directory}/passwd /etc/passwd && mount --bind {directory}/shadow /etc/shadow"
    by_password = method == "password"
    return start_sshd(
        directory / "sshd",
        settings=[
            f"PasswordAuthentication {'yes' if by_password else 'no'}",
            f"KbdInteractiveAuthentication {'no' if by_password else 'yes'}",
            f"UsePAM {'no' if by_password else 'yes'}",
        ],
        prefix=["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"],
    )


class _Terminal:
    def isatty(self) -> bool:
        return True


def test_too_many_keys(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """A host that gives up after so many keys (MaxAuthTries) has refused them, the hint is to name the right one."""
    for number in range(8):
        new_key(tmp_path / f"key{number}")
    keys = tuple(str(tmp_path / f"key{number}") for number in range(8))
    with pytest.raises(AuthenticationRefused, match="Too many authentication failures") as caught:
        answers(settings(server, keys=keys), trusting(known_hosts))
    assert "keys_only" in str(caught.value.hint)


def test_a_key_at_hand_costs_one_request(known_hosts: Path, tmp_path: Path) -> None:
    """Methods are not asked for, nor whether the key would do: the first request is the signed one."""
    own = start_sshd(tmp_path / "sshd", log_level="DEBUG1")
    try:
        answers(settings(own), trusting(known_hosts))
        requests = [line for line in own.log.splitlines() if "userauth-request" in line]
    finally:
        own.stop()
    assert [line.split("method ")[1].split()[0] for line in requests] == ["publickey"]


def test_without_keys_the_host_is_asked_what_it_takes(known_hosts: Path, tmp_path: Path) -> None:
    """A host that lets in without a key is asked for that, also after it refused one."""
    own = start_sshd(tmp_path / "sshd", log_level="DEBUG1")
    new_key(tmp_path / "stranger")
    try:
        with pytest.raises(AuthenticationRefused):
            answers(settings(own, keys=()), trusting(known_hosts))
        with pytest.raises(AuthenticationRefused):
            answers(settings(own, keys=(str(tmp_path / "stranger"),)), trusting(known_hosts))
        requests = [line.split("method ")[1].split()[0] for line in own.log.splitlines() if "userauth-request" in line]
    finally:
        own.stop()
    assert requests == ["none", "publickey", "none"]


@pytest.mark.parametrize("forwards", [None, False, True])
def test_the_agent_is_forwarded_only_where_deploy_yml_says_so(
    server: Sshd, known_hosts: Path, agent: str, tmp_path: Path, forwards: bool | None
) -> None:
    """Root on a host can use a forwarded agent, so only `ssh/forward_agent: true` forwards it.

    `ForwardAgent yes` of the client configuration, meant for logins by hand, does not (docs/differences.md).
    """
    config = tmp_path / "ssh_config"
    config.write_text("ForwardAgent yes\n")
    ssh = settings(server, config=(str(config),), **({} if forwards is None else {"forward_agent": forwards}))

    async def body() -> list[int]:
        async with asyncio.timeout(30), aclosing(Fleet(ssh, Bus(), extension=trusting(known_hosts))) as fleet:
            session = await fleet.session("127.0.0.1")
            listed = [await session.run(query("ssh-add", "-l"), check=False) for _ in range(3)]
            return [result.exit_status for result in listed]

    assert asyncio.run(body()) == ([0, 0, 0] if forwards else [2, 2, 2])


def test_the_default_key_files_log_in(
    server: Sshd, known_hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any setting the keys in ~/.ssh are offered (spec/cli.md 7)."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(server.key.read_bytes())
    monkeypatch.setenv("HOME", str(home))
    assert answers(settings(server, keys=(), keys_only=False), Extension())
    assert (home / ".ssh" / "known_hosts").read_text() == server.known_hosts_line()
