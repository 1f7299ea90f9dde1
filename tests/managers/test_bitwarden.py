"""The adapter `bitwarden` with the real `bw`, against a server of the tests.

A call of the program takes seconds, so that the conformance suite runs over a stand-in; what it says is shown here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import reveal
from pykamal.secrets.adapters.bitwarden import Bitwarden
from tests.managers.bitwarden_server import EMAIL, PASSWORD, BitwardenServer

CACHE: Final = Path(__file__).parents[2] / ".cache"
ODD: Final = {
    "lines": "two\nlines\n",
    "quotes": "a'b\"c`",
    "dollars": "$HOME $(id) \\n",
    "spaces": " \tx ",
    "others": "ü € \u2028",
    "nul": "a\0b",
    "large": "hush" * 50_000,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BitwardenServer]:
    with BitwardenServer(tmp_path_factory.mktemp("bitwarden")) as running:
        running.hold("shop", "hush-password", ODD)
        yield running


@pytest.fixture(scope="module")
def logged_in(server: BitwardenServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a vault that is unlocked, by the program itself."""
    environment = {
        "PATH": f"{CACHE}/managers/node_modules/.bin:{CACHE}/editor/bin:{os.environ['PATH']}",
        "NODE_EXTRA_CA_CERTS": str(server.ca),
        "BITWARDENCLI_APPDATA_DIR": str(tmp_path_factory.mktemp("data")),
        "MASTER": PASSWORD,
    }

    def bw(*words: str) -> str:
        done = subprocess.run(
            ["bw", *words], env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    bw("config", "server", server.address)
    session = bw("login", EMAIL, "--passwordenv", "MASTER", "--raw").strip()
    del environment["MASTER"]
    return {**environment, "BW_SESSION": session}


@pytest.fixture
def unlocked(logged_in: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The session, in the environment of the test."""
    for name, value in logged_in.items():
        monkeypatch.setenv(name, value)
    return logged_in["BW_SESSION"]


def fetch(adapter: Bitwarden, *names: str) -> dict[str, str | None]:
    found = adapter.fetch(names, account=EMAIL, source=None)
    return {name: None if value is None else reveal(value) for name, value in found.items()}


def test_the_program_is_understood(unlocked: str) -> None:
    """Its answers have the values as they were encrypted, and what it does not have is told, by one login."""
    adapter = Bitwarden()
    names = [f"shop/{field}" for field in ODD]
    assert fetch(adapter, *reversed(names), "shop") == {
        **{name: ODD[name.removeprefix("shop/")] for name in reversed(names)},
        "shop": "hush-password",
    }
    with pytest.raises(KamalError, match="Could not find field missing in item shop in Bitwarden") as caught:
        fetch(adapter, "shop/missing")
    assert "lines, quotes" in str(caught.value.hint)
    assert "hush" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(KamalError, match="Could not read nothing from Bitwarden") as caught:
        fetch(adapter, "nothing")
    assert "Not found." in caught.value.details


def test_a_locked_vault_and_nobody_to_ask(unlocked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a session the program asks for the password; where nobody answers, the error says what to do in CI."""
    monkeypatch.delenv("BW_SESSION")
    with pytest.raises(KamalError, match="Failed to login to and unlock Bitwarden") as caught:
        fetch(Bitwarden(), "shop")
    assert caught.value.details == ("bw status says locked",)
    assert "BW_SESSION" in str(caught.value.hint)


def test_a_server_that_limits_requests(unlocked: str, server: BitwardenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own complaint is in the error, and the session is not."""
    monkeypatch.setattr(server, "status", 429)
    with pytest.raises(KamalError, match="Failed to sync Bitwarden") as caught:
        fetch(Bitwarden(), "shop")
    assert unlocked not in "\n".join(caught.value.details)


def test_a_wrong_password(unlocked: str, server: BitwardenServer, tmp_path: Path) -> None:
    """The program ends with 1, prints no session, and nothing of the password."""
    environment = {**os.environ, "BITWARDENCLI_APPDATA_DIR": str(tmp_path), "MASTER": "wrong-hush"}
    subprocess.run(["bw", "config", "server", server.address], env=environment, check=True, capture_output=True)
    words = ["bw", "login", EMAIL, "--passwordenv", "MASTER", "--raw"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Invalid master password" in done.stderr
