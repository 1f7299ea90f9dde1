"""The adapter `keyring` with a real GNOME Keyring on a D-Bus of its own, and with a keyring in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pykamal.core.errors import DependencyError, KamalError
from pykamal.secrets.adapters import adapter
from tests.managers.file_tools import ODD
from tests.managers.keyring_session import Session


def test_a_real_keyring(gnome: Session) -> None:
    """Odd values arrive unchanged in one run; a missing one and a locked keyring are told, without a value."""
    values = {name: ODD[name] for name in ("lines", "dollars", "empty", "nul", "n1")} | {"long": "x" * 60_000}
    gnome.store(values)
    done = gnome.fetch(*values)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {f"shop/{name}": value for name, value in values.items()}
    done = gnome.fetch("gone")
    assert done.returncode == 1
    assert b"The keyring has no password for gone of shop" in done.stdout + done.stderr
    gnome.lock()
    done = gnome.fetch("lines")
    assert done.returncode == 1
    assert b"The keyring is locked" in done.stdout + done.stderr
    assert b"quote" not in done.stdout + done.stderr


def test_a_keyring_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two hundred values of another keyring of the library; a service may have slashes in it."""
    backend = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring", "HOME": str(tmp_path)}
    session = Session({**backend, "XDG_DATA_HOME": str(tmp_path)})
    values = {name: value for name, value in ODD.items() if name != "long"}
    session.store(values)
    done = session.fetch(*values)
    assert json.loads(done.stdout) == {f"shop/{name}": value for name, value in values.items()}, done.stderr
    done = session.fetch("a", source="https://shop/x")
    assert b"The keyring has no password for a of https://shop/x" in done.stdout + done.stderr
    for name in ("a", "a/", "/a", "a#"):
        with pytest.raises(KamalError, match="names no password in the keyring"):
            adapter("keyring").fetch([name], account=None, source=None)


HANGING = """\
import os, time
from pathlib import Path
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1

    def set_password(self, service, username, password):
        raise AssertionError

    def get_password(self, service, username):
        Path(os.environ["STARTED"]).write_text(str(os.getpid()))
        time.sleep(600)
"""


def test_a_keyring_that_waits_for_a_person(tmp_path: Path) -> None:
    """A prompt that nobody answers ends with the time limit, and so does the process that waits for it."""
    (tmp_path / "hanging_keyring.py").write_text(HANGING)
    started = tmp_path / "started"
    session = Session(
        {
            "HOME": str(tmp_path),
            "PYTHONPATH": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "hanging_keyring.Keyring",
            "KAMAL_SECRETS_SECONDS": "5",
            "STARTED": str(started),
        }
    )
    done = session.fetch("a")
    assert done.returncode == 1
    assert b"The keyring did not answer within 5 seconds" in done.stdout + done.stderr
    assert started.exists(), "the keyring was asked"
    assert not Path(f"/proc/{started.read_text()}").exists()


def test_modules_of_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository cannot bring a keyring of its own."""
    (tmp_path / "keyring.py").write_text("from pathlib import Path\nPath('planted').touch()\n")
    monkeypatch.chdir(tmp_path)
    done = Session({"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}).fetch("a")
    assert done.returncode == 1
    assert not (tmp_path / "planted").exists()


def test_no_keyring(tmp_path: Path) -> None:
    """A machine without a session has none."""
    done = Session({"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}).fetch("a")
    assert done.returncode == 1
    assert b"This machine has no keyring that can be used" in done.stdout + done.stderr


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(DependencyError) as caught:
        adapter("keyring").fetch(["shop/a"], account=None, source=None)
    assert "pip install 'pykamal[keyring]'" in (caught.value.hint or "")
