"""Through jump hosts and proxy commands to a host (spec/cli.md 7)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.core.errors import HostUnreachable
from tests.e2e.sshd import Sshd, free_port, new_key, start_sshd
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


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
    """A ProxyCommand that ends at once is an unreachable host, not a hang; how it ended and what it said is told."""
    with pytest.raises(HostUnreachable) as caught:
        answers(settings(server, proxy_command="sh -c 'echo no way >&2; exit 1'"), trusting(known_hosts))
    assert caught.value.host == "127.0.0.1"
    assert caught.value.details == ("no way",)
    assert caught.value.message == "No SSH connection to 127.0.0.1: the proxy command ended with exit status 1"
