"""The adapter `sops` with the real program, and keys of age and GnuPG."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError, ToolMissing
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.sops import SETTINGS, Sops
from tests.managers.file_tools import BIN, BYTES, HIDDEN, ODD, AgeKey, Gpg, revealed, run, told


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgeKey:
    """A key that sops finds, in a home that has nothing else; the working directory is the repository."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "no-gpg"))
    monkeypatch.chdir(tmp_path)
    made = AgeKey.make(tmp_path / "key.txt")
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(made.file))
    return made


def encrypt(name: str, content: str | bytes, *recipients: str) -> None:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    run("sops", "encrypt", "--in-place", *recipients, name)


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    return revealed(Sops(Settings(SETTINGS, declared=declared)).fetch(names, account=None, source=source))


def test_every_format(key: AgeKey) -> None:
    """YAML, JSON, dotenv and INI give values by key; any file gives all of itself."""
    encrypt("a.yaml", "db:\n  url: u\n  port: 5\nlist: [x]\nnone: null\n", "--age", key.recipient)
    encrypt("a.json", json.dumps({"a.b": "$1"}), "--age", key.recipient)
    encrypt("a.env", "URL=$HOME\nTWO=one\\nline\n", "--age", key.recipient)
    encrypt("a.ini", "[db]\nurl = in a section\n", "--age", key.recipient)
    encrypt("a.key", BYTES, "--age", key.recipient)
    names = ["a.yaml#db.url", "a.yaml#db.port", "a.yaml#list.0", "a.yaml#none", "a.json#a.b"]
    assert list(fetch(*names, "a.env#URL", "a.env#TWO", "a.ini#db.url", "a.key").values()) == [
        *("u", "5", "x", None, "$1"),
        *("$HOME", "one\nline", "in a section", BYTES.decode(errors="surrogateescape")),
    ]
    assert fetch("db.url", "db", source="a.yaml") == {"a.yaml/db.url": "u", "a.yaml/db": '{"url":"u","port":5}'}
    assert fetch("a.env") == {"a.env": "URL=$HOME\nTWO=one\\nline"}


def test_odd_values_cost_one_decryption(key: AgeKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two hundred values arrive unchanged, and the program runs once for several fetches."""
    encrypt("odd.json", json.dumps(ODD), "--age", key.recipient)
    (tmp_path / "sops").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/runs\nexec {BIN}/sops "$@"\n')
    (tmp_path / "sops").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    adapter = Sops()
    for _ in range(2):
        found = revealed(adapter.fetch(list(ODD), account=None, source="odd.json"))
        assert found == {f"odd.json/{name}": value for name, value in ODD.items()}
    assert (tmp_path / "runs").read_text() == f"--decrypt --output-type json {tmp_path}/odd.json\n"


def test_a_key_of_gnupg(key: AgeKey, gpg: Gpg, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's key decrypts what has no recipient of age."""
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    encrypt(
        "pgp.yaml",
        "a: b\n",
        "--pgp",
        run("gpg", "--list-keys", "--with-colons").decode().split("fpr:")[1].strip(":").split(":")[0],
    )
    assert fetch("pgp.yaml#a") == {"pgp.yaml#a": "b"}
    monkeypatch.setenv("GNUPGHOME", str(gpg.home / "nothing"))
    with pytest.raises(KamalError, match=r"No key on this machine decrypts pgp\.yaml"):
        fetch("pgp.yaml#a")


def test_settings(key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider names the identity's file, or the variable that holds it, and the format of an odd name."""
    encrypt("a.yaml", "a: b\n", "--age", key.recipient)
    Path("a.yaml").rename("secrets.enc")
    monkeypatch.delenv("SOPS_AGE_KEY_FILE")
    assert fetch("secrets.enc#a", age_key_file="~/key.txt", format="yaml") == {"secrets.enc#a": "b"}
    monkeypatch.setenv("CI_KEY", key.text)
    assert fetch("secrets.enc#a", age_key_from="CI_KEY", format="yaml") == {"secrets.enc#a": "b"}
    with pytest.raises(KamalError, match="No key on this machine"):
        fetch("secrets.enc#a", format="yaml")


def test_a_file_that_was_changed(key: AgeKey) -> None:
    """A value that was taken out, or exchanged, is told from a missing key."""
    encrypt("a.yaml", f"a: {HIDDEN}\nb: c\n", "--age", key.recipient)
    text = Path("a.yaml").read_text()
    one, other = text.splitlines()[:2]
    exchanged = text.replace(one[1:], "").replace(other[1:], one[1:]).replace("a\n", f"a{other[1:]}\n", 1)
    for changed in (text.replace(other, ""), exchanged):
        Path("a.yaml").write_text(changed)
        with pytest.raises(KamalError, match=r"a\.yaml was changed after it was encrypted") as caught:
            fetch("a.yaml#a")
        assert HIDDEN not in told(caught.value)


def test_another_key(key: AgeKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where keys are looked for."""
    encrypt("a.yaml", f"a: {HIDDEN}\n", "--age", AgeKey.make(tmp_path / "other.txt").recipient)
    with pytest.raises(KamalError, match=r"No key on this machine decrypts a\.yaml") as caught:
        fetch("a.yaml#a")
    assert "SOPS_AGE_KEY_FILE" in (caught.value.hint or "")
    assert HIDDEN not in told(caught.value)
    assert key.text.splitlines()[-1] not in told(caught.value)


def test_what_is_not_there(key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, a file, an encryption and the program can be missing; the last is found without asking the network."""
    encrypt("a.yaml", f"a: {HIDDEN}\n", "--age", key.recipient)
    Path("plain.yaml").write_text(f"a: {HIDDEN}\n")
    Path("half.yaml").write_text(Path("a.yaml").read_text()[:-200])
    for name, message in {
        "a.yaml#b": r"a\.yaml has nothing at b",
        "gone.yaml#a": r"gone\.yaml cannot be read: No such file",
        "plain.yaml#a": r"plain\.yaml is not encrypted by SOPS",
        "half.yaml#a": r"half\.yaml",
    }.items():
        with pytest.raises(KamalError, match=message) as caught:
            fetch(name)
        assert caught.value.hint
        assert HIDDEN not in told(caught.value)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match="SOPS is not installed"):
        fetch("a.yaml#a")
