"""The operator's terminal."""

from __future__ import annotations

import sys

from pykamal.commands.flags import Interactive


def interactive_flags() -> Interactive:
    """How Docker is asked for an interactive run: with a terminal only when there is one (spec/cli.md 14.4)."""
    return "tty" if sys.stdin.isatty() else "stdin"
