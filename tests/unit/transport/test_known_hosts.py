"""known_hosts files are read and extended as OpenSSH does (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import multiprocessing
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.transport.known_hosts import add, fingerprint, host_name, look_up, negotiable

pytestmark = pytest.mark.unit

KIND = "ssh-ed25519"


def blob(number: int) -> bytes:
    name = KIND.encode()
    key = bytes([number]) * 32
    return len(name).to_bytes(4, "big") + name + len(key).to_bytes(4, "big") + key


def text(number: int) -> str:
    return f"{KIND} {base64.b64encode(blob(number)).decode()}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


@pytest.mark.parametrize(
    ("patterns", "host", "port", "known"),
    [
        ("web1", "web1", 22, True),
        ("web1", "WEB1", 22, True),
        ("WEB1", "web1", 22, True),
        ("web1,10.0.0.1", "10.0.0.1", 22, True),
        ("web1", "web10", 22, False),
        ("*.example.com", "a.example.com", 22, True),
        ("*.example.com,!b.example.com", "b.example.com", 22, False),
        ("!b.example.com,*.example.com", "b.example.com", 22, False),
        ("web?", "web1", 22, True),
        ("[web1]:2222", "web1", 2222, True),
        ("[web1]:2222", "web1", 22, False),
        ("[web1]:2222", "web1", 2223, False),
        ("[*.example.com]:2222", "a.example.com", 2222, True),
        ("2001:db8::1", "2001:db8::1", 22, True),
        ("10.0.0.0/8", "10.0.0.1", 22, False),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222, True),
    ],
)
def test_patterns(file: Path, patterns: str, host: str, port: int, known: bool) -> None:
    """Names, lists, wildcards, negation and ports in the host field; a network is no host there."""
    file.write_text(f"{patterns} {text(1)} a comment\n")
    assert bool(look_up([str(file)], host, port).keys) is known


@pytest.mark.process
def test_openssh_agrees_on_what_is_known(file: Path) -> None:
    """`ssh-keygen -F` finds the same lines in the same file."""
    file.write_text(
        f"# comment\n\nweb1,web2 {text(1)}\n[web1]:2222 {text(2)}\n*.example.com,!no.example.com {text(3)}\n"
        f"@revoked * {text(4)}\n@cert-authority *.example.com {text(5)}\nbroken line\n|1|bad|bad {text(6)}\n"
        f"10.0.0.0/8 {text(7)}\n@unknown web1 {text(8)}\n  web1 {text(9)} behind spaces\n"
    )
    for name, host, port in [
        ("web1", "web1", 22),
        ("[web1]:2222", "web1", 2222),
        ("a.example.com", "a.example.com", 22),
        ("no.example.com", "no.example.com", 22),
        ("10.0.0.1", "10.0.0.1", 22),
        ("other", "other", 22),
    ]:
        knowledge = look_up([str(file)], host, port)
        ours = {entry.line for entry in (*knowledge.keys, *knowledge.authorities, *knowledge.revoked)}
        listed = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, text=True, check=False
        )
        theirs = {int(line.split()[5]) for line in listed.stdout.splitlines() if line.startswith("# Host")}
        assert ours == theirs, name


def test_a_key_of_the_default_port_is_trusted_but_contradicts_nothing(file: Path) -> None:
    """A host known at port 22 may show the same key at another port; another key there is new, not changed."""
    file.write_text(f"web1 {text(1)}\n")
    knowledge = look_up([str(file)], "web1", 2222)
    assert knowledge.trusts(blob(1))
    assert not knowledge.trusts(blob(2))
    assert knowledge.keys == ()


def test_entries_know_their_place(file: Path) -> None:
    """The refusal of a changed key names file and line."""
    file.write_text(f"# first\nother {text(1)}\nweb1 {text(2)}\n")
    (entry,) = look_up([str(file)], "web1", 22).keys
    assert entry.place == f"{file}:3"
    assert entry.fingerprint == fingerprint(blob(2))


@pytest.mark.process
def test_the_fingerprint_is_that_of_openssh(file: Path) -> None:
    """`SHA256:` and base64, as `ssh-keygen -l` shows it."""
    file.write_text(text(7) + "\n")
    shown = subprocess.run(["ssh-keygen", "-lf", str(file)], capture_output=True, text=True, check=True).stdout
    assert fingerprint(blob(7)) == shown.split()[1]


def test_missing_files_know_nothing(file: Path) -> None:
    """A file that is not there is no error."""
    assert look_up([str(file)], "web1", 22).keys == ()


@pytest.mark.process
@pytest.mark.parametrize("host", ["web1", "2001:db8::1", "Web.Example.COM"])
@pytest.mark.parametrize("port", [22, 2222])
@pytest.mark.parametrize("hashed", [False, True])
def test_what_was_added_is_found(file: Path, host: str, port: int, hashed: bool) -> None:
    """By us and by `ssh-keygen -F`, plain and hashed."""
    if hashed:
        file.write_text(f"other {text(9)}\n")
        subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)
    add(str(file), host, port, KIND, blob(1))
    assert look_up([str(file)], host, port).trusts(blob(1))
    assert (host.lower() in file.read_text()) is not hashed
    name = host_name(host, port)
    found = subprocess.run(["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, check=False)
    assert found.returncode == 0


def test_adding_twice_adds_once(file: Path) -> None:
    """A key that is there already is not added again, and a last line without its end stays whole."""
    file.write_text(f"other {text(2)}")
    add(str(file), "web1", 22, KIND, blob(1))
    add(str(file), "web1", 22, KIND, blob(1))
    assert file.read_text() == f"other {text(2)}\nweb1 {text(1)}\n"


def _add_one(arguments: tuple[str, int]) -> None:
    path, number = arguments
    add(path, f"web{number}", 22, KIND, blob(number))
    add(path, "shared", 22, KIND, blob(200))


def test_several_processes_add_without_loss(file: Path) -> None:
    """The file is extended under a lock: no line is lost or mixed, none is there twice."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_add_one, [(str(file), number) for number in range(20)])
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted([f"web{number} {text(number)}" for number in range(20)] + [f"shared {text(200)}"])


def test_a_device_is_no_place_to_remember(file: Path) -> None:
    """`UserKnownHostsFile /dev/null` means: forget. It is no error."""
    add("/dev/null", "web1", 22, KIND, blob(1))
    assert look_up(["/dev/null"], "web1", 22).keys == ()


def test_rsa_keys_are_asked_for_by_their_signatures() -> None:
    """`ssh-rsa` is the key's type; its signatures are SHA-2 ones (RFC 8332)."""
    assert negotiable(["ssh-rsa", "ssh-ed25519"]) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_no_line_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
    """The other entries are read, for any line in the file."""
    file = tmp_path_factory.getbasetemp() / "any_known_hosts"
    file.write_text(f"{line}\nweb1 {text(1)}\n", "utf-8")
    assert look_up([str(file)], "web1", 22).trusts(blob(1))


def test_a_key_of_impossible_numbers_is_passed_over(file: Path) -> None:
    """An RSA key with a negative exponent is read as no key, and the line behind it counts."""
    words = [b"ssh-rsa", b"\xff\x01", b"\x00" + b"\xc1" * 256]
    impossible = base64.b64encode(b"".join(len(word).to_bytes(4, "big") + word for word in words)).decode()
    file.write_text(f"web1 ssh-rsa {impossible}\nweb1 {text(1)}\n")
    assert [entry.line for entry in look_up([str(file)], "web1", 22).keys] == [2]
