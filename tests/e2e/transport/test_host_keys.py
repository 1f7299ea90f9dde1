"""Trust in the keys of hosts, against a real sshd (spec/cli.md 7)."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from pykamal.config.models import HostKeyPolicy
from pykamal.core.errors import HostKeyChanged, HostKeyUnknown
from pykamal.transport.known_hosts import look_up
from tests.e2e.sshd import Sshd, new_key, start_sshd
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


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


def test_an_unreadable_known_hosts_file_is_no_empty_one(server: Sshd, known_hosts: Path) -> None:
    """An unreadable file hides changed keys, so the connection is refused under every policy."""
    known_hosts.mkdir(parents=True)
    with pytest.raises(HostKeyUnknown, match="Is a directory"):
        answers(settings(server), trusting(known_hosts))
