"""Ways to a host, trust in its key, and logging in, against real sshds on 127.0.0.1 (spec/cli.md 7)."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pykamal.commands.command import command, query
from pykamal.config.models import Extension, HostKeyPolicy, Ssh, Sshkit
from pykamal.core.errors import (
    AuthenticationRefused,
    ConfigurationError,
    HookFailed,
    HostErrors,
    HostKeyChanged,
    HostKeyUnknown,
    HostUnreachable,
    KamalError,
)
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Connected, Event, Level, Log
from pykamal.transport.fleet import Fleet
from pykamal.transport.known_hosts import fingerprint, look_up
from tests.e2e.sshd import Sshd, free_port, new_key, start_sshd

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    running = start_sshd(tmp_path_factory.mktemp("sshd"), host_keys=("ed25519", "ecdsa", "rsa"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def no_agent_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "ssh" / "known_hosts"


def settings(server: Sshd, **changes: object) -> Ssh:
    values: dict[str, object] = {
        "user": server.user,
        "port": server.port,
        "keys": (str(server.key),),
        "keys_only": True,
        "config": False,
        **changes,
    }
    return Ssh(**values)  # type: ignore[arg-type]


def trusting(path: Path, policy: HostKeyPolicy = HostKeyPolicy.ACCEPT_NEW) -> Extension:
    return Extension(host_key_policy=policy, known_hosts=str(path))


def answers(
    ssh: Ssh,
    extension: Extension,
    hosts: Sequence[str] = ("127.0.0.1",),
    *,
    sshkit: Sshkit | None = None,
    key_data: Sequence[str | Sensitive] = (),
    events: list[Event] | None = None,
) -> list[str]:
    """What `echo` says on each host."""

    async def body() -> list[str]:
        bus = Bus(events.append if events is not None else lambda _: None)
        async with asyncio.timeout(60), Fleet(ssh, bus, extension=extension, sshkit=sshkit, key_data=key_data) as fleet:
            await fleet.connect_all(hosts)
            sessions = [await fleet.session(host) for host in hosts]
            return [(await session.run(query("printenv", "SSH_CONNECTION"))).captured for session in sessions]

    return asyncio.run(body())


# -- host keys


def test_an_unknown_key_is_accepted_and_written_down(server: Sshd, known_hosts: Path) -> None:
    """`accept-new` adds the key in OpenSSH's form, `[host]:port`, to a private file, once (spec/cli.md 7)."""
    answers(settings(server), trusting(known_hosts))
    answers(settings(server), trusting(known_hosts))
    assert known_hosts.read_text() == server.known_hosts_line()
    assert stat.S_IMODE(known_hosts.stat().st_mode) == 0o600
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{server.port}", "-f", str(known_hosts)], capture_output=True, check=False
    )
    assert found.returncode == 0


