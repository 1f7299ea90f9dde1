"""Settings of a connection in ssh_config and deploy.yml (spec/cli.md 7, spec/config.md 10)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pykamal.config.models import Extension
from pykamal.core.errors import ConfigurationError
from pykamal.events import Event, Log
from tests.e2e.sshd import Sshd, start_sshd
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


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


@pytest.mark.parametrize(
    ("lines", "cipher"),
    [("", "aes128-gcm@openssh.com"), ("Host *\n  Ciphers aes256-ctr\n", "aes256-ctr")],
    ids=["none named", "one named"],
)
def test_ciphers(known_hosts: Path, tmp_path: Path, lines: str, cipher: str) -> None:
    """AES-GCM comes first, as the cheapest here; Ciphers of an ssh configuration count instead (ssh_config(5))."""
    server = start_sshd(tmp_path, log_level="DEBUG1")
    file = tmp_path / "config"
    file.write_text(lines)
    try:
        answers(settings(server, config=(str(file),)), trusting(known_hosts))
        assert re.findall(r"kex: (?:client->server|server->client) cipher: (\S+)", server.log) == [cipher] * 2
    finally:
        server.stop()
