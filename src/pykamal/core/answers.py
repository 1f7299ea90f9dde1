"""Parsers for the output of hosts and programs. They never raise: an answer may be anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def number(text: str) -> int | None:
    """Parse a count, an exit code, a port or a process ID of at most nine digits; None for anything else."""
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def json_object(text: str) -> Mapping[str, Any]:
    """Parse a JSON object; an empty mapping for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return mapping(value)


def mapping(value: object) -> Mapping[str, Any]:
    """Return decoded JSON that should be an object; an empty mapping for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """Return decoded JSON that should be an array; an empty list for anything else."""
    return value if isinstance(value, list) else []
