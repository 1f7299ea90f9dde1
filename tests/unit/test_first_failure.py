"""A run of the tests shows a failure when it happens, also when it is spread over processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
CONFTEST = """
from tests.first_failure import show_failures_at_once

def pytest_configure(config):
    show_failures_at_once(config)
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_number(number):
    print("printed by", number)
    assert number > 1, f"{number} is too small"
"""


@pytest.mark.process
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_failure_is_shown_before_the_summary(tmp_path: Path, options: list[str]) -> None:
    """The first failure comes with its traceback and what it printed, the second as a line, both before the summary."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_numbers.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    at_once = run.stdout.partition("= FAILURES =")[0]
    assert run.returncode == 1, run.stdout + run.stderr
    assert at_once.count("first failure, the run goes on") == 1
    assert at_once.count("is too small") >= 1
    assert len(re.findall(r"^printed by \d$", at_once, re.MULTILINE)) == 1
    assert at_once.count("failed: test_numbers.py::test_number[") == 1
