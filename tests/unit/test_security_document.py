"""SECURITY.md: the tests that it names as proof of its mitigations exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`")


def named_tests(text: str) -> list[tuple[str, str]]:
    """File and function of each test; a function alone is of the file before it, a file alone has no function."""
    found: list[tuple[str, str]] = []
    for file, function in _NAMED.findall(text):
        if file or function:
            found.append((file or found[-1][0], function))
    return found


def test_each_named_test_exists() -> None:
    """A mitigation without a test is a promise."""
    named = named_tests((ROOT / "SECURITY.md").read_text())
    assert len(named) > 20, "the pattern finds no tests any more"
    missing = [
        f"{file}::{function}"
        for file, function in named
        if not (ROOT / file).is_file() or (function and f"def {function}(" not in (ROOT / file).read_text())
    ]
    assert missing == []


def test_a_test_that_is_gone_would_be_missed() -> None:
    """The pattern reads files, files with a function, and further functions of the same file."""
    assert named_tests("`tests/a.py`, `tests/b.py::test_x`, `::test_y`") == [
        ("tests/a.py", ""),
        ("tests/b.py", "test_x"),
        ("tests/b.py", "test_y"),
    ]
