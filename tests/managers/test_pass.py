"""The adapter `pass` with the real program and keys of GnuPG."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.errors import KamalError, ToolMissing
from pykamal.secrets.adapters.password_store import SETTINGS, PasswordStore
from pykamal.secrets.adapters.settings import Settings
from tests.managers.file_tools import BYTES, HIDDEN, ODD, Gpg, revealed, run, told

PASS = "pass"


@pytest.fixture
def store(gpg: Gpg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own, in a folder that the environment names."""
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    monkeypatch.setenv("PASSWORD_STORE_DIR", str(tmp_path / "store"))
    run(PASS, "init", Gpg.USER)
    return tmp_path / "store"


def insert(entry: str, content: bytes) -> None:
    run(PASS, "insert", "--multiline", "--force", entry, stdin=content)


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    return revealed(PasswordStore(Settings(SETTINGS, declared=declared)).fetch(names, account=None, source=source))


def test_passwords_fields_and_whole_entries(store: Path) -> None:
    """The first line is the password, `#FIELD` a line below it, `#*` all of the entry."""
    insert("shop/web", b"pa$$ w'ord\nuser: ada\nurl:  https://x:1/#a \nnote\n")
    insert("shop/tls", b"-----BEGIN-----\nx\n-----END-----\n")
    assert list(fetch("web", "web#user", "web#url", "tls#*", source="shop").items()) == [
        ("shop/web", "pa$$ w'ord"),
        ("shop/web#user", "ada"),
        ("shop/web#url", "https://x:1/#a"),
        ("shop/tls#*", "-----BEGIN-----\nx\n-----END-----"),
    ]


def test_odd_values(store: Path) -> None:
    """Line breaks are kept by `#*`; other encodings arrive as they are."""
    for name in ("lines", "dollars", "empty", "long"):
        insert(name, ODD[name].encode() + b"\n")
        assert fetch(f"{name}#*") == {f"{name}#*": ODD[name]}
    insert("bytes", BYTES)
    assert fetch("bytes") == {"bytes": BYTES.decode(errors="surrogateescape")}


def test_an_entry_is_decrypted_once(store: Path) -> None:
    """For all of its fields, and for several fetches of a run: what becomes of it then does not matter."""
    insert("a", "".join(f"n{number}: {number}\n" for number in range(-1, 200)).encode())
    adapter = PasswordStore()
    for _ in range(2):
        found = revealed(adapter.fetch([f"a#n{number}" for number in range(200)], account=None, source=None))
        assert list(found.values()) == [str(number) for number in range(200)]
        (store / "a.gpg").unlink(missing_ok=True)


def test_what_is_not_there(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing entry, a folder (of which pass prints the tree), a missing field, and the missing program."""
    insert("shop/web", f"{HIDDEN}\nuser: {HIDDEN}\n".encode())
    for name, message in {
        "shop/none": "pass has no entry shop/none",
        "shop": "pass has no entry shop$",
        "": "pass has no entry",
        "a\0b": "pass has no entry",
        "shop/web#url": "shop/web in pass has no field url",
    }.items():
        with pytest.raises(KamalError, match=message) as caught:
            fetch(name)
        assert caught.value.hint
        assert HIDDEN not in told(caught.value)
    assert fetch("shop/web", store=str(store)) == {"shop/web": HIDDEN}
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match="pass is not installed"):
        fetch("shop/web")


def test_a_locked_key(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that can ask nobody ends in an error that says how to unlock the key; so does a foreign key."""
    locked = Gpg("phrase")
    try:
        monkeypatch.setenv("GNUPGHOME", str(locked.home))
        run(PASS, "init", Gpg.USER)
        insert("a", HIDDEN.encode())
        with pytest.raises(KamalError, match="pass could not decrypt a") as caught:
            fetch("a")
        assert "is locked" in (caught.value.hint or "")
        assert caught.value.details[0] == "pass exit status: 2"
        assert HIDDEN not in told(caught.value)
    finally:
        locked.close()
