"""The adapter `age` with Debian's program and with pyrage, each of which reads what the other wrote."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pykamal.core.errors import DependencyError, KamalError
from pykamal.secrets.adapters import age
from pykamal.secrets.adapters.age import SETTINGS, Age
from pykamal.secrets.adapters.settings import Settings
from tests.managers.file_tools import BYTES, HIDDEN, ODD, AgeKey, revealed, run, told

PYRAGE: Any = importlib.import_module("pyrage")
PATH = os.environ["PATH"]


@pytest.fixture(params=["program", "library"])
def reader(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either the program alone decrypts, or the library alone."""
    monkeypatch.chdir(tmp_path)
    for name in ("AGE_KEY", "AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "library":
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        monkeypatch.setattr(age, "import_extra", lambda *_, **__: pytest.fail("the library was imported"))
    return str(request.param)


@pytest.fixture
def key(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgeKey:
    with monkeypatch.context() as patched:
        patched.setenv("PATH", PATH)
        made = AgeKey.make(tmp_path / "key.txt")
    monkeypatch.setenv("AGE_KEY_FILE", str(made.file))
    return made


@pytest.fixture(scope="module")
def with_passphrase() -> dict[str, bytes]:
    """Files that are encrypted with a passphrase, which takes long on purpose."""
    return {
        "phrase.age": PYRAGE.passphrase.encrypt(HIDDEN.encode(), "x"),
        "armored.age": PYRAGE.passphrase.encrypt(HIDDEN.encode(), "x", armored=True),
    }


def encrypt(name: str, content: bytes, *words: str | Path) -> None:
    run("/usr/bin/age", "--encrypt", *words, "-o", name, stdin=content)


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    return revealed(Age(Settings(SETTINGS, declared=declared)).fetch(names, account=None, source=source))


def test_documents_and_whole_files(key: AgeKey) -> None:
    """The program wrote them, binary and armored; odd values arrive unchanged."""
    encrypt("odd.json.age", json.dumps(ODD).encode(), "-r", key.recipient)
    encrypt(".env.age", b"A='$1'\n", "-r", key.recipient, "--armor")
    encrypt("tls.age", BYTES, "-r", key.recipient)
    assert fetch(*ODD, source="odd.json.age") == {f"odd.json.age/{name}": value for name, value in ODD.items()}
    assert fetch(".env.age#A", ".env.age") == {".env.age#A": "$1", ".env.age": "A='$1'"}
    assert fetch("tls.age") == {"tls.age": BYTES.decode(errors="surrogateescape")}


def test_what_the_library_wrote(key: AgeKey) -> None:
    """Several recipients do not matter, nor does where the identity is."""
    others = [PYRAGE.x25519.Identity.generate().to_public(), PYRAGE.x25519.Recipient.from_str(key.recipient)]
    Path("a.age").write_bytes(PYRAGE.encrypt(b'{"a": "b"}', others))
    assert fetch("a.age#a") == {"a.age#a": "b"}
    assert fetch("a.age#a", key_file="key.txt") == {"a.age#a": "b"}


def test_an_identity_in_a_variable(key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI hands it over; it reaches the program by its standard input."""
    encrypt("a.env.age", b"A=1\n", "-r", key.recipient)
    monkeypatch.setenv("AGE_KEY_FILE", "")
    monkeypatch.setenv("AGE_KEY", key.text.splitlines()[-1])
    assert fetch("a.env.age#A") == {"a.env.age#A": "1"}
    monkeypatch.setenv("CI_KEY", key.text)
    monkeypatch.setenv("AGE_KEY", "")
    assert fetch("a.env.age#A", key_from="CI_KEY") == {"a.env.age#A": "1"}


@pytest.mark.parametrize("kind", [["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"]])
def test_an_ssh_key(kind: list[str], key: AgeKey) -> None:
    """A private key of SSH is an identity."""
    run("/usr/bin/ssh-keygen", "-q", *kind, "-N", "", "-f", "ssh")
    encrypt("a.env.age", b"A=1\n", "-R", "ssh.pub")
    assert fetch("a.env.age#A", key_file="ssh") == {"a.env.age#A": "1"}


def test_passphrases_are_refused(key: AgeKey, with_passphrase: dict[str, bytes]) -> None:
    """For a file, an identity, and a key of SSH in both of its formats: nobody types one in a deploy."""
    encrypt("a.age", HIDDEN.encode(), "-r", key.recipient)
    for file, content in with_passphrase.items():
        Path(file).write_bytes(content)
        with pytest.raises(KamalError, match=f"{file} is encrypted with a passphrase"):
            fetch(file)
    run("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "phrase", "-f", "new")
    run("/usr/bin/ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "phrase", "-f", "old")
    for identity in ("phrase.age", "armored.age", "new", "old"):
        with pytest.raises(KamalError, match="has a passphrase") as caught:
            fetch("a.age", key_file=identity)
        assert HIDDEN not in told(caught.value)


def test_what_does_not_fit(key: AgeKey, tmp_path: Path) -> None:
    """Another identity, one that is none, half a file, and a file that is not encrypted."""
    encrypt("a.age", HIDDEN.encode(), "-r", key.recipient)
    Path("half.age").write_bytes(Path("a.age").read_bytes()[:-5])
    Path("header.age").write_bytes(Path("a.age").read_bytes()[:60])
    Path("plain").write_text(HIDDEN)
    Path("junk").write_text(f"AGE-SECRET-KEY-1{HIDDEN}\n")
    Path("other").write_text(str(PYRAGE.x25519.Identity.generate()))
    for file, identity, message in [
        ("a.age", "other", "age could not decrypt a.age with the identity in"),
        ("a.age", "junk", "age could not decrypt"),
        ("a.age", "plain", "age could not decrypt"),
        ("half.age", "key.txt", "age could not decrypt"),
        ("header.age", "key.txt", "age could not decrypt"),
        ("plain", "key.txt", "plain is not encrypted by age"),
        ("gone.age", "key.txt", "gone.age cannot be read"),
        ("a.age", "gone", "gone cannot be read"),
    ]:
        with pytest.raises(KamalError, match=message) as caught:
            fetch(file, key_file=identity)
        assert caught.value.hint
        assert HIDDEN not in told(caught.value)
        assert key.text.splitlines()[-1] not in told(caught.value)


def test_no_identity(key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where to put one."""
    encrypt("a.age", HIDDEN.encode(), "-r", key.recipient)
    monkeypatch.delenv("AGE_KEY_FILE")
    with pytest.raises(KamalError, match="no age identity") as caught:
        fetch("a.age")
    assert "AGE_KEY_FILE" in (caught.value.hint or "")


def test_neither_program_nor_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both, and how to install each."""
    key = AgeKey.make(tmp_path / "key.txt")
    encrypt(f"{tmp_path}/a.age", b"x", "-r", key.recipient)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(__import__("sys").modules, "pyrage", None)
    with pytest.raises(DependencyError, match="Neither the program age nor the Python package pyrage") as caught:
        fetch(f"{tmp_path}/a.age", key_file=str(key.file))
    assert "pip install 'pykamal[age]'" in (caught.value.hint or "")
