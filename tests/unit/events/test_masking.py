"""Secrets that programs print, in logs that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.sensitive import Sensitive
from pykamal.events import CommandOutput, Level, Log, Message, RunFailed, Stream
from pykamal.events.log_file import LogFile
from pykamal.events.masking import Masked

pytestmark = pytest.mark.unit


def test_secrets_that_programs_print_are_not_kept(tmp_path: Path) -> None:
    """cli.md 6.6 leaves captured output as it is; a log that is kept or sent away holds no secret all the same."""
    known = [Sensitive("true"), Sensitive("pa$$word"), Sensitive("pa$$word of root"), Sensitive("BEGIN-1\nabcdef/+=\n")]
    file = LogFile(str(tmp_path), command="deploy", destination=None, report=print)
    log = Masked(file, lambda: known)
    log(CommandOutput(id="a", host="h", stream=Stream.STDOUT, text="it is true: pa$$word\nroot: pa$$word of root\n"))
    log(CommandOutput(id="a", host="h", stream=Stream.STDOUT, text="  abcdef/+=\n"))
    log(Log(level=Level.ERROR, text="told: pa$$word"))
    log(Message(text="said: pa$$word"))
    log.close(RunFailed(operation="deploy", identifier="x", label="E", message="because of pa$$word"), 1)
    assert file.path.read_text() == (
        " DEBUG [a] \tit is true: [REDACTED]\n"
        " DEBUG [a] \troot: [REDACTED]\n"
        " DEBUG [a] \t  [REDACTED]\n"
        " ERROR told: [REDACTED]\n"
        "said: [REDACTED]\n"
        "# FAILED: E: because of [REDACTED] (1.0s)\n"
    )


def test_secrets_that_become_known_later(tmp_path: Path) -> None:
    """Secrets are read late; looking for them must not be what reads them."""
    known: list[Sensitive] = []
    file = LogFile(str(tmp_path), command="deploy", destination=None, report=print)
    log = Masked(file, lambda: known)
    log(Message(text="hush-hush"))
    known.append(Sensitive("hush-hush"))
    log(Message(text="hush-hush"))
    log.close(None, 1)
    assert file.path.read_text().splitlines()[:2] == ["hush-hush", "[REDACTED]"]
