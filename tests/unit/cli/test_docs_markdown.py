"""The reference in the documentation is that of the tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.docs.cli import with_reference

from pykamal.cli.table import COMMANDS

pytestmark = pytest.mark.unit

DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"


def test_reference_is_current() -> None:
    """`python -m scripts.docs.cli docs/cli.md` would change nothing."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_reference(text) == text


def test_reference_has_every_command() -> None:
    """With its arguments, hidden ones too."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for command in COMMANDS:
        usage = command.usage.removeprefix(f"{command.group} ").replace("|", "\\|")
        assert f"| `{usage}` | " in text
