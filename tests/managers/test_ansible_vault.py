"""The adapter `ansible_vault` reads what ansible-core writes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.ansible_vault import SETTINGS, AnsibleVault
from pykamal.secrets.adapters.settings import Settings
from tests.managers.file_tools import BYTES, HIDDEN, ODD, revealed, run, told

PASSWORD = "pass word"
TEXTS: Mapping[str, tuple[bytes, str, str]] = {
    "odd.json": (json.dumps(ODD).encode(), PASSWORD, ""),
    "vault.yml": (f"db: {{password: 012}}\na: {HIDDEN}\n".encode(), PASSWORD, ""),
    "tls.key": (BYTES, PASSWORD, ""),
    "lines": (b"a\nb$1\n", PASSWORD, ""),
    "bytes": (b"\xff\xfe", PASSWORD, ""),
    "empty": (b"", PASSWORD, ""),
    "prod.yml": (b"a: b\n", "other", "prod"),
}
"""A text, its password and its vault id, by name."""

ENCRYPT = """\
import base64, json, sys
from ansible.parsing.vault import VaultLib, VaultSecret
made = {}
for name, (text, password, vault_id) in json.load(sys.stdin).items():
    secret = VaultSecret(password.encode())
    made[name] = VaultLib([(vault_id, secret)]).encrypt(base64.b64decode(text), secret, vault_id or None).decode()
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def encrypted() -> Mapping[str, str]:
    """Every text of the tests, encrypted by ansible-core in one process: each start of it takes a second."""
    texts = {name: (base64.b64encode(text).decode(), *rest) for name, (text, *rest) in TEXTS.items()}
    made: dict[str, str] = json.loads(run("python", "-c", ENCRYPT, stdin=json.dumps(texts).encode()))
    return made


@pytest.fixture
def repository(encrypted: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with all of the files, and a file of the password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text in encrypted.items():
        Path(name).write_text(text)
    Path("password").write_text(f" {PASSWORD} \n")
    Path("prod-password").write_text("other\n")
    for name in ("ANSIBLE_VAULT_PASSWORD", "ANSIBLE_VAULT_IDENTITY_LIST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "password")
    return tmp_path


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    return revealed(AnsibleVault(Settings(SETTINGS, declared=declared)).fetch(names, account=None, source=source))


def inline(name: str, text: str) -> str:
    return f"{name}: !vault |\n" + "".join(f"  {line}\n" for line in text.splitlines())


def test_whole_files(repository: Path) -> None:
    """A document gives its values, odd ones too; a file of another kind is itself a value."""
    assert fetch(*ODD, source="odd.json") == {f"odd.json/{name}": value for name, value in ODD.items()}
    assert fetch("vault.yml#db.password", "tls.key", "empty") == {
        "vault.yml#db.password": "012",
        "tls.key": BYTES.decode(errors="surrogateescape"),
        "empty": "",
    }


def test_values_in_a_plain_file(repository: Path, encrypted: Mapping[str, str]) -> None:
    """A value with `!vault` is decrypted when it is asked for, byte for byte; the others are as written."""
    names = ("lines", "bytes", "empty")
    text = "".join(inline(name, encrypted[name]) for name in names)
    Path("vars.yml").write_text(f"plain: 012\n{text}broken: !vault nonsense {HIDDEN}\n")
    assert fetch(*names, "plain", source="vars.yml") == {
        **{f"vars.yml/{name}": TEXTS[name][0].decode(errors="surrogateescape") for name in names},
        "vars.yml/plain": "012",
    }
    with pytest.raises(KamalError, match=r"A value in vars\.yml has another format") as caught:
        fetch("vars.yml#broken")
    assert HIDDEN not in told(caught.value)


def test_the_program_of_ansible(repository: Path) -> None:
    """`ansible-vault encrypt` and `encrypt_string` write no other formats."""
    words = ("--vault-id", "prod@prod-password", "--encrypt-vault-id", "prod")
    run("ansible-vault", "encrypt", *words, "--output", "new.yml", stdin=b"a: b\n")
    assert Path("new.yml").read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    Path("vars.yml").write_bytes(run("ansible-vault", "encrypt_string", "--stdin-name", "k", stdin=b"v\n"))
    assert fetch("new.yml#a", "vars.yml#k", identity_list="prod@prod-password") == {
        "new.yml#a": "b",
        "vars.yml#k": "v\n",
    }


def test_vault_ids(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of the file's vault id is tried first, then the others, as ansible does."""
    with pytest.raises(KamalError, match=r"prod\.yml is encrypted with another password") as caught:
        fetch("prod.yml#a")
    assert caught.value.details == ("its vault id: prod", "passwords tried: default")
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "dev@gone, prod@~/prod-password")
    assert fetch("prod.yml#a") == {"prod.yml#a": "b"}
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "dev@prod-password")
    assert fetch("prod.yml#a") == {"prod.yml#a": "b"}
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "prod@prompt")
    with pytest.raises(KamalError, match="vault id prod is to be asked for"):
        fetch("prod.yml#a")


