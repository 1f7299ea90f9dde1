"""The adapter `lastpass` with the real `lpass`, as far as it goes without LastPass itself; the rest is a stand-in's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.lastpass import LastPass


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a login, and a proxy that is not there, so that nothing leaves this machine."""
    for name, value in {"HOME": tmp_path, "https_proxy": "http://127.0.0.1:1", "LPASS_DISABLE_PINENTRY": "1"}.items():
        monkeypatch.setenv(name, str(value))


def test_the_status_of_nobody() -> None:
    """The text that is no login, and the exit status, are as the stand-in has them."""
    done = subprocess.run(["lpass", "status", "--color", "never"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "Not logged in.\n")


def test_a_login_that_fails() -> None:
    """The program is there, nobody is logged in, and its own complaint is in the error."""
    with pytest.raises(KamalError, match="Failed to login to LastPass") as caught:
        LastPass().fetch(["one"], account="me@example.test", source=None)
    assert caught.value.details[0] == "lpass exit status: 1"
    assert "connect" in "\n".join(caught.value.details)
    assert "lpass login me@example.test" in str(caught.value.hint)
