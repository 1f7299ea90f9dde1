"""Values on the command line of kamal itself are hidden from the machine's process list."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.process]

PROGRAM = """
from pathlib import Path
from pykamal.cli.handlers.exec import hide_values
hide_values({"TOKEN": "hush 'grün'", "A": "1", "EMPTY": ""})
print(Path("/proc/self/cmdline").read_bytes().split(b"\\0")[3:-1])
"""


def test_values_are_overwritten_where_the_kernel_has_them() -> None:
    """Each form of the option; names, and words that only look like values, stay."""
    words = ["-e", "TOKEN:hush 'grün'", "--env=A:1", "EMPTY:", "-eA:1", "--", "hush", "A:12", "1"]
    ended = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    shown = ["-e", f"TOKEN:{'*' * 12}", "--env=A:*", "EMPTY:", "-eA:*", "--", "hush", "A:12", "1"]
    assert ended.stdout == f"{[word.encode() for word in shown]}\n"
