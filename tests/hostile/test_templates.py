"""A hostile template is ended soon, in little memory, with an error that names place and limit.

Seconds are the processor's own: they say what the template costs, not what else the machine does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.template_attacks import ATTACKS

pytestmark = pytest.mark.hostile

_ROOT = Path(__file__).parents[2]
_PROVEN = [name for name, attack in ATTACKS.items() if attack.unplug is not None]


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, bool], dict[str, Any]]:
    """Run each attack with and without the limits; return the outcomes by name and limits."""
    command = [sys.executable, "-m", "tests.hostile.template_attacks"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(row["name"], row["limited"]): row for row in rows}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(name: str, results: dict[tuple[str, bool], dict[str, Any]]) -> None:
    """Each ends with the limit that it ran into, at a place of the file, or in a bounded time without one."""
    result = results[name, True]
    assert result["seconds"] <= 6
    assert result["mebibytes"] <= 200
    if ATTACKS[name].limit:
        assert re.match(r"deploy\.yml:1:\d+: ", result["outcome"])
        assert re.search(ATTACKS[name].limit, result["outcome"])
    else:
        assert result["outcome"] == "rendered"


@pytest.mark.parametrize("name", _PROVEN)
def test_attacks_without_the_limit_take_the_machine(name: str, results: dict[tuple[str, bool], dict[str, Any]]) -> None:
    """An interpreter without the limit is killed for the same template, which proves that the limit is what helps."""
    result = results[name, False]
    assert result["outcome"] in ("killed", "MemoryError") or result["mebibytes"] > 200
