"""Escapes for the terminal in what servers, containers and the repository say, seen by a real pseudo terminal."""

from __future__ import annotations

import base64
import re
from contextlib import AbstractContextManager

import pytest

from pykamal.core.printable import is_printable
from tests.e2e.application import KAMAL, Application
from tests.e2e.terminal import CTRL_C, Terminal, terminal

pytestmark = pytest.mark.e2e

HOSTILE = (
    b"\x1b]52;c;c3RvbGVu\x07"  # sets the clipboard
    b"\x1b[2J\x1b[H\x9b2J\xc2\x9b2J"  # clears the screen, in three ways
    b"\xe2\x80\xae\xe2\x81\xa6"  # turns the direction of writing
    b"\r\x1b[1;32m  INFO Finished all\x1b[0m all is well"  # a line like one of ours
)
SHOWN = "\\x1b]52;c;c3RvbGVu\\x07\\x1b[2J"
"""How its beginning is to look."""


@pytest.fixture
def attacked(deployed: Application) -> Application:
    """The application, running, whose server, container and repository say hostile things."""
    host = deployed.hosts[0]
    written = base64.b64encode(HOSTILE + b"\n").decode()
    (container,) = host.docker("ps", "--quiet", "--filter", "label=role=web").split()
    host.docker("exec", "--user", "0", container, "sh", "-c", f"echo {written} | base64 -d > /proc/1/fd/1")
    host.run(["sh", "-c", f"echo {written} | base64 -d >> /root/.kamal/hello-audit.log"])
    details = base64.b64encode(b"Locked by: " + HOSTILE + b"\nVersion: 1\nMessage: " + HOSTILE).decode()
    host.run(["sh", "-c", f"mkdir -p /root/.kamal/lock-hello && echo {details} > /root/.kamal/lock-hello/details"])
    deployed.git("commit", "-q", "--allow-empty", "-m", (b"Fix " + HOSTILE).decode("utf-8", "replace"))
    return deployed


def shown(application: Application, *arguments: str, ends: int | None = 0) -> str:
    """Return a command's output on a terminal, up to its end or to Ctrl-C."""
    with kamal(application, *arguments) as window:
        if ends is None:
            window.expect("all is well")
            window.type(CTRL_C)
        status = window.wait()
    assert status == (130 if ends is None else ends), window.text
    return re.sub(r"\r+\n", "\n", window.received)  # of the terminal, and of ssh's own words


def kamal(application: Application, *arguments: str) -> AbstractContextManager[Terminal]:
    environment = {**application.environment, "KAMAL_COMPLETION_SECONDS": "20"}
    return terminal(str(KAMAL), *arguments, folder=application.folder, environment=environment)


def test_nothing_that_others_say_is_obeyed_by_the_terminal(attacked: Application) -> None:
    """Logs, followed logs, lock, a boot that the lock stops, audit, completion: shown as text, to the last byte.

    What a user asks for as it is shows that the same check would find a hole.
    """
    first = attacked.hosts[0].address
    for arguments, ends in (
        (("app", "logs", "-h", first), 0),
        (("app", "logs", "-h", first, "-f"), None),
        (("lock", "status"), 0),
        (("app", "boot"), 1),
        (("audit",), 0),
        (("audit", "--output", "json"), 0),
        (("__complete", "zsh", "rollback", ""), 0),
        (("__complete", "fish", "rollback", ""), 0),
    ):
        text = shown(attacked, *arguments, ends=ends)
        assert SHOWN in text.replace("\\\\", "\\").replace("\\u00", "\\x"), (arguments, text)
        assert is_printable(text), (arguments, text)
    as_it_is = shown(attacked, "server", "exec", "--raw", "-h", first, "cat .kamal/hello-audit.log")
    assert not is_printable(as_it_is)
