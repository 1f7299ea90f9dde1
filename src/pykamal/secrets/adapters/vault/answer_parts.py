"""The parts of Vault's answers: JSON that may be anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pykamal.core.answers import json_object, mapping, sequence
from pykamal.core.errors import KamalError
from pykamal.secrets.adapters import server_json
from pykamal.secrets.adapters.http import Answer

_SEALED: Final = re.compile(rb"sealed", re.IGNORECASE)


def document(answer: Answer) -> Mapping[str, Any]:
    """Return an answer's JSON object. Raises `UnexpectedAnswer` for anything else."""
    return server_json.document(answer, "Vault")


def data(answer: Answer) -> Mapping[str, Any]:
    """Return the `data` of an answer, empty where there is none."""
    return mapping(document(answer).get("data"))


def errors(answer: Answer) -> str:
    """Return the errors of an answer. They are not to be shown: a server that lies could echo a secret."""
    if answer.status == 200:
        return ""
    found = sequence(json_object(answer.body.decode("utf-8", "replace")).get("errors"))
    return "\n".join(each for each in found if isinstance(each, str))


def is_sealed(answer: Answer) -> bool:
    """Tell that the server is sealed, or was never initialised: it says the same of both."""
    return answer.status == 503 and _SEALED.search(answer.body) is not None


def not_understood() -> KamalError:
    """Return the error for an answer that is not as Vault's documentation has it."""
    return server_json.not_understood("Vault")
