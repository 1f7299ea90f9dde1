"""The JSON of secret managers' servers. Errors have nothing of it: it may be half an answer, with a value inside."""

from __future__ import annotations

import json
from typing import Any

from pykamal.core.errors import UnexpectedAnswer
from pykamal.secrets.adapters.http import Answer


def document(answer: Answer, server: str) -> dict[str, Any]:
    """Return the object of JSON that an answer is. Raises `UnexpectedAnswer` for anything else."""
    try:
        found = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise not_understood(server) from None
    return found


def not_understood(server: str) -> UnexpectedAnswer:
    """Return the error for an answer that is not as the server's documentation has it."""
    return UnexpectedAnswer(
        f"What answered is not {server}, or it answered with half a document",
        hint="look whether the address is right, and whether a proxy answers in the server's place",
    )
