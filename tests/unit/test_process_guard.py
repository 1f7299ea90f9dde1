"""A unit test that starts a program or sleeps without the marker `process` fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.process]

ROOT = Path(__file__).parents[2]
CONFTEST = """
from tests.process_guard import require_process_marker

def pytest_configure(config):
    for line in ("unit: the guard watches these", "process: starts a program or sleeps"):
        config.addinivalue_line("markers", line)
    require_process_marker(config)
"""
TESTS = """
import asyncio, os, subprocess, time
import pytest

pytestmark = pytest.mark.unit

@pytest.fixture
def program():
    subprocess.run(["true"])

def test_a_program():
    subprocess.run(["true"])

def test_a_program_whose_failure_is_swallowed():
    try:
        subprocess.run(["no such program"])
    except OSError:
        pass

def test_a_program_of_a_fixture(program):
    pass

def test_a_program_of_asyncio():
    async def run():
        await (await asyncio.create_subprocess_exec("true")).wait()
    asyncio.run(run())

def test_spawn():
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)

def test_sleep():
    time.sleep(0.001)

def test_sleep_of_asyncio():
    asyncio.run(asyncio.sleep(0.001))

@pytest.mark.process
def test_marked(program):
    subprocess.run(["true"])
    time.sleep(0.001)
    asyncio.run(asyncio.sleep(0.001))

def test_pure():
    asyncio.run(asyncio.sleep(0))
"""


def test_planted_tests_without_the_marker_fail(tmp_path: Path) -> None:
    """Each way to start a program and to sleep is found, in fixtures too; the marked test and the pure one pass."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_planted.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    summary = run.stdout.partition("short test summary info")[2].splitlines()
    results = {line.split("::")[1].split()[0]: line.split()[0] for line in summary if "::" in line}
    wrong = [name for name, result in results.items() if (result == "PASSED") != (name in {"test_marked", "test_pure"})]
    assert len(results) == TESTS.count("def test_"), run.stdout + run.stderr
    assert wrong == [], run.stdout
    assert run.stdout.count("needs the marker `process`") >= len(results) - 2