def test_openssh_trusts_what_was_written(server: Sshd, known_hosts: Path) -> None:
    """The `ssh` of this machine, strict, accepts the file that we extended."""
    answers(settings(server), trusting(known_hosts))
    options = [f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"]
    arguments = ["ssh", "-F", "/dev/null", *(word for option in options for word in ("-o", option))]
    ran = subprocess.run(
        [*arguments, "-i", str(server.key), "-p", str(server.port), f"{server.user}@127.0.0.1", "true"],
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_new_entry_is_hashed_where_others_are(server: Sshd, known_hosts: Path) -> None:
    """A file whose host names are hashed gets a hashed entry, on a line of its own."""
    known_hosts.parent.mkdir()
    known_hosts.write_text(f"other {server.host_key('rsa')}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known_hosts)], check=True, capture_output=True)
    known_hosts.write_text(known_hosts.read_text().rstrip("\n"))
    answers(settings(server), trusting(known_hosts))
    lines = known_hosts.read_text().splitlines()
    assert len(lines) == 2
    assert "127.0.0.1" not in lines[1]
    assert look_up([str(known_hosts)], "127.0.0.1", server.port).key_types == ("ssh-ed25519",)


def test_many_hosts_at_once_are_written_down_without_loss(server: Sshd, known_hosts: Path) -> None:
    """Connections that open at the same time extend the file one after the other."""
    hosts = ["127.0.0.1", "localhost", f"127.0.0.1:{server.port}", f"localhost:{server.port}"]
    answers(settings(server), trusting(known_hosts), hosts)
    names = {line.split()[0] for line in known_hosts.read_text().splitlines()}
    assert names == {f"[127.0.0.1]:{server.port}", f"[localhost]:{server.port}"}


@pytest.mark.parametrize("policy", [HostKeyPolicy.STRICT, HostKeyPolicy.PINNED])
def test_an_unknown_key_is_refused(server: Sshd, known_hosts: Path, policy: HostKeyPolicy) -> None:
    """`strict` and `pinned` refuse unknown hosts, say which key it was, and write nothing."""
    with pytest.raises(HostKeyUnknown, match="SHA256:") as caught:
        answers(settings(server), trusting(known_hosts, policy))
    assert caught.value.host == "127.0.0.1"
    assert caught.value.hint is not None
    assert f"ssh-keyscan -p {server.port} -t ed25519 127.0.0.1 >> {known_hosts}" in caught.value.hint
    assert not known_hosts.exists()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("policy", list(HostKeyPolicy))
def test_a_host_is_asked_for_the_key_that_is_known(
    server: Sshd, known_hosts: Path, kind: str, policy: HostKeyPolicy
) -> None:
    """A host known by one kind of key is trusted though it has other, unknown ones too."""
    known_hosts.parent.mkdir()
    known_hosts.write_text(server.known_hosts_line(kind))
    answers(settings(server), trusting(known_hosts, policy))
    assert known_hosts.read_text() == server.known_hosts_line(kind)


@pytest.mark.parametrize("policy", list(HostKeyPolicy))
def test_a_changed_key_is_refused_whatever_the_policy(
    server: Sshd, known_hosts: Path, tmp_path: Path, policy: HostKeyPolicy
) -> None:
    """The refusal names file and line of the known key and both fingerprints; the file stays (spec/cli.md 7)."""
    new_key(tmp_path / "other")
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    known_hosts.parent.mkdir()
    text = f"# ours\n[127.0.0.1]:{server.port} {other}\n"
    known_hosts.write_text(text)
    with pytest.raises(HostKeyChanged) as caught:
        answers(settings(server), trusting(known_hosts, policy))
    entry = look_up([str(known_hosts)], "127.0.0.1", server.port).keys[0]
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(server.directory / "host_ed25519.pub")], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert f"{known_hosts}:2" in caught.value.message
    assert entry.fingerprint in caught.value.message
    assert shown in caught.value.message
    assert caught.value.hint is not None
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in caught.value.hint
    assert known_hosts.read_text() == text


def test_another_kind_of_key_in_place_of_the_known_one_is_a_change(known_hosts: Path, tmp_path: Path) -> None:
    """A host known by one kind of key that shows another kind only is refused: nobody can get around the check so."""
    rsa_only = start_sshd(tmp_path / "sshd", host_keys=("rsa",))
    try:
        new_key(tmp_path / "other")
        known_hosts.parent.mkdir()
        other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
        known_hosts.write_text(f"[127.0.0.1]:{rsa_only.port} {other}\n")
        with pytest.raises(HostKeyChanged):
            answers(settings(rsa_only), trusting(known_hosts))
    finally:
        rsa_only.stop()


def test_a_revoked_key_is_refused(server: Sshd, known_hosts: Path) -> None:
    """`@revoked` wins over an entry that trusts the same key (sshd(8))."""
    known_hosts.parent.mkdir()
    known_hosts.write_text(f"{server.known_hosts_line()}@revoked * {server.host_key()}\n")
    with pytest.raises(HostKeyChanged, match="revoked"):
        answers(settings(server), trusting(known_hosts))


def test_a_certified_host_key_is_trusted(known_hosts: Path, tmp_path: Path) -> None:
    """A host certificate of an authority in known_hosts is trusted, and no key is added (sshd(8))."""
    directory = tmp_path / "sshd"
    directory.mkdir()
    new_key(tmp_path / "authority")
    new_key(directory / "host_ed25519")
    subprocess.run(
        [
            "ssh-keygen",
            "-qs",
            str(tmp_path / "authority"),
            "-I",
            "h",
            "-hn",
            "127.0.0.1",
            f"{directory}/host_ed25519.pub",
        ],
        check=True,
    )
    certified = start_sshd(directory, settings=[f"HostCertificate {directory}/host_ed25519-cert.pub"])
    try:
        known_hosts.parent.mkdir()
        authority = " ".join((tmp_path / "authority.pub").read_text().split()[:2])
        line = f"@cert-authority [127.0.0.1]:{certified.port} {authority}\n"
        known_hosts.write_text(line)
        answers(settings(certified), trusting(known_hosts, HostKeyPolicy.STRICT))
        assert known_hosts.read_text() == line
    finally:
        certified.stop()


# -- logging in


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


def test_key_data_logs_in(server: Sshd, known_hosts: Path) -> None:
    """`ssh.key_data` holds the text of a key (spec/config.md 10)."""
    text = Sensitive(server.key.read_text())
    assert answers(settings(server, keys=(), key_data=("SECRET",)), trusting(known_hosts), key_data=[text])


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

    monkeypatch.setattr("pykamal.transport.prompts.sys.stdin", _Terminal())
    monkeypatch.setattr("pykamal.transport.prompts.getpass.getpass", typed)
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
    """When no key will do the user is asked for the password, three times at most (spec/cli.md 7)."""
    own = _sshd_with_password(tmp_path, method)
    typed: list[str] = []
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return typed.pop(0) if typed else ""

    monkeypatch.setattr("pykamal.transport.prompts.sys.stdin", _Terminal())
    monkeypatch.setattr("pykamal.transport.prompts.getpass.getpass", ask)
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


@pytest.mark.parametrize("forwards", [True, False])
def test_the_agent_is_forwarded_as_configured(server: Sshd, known_hosts: Path, agent: str, forwards: bool) -> None:
    """The host can use our agent, by default; not with `ssh.forward_agent: false` (spec/cli.md 7)."""

    async def body() -> list[int]:
        async with (
            asyncio.timeout(30),
            Fleet(settings(server, forward_agent=forwards), Bus(), extension=trusting(known_hosts)) as fleet,
        ):
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


# -- the client configuration


def test_the_client_configuration_leads_to_the_host(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """Host names, keys and known_hosts files of an ssh configuration count; user and port are deploy.yml's own.

    Ruby Kamal passes user and port always, its defaults included, and what is passed wins (spec/cli.md 7).
    """
    file = tmp_path / "config"
    file.write_text(
        f"Host web\n  HostName 127.0.0.1\n  Port 1\n  User nobody-at-all\n  IdentityFile {server.key}\n"
        f"  UserKnownHostsFile {known_hosts}\n"
    )
    ssh = settings(server, keys=(), keys_only=False, config=(str(file),))
    assert answers(ssh, Extension(), ["web"])
    assert known_hosts.read_text() == server.known_hosts_line()


def test_a_host_key_alias_is_what_known_hosts_is_asked_for(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """HostKeyAlias replaces name and port in known_hosts (ssh_config(5))."""
    file = tmp_path / "config"
    file.write_text("Host 127.0.0.1\n  HostKeyAlias cluster\n")
    answers(settings(server, config=(str(file),)), trusting(known_hosts))
    assert known_hosts.read_text() == f"cluster {server.host_key()}\n"


def test_a_broken_client_configuration_is_named(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """A file that cannot be read as an ssh configuration fails with its name and line."""
    file = tmp_path / "config"
    file.write_text("Host *\n  Port many\n")
    with pytest.raises(ConfigurationError, match=f"{file}.*line 2"):
        answers(settings(server, config=(str(file),)), trusting(known_hosts))


def test_host_strings_override_user_and_port(server: Sshd, known_hosts: Path) -> None:
    """`user@host:port` in deploy.yml wins over `ssh.user` and `ssh.port` (spec/cli.md 7)."""
    ssh = settings(server, user="nobody-at-all", port=1)
    assert answers(ssh, trusting(known_hosts), [f"{server.user}@127.0.0.1:{server.port}"])


# -- the way


@pytest.fixture
def bastion(tmp_path: Path, server: Sshd) -> Iterator[Sshd]:
    running = start_sshd(tmp_path / "bastion")
    running.directory.joinpath("authorized_keys").write_bytes(server.key.with_suffix(".pub").read_bytes())
    yield running
    running.stop()


def test_hosts_behind_a_jump_host(server: Sshd, bastion: Sshd, known_hosts: Path) -> None:
    """`ssh.proxy` is gone through, its key checked like any; hosts behind it share one connection (spec/cli.md 7)."""
    ssh = settings(server, proxy=f"{bastion.user}@127.0.0.1:{bastion.port}")
    assert len(answers(ssh, trusting(known_hosts), ["127.0.0.1", "localhost"])) == 2
    assert bastion.log.count("Accepted publickey") == 1
    assert bastion.known_hosts_line() in known_hosts.read_text()


def test_a_jump_host_takes_the_operators_own_key(
    server: Sshd, bastion: Sshd, known_hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keys` and `keys_only` are about the hosts; Ruby Kamal goes through jump hosts with `ssh`, which has its own."""
    own = tmp_path / "home" / ".ssh" / "id_ed25519"
    own.parent.mkdir(parents=True)
    new_key(own)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    bastion.directory.joinpath("authorized_keys").write_bytes(own.with_suffix(".pub").read_bytes())
    ssh = settings(server, proxy=f"{bastion.user}@127.0.0.1:{bastion.port}")
    assert answers(ssh, trusting(known_hosts))


def test_a_chain_of_jump_hosts(server: Sshd, bastion: Sshd, known_hosts: Path) -> None:
    """`ssh.proxy` may name several, in the order of the way."""
    first = f"{bastion.user}@127.0.0.1:{bastion.port}"
    ssh = settings(server, proxy=f"{first},{server.user}@127.0.0.1:{server.port}")
    assert answers(ssh, trusting(known_hosts))


def test_a_jump_host_of_the_client_configuration(
    server: Sshd, bastion: Sshd, known_hosts: Path, tmp_path: Path
) -> None:
    """ProxyJump of an ssh configuration counts, with the jump host's own Host block for its port and user."""
    file = tmp_path / "config"
    file.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {bastion.port}\n  User {bastion.user}\n"
        "Host 127.0.0.1\n  ProxyJump gate\n"
    )
    assert answers(settings(server, config=(str(file),)), trusting(known_hosts))
    assert bastion.log.count("Accepted publickey") == 1


def test_an_unreachable_jump_host_is_named(server: Sshd, known_hosts: Path) -> None:
    """The error is about the jump host, not about the host behind it."""
    ssh = settings(server, proxy=f"root@127.0.0.1:{free_port()}")
    with pytest.raises(HostUnreachable, match=r"jump host 127\.0\.0\.1 refuses connections"):
        answers(ssh, trusting(known_hosts))


def test_a_jump_host_that_cannot_reach_the_host(server: Sshd, bastion: Sshd, known_hosts: Path) -> None:
    """A host that the jump host cannot reach is reported as that host's failure."""
    ssh = settings(server, port=free_port(), proxy=f"{bastion.user}@127.0.0.1:{bastion.port}")
    with pytest.raises(HostUnreachable) as caught:
        answers(ssh, trusting(known_hosts))
    assert caught.value.host == "127.0.0.1"


def test_a_proxy_command(server: Sshd, known_hosts: Path, tmp_path: Path) -> None:
    """`ssh.proxy_command` is the way, `%h`, `%p` and `%r` replaced; its process ends with the connection."""
    pid = tmp_path / "pid"
    relay = (
        "import os,socket,sys,threading\n"
        "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n"
        "  while d:=os.read(0,65536): s.sendall(d)\n"
        "  s.shutdown(1)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)\n"
    )
    program = tmp_path / "relay.py"
    program.write_text(f"import os\nopen({str(pid)!r},'w').write(str(os.getpid()))\n{relay}")
    ssh = settings(server, proxy_command=f"python3 {program} %h %p")
    assert answers(ssh, trusting(known_hosts))
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid.read_text()}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_proxy_command_that_fails(server: Sshd, known_hosts: Path) -> None:
    """A ProxyCommand that ends at once is an unreachable host, not a hang."""
    with pytest.raises(HostUnreachable) as caught:
        answers(settings(server, proxy_command="sh -c 'echo no way >&2; exit 1'"), trusting(known_hosts))
    assert caught.value.host == "127.0.0.1"
    assert caught.value.details == ("no way",)


# -- hosts that are not there


def test_a_refused_connection(server: Sshd, known_hosts: Path) -> None:
    """Nothing listens: not retried, host and port named."""
    port = free_port()
    with pytest.raises(HostUnreachable, match=f"refuses connections on port {port}") as caught:
        answers(settings(server, port=port), trusting(known_hosts))
    assert caught.value.hint is not None


def test_an_unknown_name_is_looked_up_again(server: Sshd, known_hosts: Path) -> None:
    """Name look-up is retried `sshkit.dns_retries` times with growing delays, each announced (spec/config.md 11)."""
    events: list[Event] = []
    with pytest.raises(HostUnreachable, match=r"Cannot find the address of no-such-host\.invalid"):
        answers(
            settings(server),
            trusting(known_hosts),
            ["no-such-host.invalid"],
            sshkit=Sshkit(dns_retries=2),
            events=events,
        )
    texts = [event.text for event in events if isinstance(event, Log) and event.level is Level.WARN]
    assert [text.split(" in ")[0] for text in texts] == [
        "Retrying DNS for no-such-host.invalid (attempt 1/2)",
        "Retrying DNS for no-such-host.invalid (attempt 2/2)",
    ]


def test_a_server_that_says_nothing(server: Sshd, known_hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts and stays silent is given up after a while."""
    monkeypatch.setattr("pykamal.transport.connecting.LOGIN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(HostUnreachable, match=r"within 0\.5 seconds"):
            answers(settings(server, port=port), trusting(known_hosts))


def test_a_server_that_is_no_ssh_server(server: Sshd, known_hosts: Path) -> None:
    """Something else behind the port is an unreachable host."""

    async def body() -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
            writer.close()

        web = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = web.sockets[0].getsockname()[1]
        async with Fleet(settings(server, port=port), Bus(), extension=trusting(known_hosts)) as fleet:
            with pytest.raises(HostUnreachable):
                await fleet.session("127.0.0.1")
        web.close()
        await web.wait_closed()

    asyncio.run(body())


@pytest.mark.parametrize(("level", "seen"), [("fatal", False), ("debug", True)])
def test_the_log_level_of_the_ssh_library(server: Sshd, known_hosts: Path, level: str, seen: bool) -> None:
    """`ssh.log_level` lets records of the SSH library through, none by default (spec/config.md 10)."""
    events: list[Event] = []
    answers(settings(server, log_level=level), trusting(known_hosts), events=events)
    assert any(isinstance(event, Log) and "Auth for user" in event.text for event in events) is seen


def test_an_unknown_log_level(server: Sshd, known_hosts: Path) -> None:
    """The message of Ruby Kamal, with the levels that there are (spec/config.md 10)."""
    with pytest.raises(ConfigurationError, match="invalid log level: foo"):
        answers(settings(server, log_level="foo"), trusting(known_hosts))


def test_an_unreadable_known_hosts_file_is_no_empty_one(server: Sshd, known_hosts: Path) -> None:
    """What cannot be read cannot say that a key has changed: refused, whatever the policy."""
    known_hosts.mkdir(parents=True)
    with pytest.raises(HostKeyUnknown, match="Is a directory"):
        answers(settings(server), trusting(known_hosts))


# -- the fleet


def test_concurrent_callers_share_one_connection(server: Sshd, known_hosts: Path) -> None:
    """A host is connected to once a run, whoever asks, and the hook before the first connection runs once."""
    events: list[Event] = []
    hooks: list[int] = []

    async def hook() -> None:
        assert not any(isinstance(event, Connected) for event in events)
        hooks.append(1)
        await asyncio.sleep(0.05)

    async def body() -> None:
        fleet = Fleet(settings(server), Bus(events.append), extension=trusting(known_hosts), on_first_connection=hook)
        async with asyncio.timeout(30), fleet:
            sessions = await asyncio.gather(*(fleet.session("127.0.0.1") for _ in range(5)), fleet.session("localhost"))
            assert len({id(session) for session in sessions[:5]}) == 1
            await sessions[0].run(command("true"))
            assert fleet.exchanges == {"127.0.0.1": 1, "localhost": 0}

    asyncio.run(body())
    assert len(hooks) == 1
    assert sorted(event.host for event in events if isinstance(event, Connected)) == ["127.0.0.1", "localhost"]


def test_a_failing_first_connection_hook_prevents_every_connection(server: Sshd, known_hosts: Path) -> None:
    """The pre-connect hook can veto the run (spec/cli.md 9.2)."""
    before = server.log.count("Accepted publickey")

    async def hook() -> None:
        raise HookFailed("no")

    async def body() -> None:
        fleet = Fleet(settings(server), Bus(), extension=trusting(known_hosts), on_first_connection=hook)
        async with fleet:
            with pytest.raises(HostErrors):
                await fleet.connect_all(["127.0.0.1", "localhost"])

    asyncio.run(body())
    assert server.log.count("Accepted publickey") == before


def test_one_unreachable_host_does_not_hide_another(server: Sshd, known_hosts: Path) -> None:
    """connect_all settles every host and reports each failure; those that are up stay connected (spec/cli.md 6.4).

    Each is named at once, before the others are settled, and labelled by its kind (4.5).
    """
    down = f"127.0.0.1:{free_port()}"
    told: list[str | None] = []

    async def body() -> None:
        bus = Bus(lambda event: told.append(event.host) if isinstance(event, Log) else None)
        fleet = Fleet(settings(server), bus, extension=trusting(known_hosts), sshkit=Sshkit(dns_retries=0))
        async with asyncio.timeout(30), fleet:
            with pytest.raises(HostErrors) as caught:
                await fleet.connect_all(["127.0.0.1", down, "no-such-host.invalid"])
            assert [error.host for error in caught.value.errors] == [down, "no-such-host.invalid"]
            assert [error.label for error in caught.value.errors] == ["Errno::ECONNREFUSED", "SocketError"]
            assert sorted(filter(None, told)) == [down, "no-such-host.invalid"]
            with pytest.raises(KamalError):
                await fleet.session(down)
            assert (await (await fleet.session("127.0.0.1")).run(command("echo", "up"))).captured == "up"

    asyncio.run(body())


def test_no_connection_outlives_a_cancelled_run(server: Sshd, known_hosts: Path) -> None:
    """Leaving the fleet closes everything, also what is still being opened."""

    async def body() -> None:
        async def work() -> None:
            async with Fleet(settings(server), Bus(), extension=trusting(known_hosts)) as fleet:
                await fleet.session("127.0.0.1")
                await asyncio.gather(fleet.session("localhost"), asyncio.sleep(60))

        task = asyncio.create_task(work())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())
    deadline = time.monotonic() + 5
    while _connections(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _connections(server)


def _connections(server: Sshd) -> list[str]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


def test_at_most_so_many_connections_are_opened_at_once(server: Sshd, known_hosts: Path) -> None:
    """`sshkit.max_concurrent_starts` bounds the openings, not the connections (spec/config.md 11)."""
    hosts = [f"{server.user}@127.0.0.1", "127.0.0.1", "localhost", f"127.0.0.1:{server.port}"]
    assert len(answers(settings(server), trusting(known_hosts), hosts, sshkit=Sshkit(max_concurrent_starts=1))) == 4
    assert os.environ.get("SSH_AUTH_SOCK") is None
