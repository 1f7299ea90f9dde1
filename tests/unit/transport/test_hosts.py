"""Host strings, jump hosts, and the arguments of the external ssh (spec/cli.md 7, 7.1)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pykamal.commands.command import command
from pykamal.commands.ssh_client import interactive, proxy_arguments
from pykamal.config.models import Extension, HostKeyPolicy, Ssh
from pykamal.core.errors import ConfigurationError
from pykamal.core.host_strings import HostAddress, parse_host, parse_jumps
from pykamal.transport.client_config import DEFAULT_FILES, config_files
from pykamal.transport.dialing import retry_delay

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("web1", HostAddress("web1")),
        ("deploy@web1", HostAddress("web1", "deploy")),
        ("web1:2222", HostAddress("web1", None, 2222)),
        ("deploy@web1:2222", HostAddress("web1", "deploy", 2222)),
        ("10.0.0.1", HostAddress("10.0.0.1")),
        ("2001:db8::1", HostAddress("2001:db8::1")),
        ("deploy@2001:db8::1", HostAddress("2001:db8::1", "deploy")),
        ("[2001:db8::1]:2222", HostAddress("2001:db8::1", None, 2222)),
        ("[2001:db8::1]", HostAddress("2001:db8::1")),
    ],
)
def test_host_strings(text: str, address: HostAddress) -> None:
    """`user@host` and `host:port` override user and port; IPv6 addresses need brackets only with a port."""
    assert parse_host(text) == address


def test_jump_hosts_are_in_the_order_of_the_way() -> None:
    """`user@host[:port][,host2]` (spec/config.md 10)."""
    assert parse_jumps("root@a, deploy@b:2222") == (HostAddress("a", "root"), HostAddress("b", "deploy", 2222))
    assert parse_jumps("") == ()


TRUST = ["-o", "StrictHostKeyChecking=accept-new", "-a"]


@pytest.mark.parametrize(
    ("ssh", "expected"),
    [
        (Ssh(), ["ssh", *TRUST, "-t", "root@10.0.0.1", "-p", "22", "ls"]),
        (Ssh(config=True), ["ssh", *TRUST, "-t", "root@10.0.0.1", "-p", "22", "ls"]),
        (Ssh(config=False), ["ssh", "-F", "/dev/null", *TRUST, "-t", "root@10.0.0.1", "-p", "22", "ls"]),
        (
            Ssh(config=("a", "b"), proxy="root@gate", proxy_command="ignored"),
            ["ssh", "-F", "a", "-F", "b", "-J", "root@gate", *TRUST, "-t", "root@10.0.0.1", "-p", "22", "ls"],
        ),
        (
            Ssh(user="app", port=2222, proxy_command="nc %h %p", keys=("~/.ssh/a", "b"), keys_only=True),
            [
                *("ssh", "-o", "ProxyCommand=nc %h %p", "-i", "~/.ssh/a", "-i", "b", "-o", "IdentitiesOnly=yes"),
                *(*TRUST, "-t", "app@10.0.0.1", "-p", "2222", "ls"),
            ],
        ),
    ],
)
def test_the_external_ssh(ssh: Ssh, expected: list[str]) -> None:
    """Words and order of spec/cli.md 7.1, then the host key policy, which Ruby Kamal leaves to ssh."""
    assert interactive(ssh, "10.0.0.1", "ls") == expected


@pytest.mark.process
@pytest.mark.parametrize(("forwards", "answer"), [(False, "no"), (True, "yes")])
def test_the_external_ssh_forwards_the_agent_only_where_deploy_yml_says_so(
    tmp_path: Path, forwards: bool, answer: str
) -> None:
    """`ssh/forward_agent` decides, whatever the client configuration says; the real `ssh -G` tells what it would do."""
    config = tmp_path / "config"
    config.write_text(f"ForwardAgent {'no' if forwards else 'yes'}\n")
    program, *arguments = interactive(Ssh(config=(str(config),), forward_agent=forwards), "10.0.0.1", "ls")
    told = subprocess.run([program, "-G", *arguments], capture_output=True, text=True, check=True).stdout
    assert f"forwardagent {answer}" in told.splitlines()


def test_the_command_is_one_word_for_ssh() -> None:
    """The remote line is one argument: ssh hands it to the login shell as it is, quotes included."""
    arguments = interactive(Ssh(), "deploy@web1:2222", command("ls", "-la", "it's"))
    assert arguments[-4:] == ["deploy@web1", "-p", "2222", "ls -la 'it'\"'\"'s'"]


@pytest.mark.parametrize(
    ("extension", "trust"),
    [
        (Extension(), ["StrictHostKeyChecking=accept-new"]),
        (Extension(known_hosts="kh"), ["StrictHostKeyChecking=accept-new", "UserKnownHostsFile=kh"]),
        (Extension(HostKeyPolicy.STRICT), ["StrictHostKeyChecking=yes"]),
        (
            Extension(HostKeyPolicy.PINNED),
            ["StrictHostKeyChecking=yes", "UserKnownHostsFile=.kamal/known_hosts", "GlobalKnownHostsFile=/dev/null"],
        ),
    ],
)
def test_a_terminal_trusts_what_our_connections_trust(extension: Extension, trust: list[str]) -> None:
    """Each host key policy has its form as options of ssh(1)."""
    arguments = interactive(Ssh(), "web1", "ls", extension=extension)
    assert [word for word in arguments if "Host" in word] == trust


@pytest.mark.process
def test_the_tokens_of_a_proxy_command() -> None:
    """`%h %p %r %n` and `%%` are replaced, in one pass (ssh_config(5), TOKENS)."""
    arguments = proxy_arguments("echo %h %p %r %n 100%%h", host="%p", port=22, user="root", name="web1")
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert said == "%p 22 root web1 100%h\n"


def test_client_configuration_files(tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """False reads none, a list exactly those that are there, None and True the default files (spec/cli.md 7)."""
    monkeypatch.setattr("pykamal.transport.client_config.os.access", lambda path, _mode: "missing" not in path)
    assert config_files(False) == ()
    assert config_files(("one", "missing", "two")) == ("one", "two")
    assert len(config_files(None)) == len(config_files(True)) == len(DEFAULT_FILES)


def test_no_client_configuration_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH reads no `./.ssh/config`: it would be the repository's, and can name programs to run."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("ProxyCommand touch ran\n")
    monkeypatch.chdir(tmp_path)
    assert not [
        file for file in config_files(None) if Path(file).is_relative_to(tmp_path) or not Path(file).is_absolute()
    ]
    assert config_files((".ssh/config",)) == (".ssh/config",), "deploy.yml may name it"


@pytest.mark.parametrize(("mode", "accepted"), [(0o600, True), (0o644, True), (0o646, False)])
def test_a_client_configuration_that_others_may_write(
    mode: int, accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSH refuses the user's own file then (ssh_config(5), FILES)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    file = tmp_path / ".ssh" / "config"
    file.write_text("Host *\n")
    file.chmod(mode)
    if accepted:
        assert config_files(None)[0] == str(file)
    else:
        with pytest.raises(ConfigurationError, match=r"Bad owner or permissions on .*\/.ssh/config"):
            config_files(True)


@pytest.mark.parametrize(("attempt", "least"), [(1, 0.1), (2, 0.2), (3, 0.4), (5, 1.6), (6, 2.0), (30, 2.0)])
def test_the_delay_between_look_ups(attempt: int, least: float) -> None:
    """0.1 x 2^(n-1) seconds, at most 2, and up to 0.1 more (spec/config.md 11)."""
    delays = [retry_delay(attempt) for _ in range(50)]
    assert least <= min(delays)
    assert max(delays) <= least + 0.1
