"""The external ssh beyond the words of spec/cli.md 7.1: keys in no file, jump hosts with trust of their own."""

from __future__ import annotations

import shlex

import pytest

from pykamal.commands.ssh_client import interactive, with_agent
from pykamal.config.models import Extension, HostKeyPolicy, Ssh

pytestmark = pytest.mark.unit

PINNED = Extension(HostKeyPolicy.PINNED)
TRUST = [
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "UserKnownHostsFile=.kamal/known_hosts",
    "-o",
    "GlobalKnownHostsFile=/dev/null",
]
END = ["-a", "-t", "root@10.0.0.1", "-p", "22", "ls"]


def test_without_a_terminal_here_none_is_asked_for_there() -> None:
    """spec/cli.md 19: `-t` is for people; ssh would refuse it in a pipe, and say so."""
    arguments = interactive(Ssh(), "10.0.0.1", "ls", terminal=False)
    assert arguments == ["ssh", "-o", "StrictHostKeyChecking=accept-new", "-a", "root@10.0.0.1", "-p", "22", "ls"]


def test_what_reads_nothing_gets_a_terminal_all_the_same() -> None:
    """It ends with its terminal when the connection does, and not at its next line; the lines stay as they are."""
    arguments = interactive(Ssh(), "10.0.0.1", "docker logs -f x", terminal=False, reads=False)
    line = "stty -opost 2> /dev/null ; docker logs -f x"
    assert arguments[-6:] == ["-n", "-tt", "root@10.0.0.1", "-p", "22", line]
    assert interactive(Ssh(), "10.0.0.1", "ls", reads=False)[-6:] == END


@pytest.mark.parametrize(
    ("ssh", "keys"),
    [
        (Ssh(), "-o IdentityAgent=SSH_AUTH_SOCK"),
        (Ssh(keys_only=True), "-o IdentityFile=none -o IdentityAgent=SSH_AUTH_SOCK"),
        (Ssh(keys_only=True, keys=("a",)), "-i a -o IdentityAgent=SSH_AUTH_SOCK"),
    ],
)
def test_keys_of_an_agent_of_our_own(ssh: Ssh, keys: str) -> None:
    """Our agent takes precedence over that of the client configuration; `keys_only` offers no other key."""
    arguments = interactive(ssh, "10.0.0.1", "ls", extension=PINNED, agent_has_keys=True)
    assert arguments == ["ssh", *keys.split(), *TRUST, *END]


def test_a_program_with_an_agent_of_its_own() -> None:
    """No key is in an argument; the program is the same process, so its exit status is the agent's command's."""
    assert with_agent(["ssh", "-t", "it's"], [3, 5]) == [
        *("ssh-agent", "sh", "-c", 'ssh-add -q - < /dev/fd/3; ssh-add -q - < /dev/fd/5; exec "$@"'),
        *("sh", "ssh", "-t", "it's"),
    ]


def test_a_jump_host_with_trust_of_its_own() -> None:
    """`ssh -J` would check the jump host's key against other files than the configuration pins."""
    arguments = interactive(
        Ssh(proxy="ops@gate:2222", config=("a b",), keys=("k",)), "10.0.0.1", "ls", extension=PINNED
    )
    jump = shlex.join(["ssh", "-F", "a b", "-i", "k", *TRUST, "-l", "ops", "-p", "2222", "-W", "%h:%p", "gate"])
    assert arguments == ["ssh", "-F", "a b", "-o", f"ProxyCommand={jump}", "-i", "k", *TRUST, *END]


def test_several_jump_hosts() -> None:
    """Each is reached through those before it; ssh replaces `%h` in the outer line only."""
    arguments = interactive(Ssh(proxy="root@a,root@b"), "10.0.0.1", "ls", extension=PINNED)
    inner = shlex.join(["ssh", *TRUST, "-l", "root", "-W", "%%h:%%p", "a"])
    outer = shlex.join(["ssh", "-o", f"ProxyCommand={inner}", *TRUST, "-l", "root", "-W", "%h:%p", "b"])
    assert arguments == ["ssh", "-o", f"ProxyCommand={outer}", *TRUST, *END]