def test_where_a_password_is(repository: Path, encrypted: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable, a file, a program that runs once, and a client that is told the vault id."""
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    with pytest.raises(KamalError, match=r"vault\.yml needs a password of Ansible Vault") as caught:
        fetch("vault.yml#a")
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in (caught.value.hint or "")
    monkeypatch.setenv("CI_PASSWORD", PASSWORD)
    assert fetch("vault.yml#a", password_from="CI_PASSWORD") == {"vault.yml#a": HIDDEN}
    Path("prints").write_text(f"#!/bin/sh\necho run >> runs\necho '{PASSWORD}'\n")
    Path("prints").chmod(0o755)
    Path("vars.yml").write_text(inline("k", encrypted["lines"]) + inline("l", encrypted["empty"]))
    assert fetch("k", "l", source="vars.yml", password_file="prints") == {"vars.yml/k": "a\nb$1\n", "vars.yml/l": ""}
    assert Path("runs").read_text() == "run\n"
    Path("shop-client.sh").write_text(f'#!/bin/sh\n[ "$*" = "--vault-id prod" ] && echo "{PASSWORD}"\n')
    Path("shop-client.sh").chmod(0o755)
    assert fetch("vault.yml#a", identity_list="prod@./shop-client.sh") == {"vault.yml#a": HIDDEN}
    with pytest.raises(KamalError, match="gave no password"):
        fetch("vault.yml#a", identity_list="dev@./shop-client.sh")


@pytest.mark.parametrize("change", ["digest", "text", "salt", "half", "odd", "empty", "version"])
def test_a_file_that_was_changed(change: str, repository: Path) -> None:
    """Nothing is decrypted before its HMAC is found to be right; what is damaged is told."""
    header, *lines = Path("vault.yml").read_text().splitlines()
    salt, digest, text = bytes.fromhex("".join(lines)).split(b"\n")

    def flipped(part: bytes) -> bytes:
        return (b"1" if part[:1] == b"0" else b"0") + part[1:]

    parts = {
        "digest": [salt, flipped(digest), text],
        "text": [salt, digest, flipped(text)],
        "salt": [flipped(salt), digest, text],
        "half": [salt, digest],
        "odd": [salt, digest, text[:-1]],
    }.get(change, [salt, digest, text])
    body = "" if change == "empty" else b"\n".join(parts).hex()
    Path("vault.yml").write_text(f"{header.replace('1.1', '1.0') if change == 'version' else header}\n{body}\n")
    message = r"vault\.yml (is encrypted with another|is damaged|has another format)"
    with pytest.raises(KamalError, match=message) as caught:
        fetch("vault.yml#a")
    assert caught.value.hint
    assert HIDDEN not in told(caught.value)


def test_passwords_that_are_none(repository: Path) -> None:
    """An empty file, a missing one, and one that is itself encrypted."""
    Path("empty").write_text(" \n")
    for file, message in {
        "empty": "has no password in it",
        "gone": "gone cannot be read",
        "vault.yml": "is itself encrypted by Ansible Vault",
    }.items():
        with pytest.raises(KamalError, match=message) as caught:
            fetch("vault.yml#a", password_file=file)
        assert HIDDEN not in told(caught.value)
    with pytest.raises(KamalError, match="not encrypted by Ansible Vault"):
        fetch("password")
