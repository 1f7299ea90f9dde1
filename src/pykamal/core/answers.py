"""Reading what hosts and programs print. Nothing here raises: an answer may be anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def number(text: str) -> int | None:
    """A count, an exit code, a port, a process; None for anything else, numbers of ten digits included."""
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def json_object(text: str) -> Mapping[str, Any]:
    """An object of JSON; an empty one for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return mapping(value)


def mapping(value: object) -> Mapping[str, Any]:
    """A part of JSON that should be an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """A part of JSON that should be an array; an empty one for anything else."""
    return value if isinstance(value, list) else []
