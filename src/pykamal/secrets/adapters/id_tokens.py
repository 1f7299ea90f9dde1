"""ID tokens of CI systems, by which a job logs in to secret managers without a secret of its own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pykamal.core.answers import json_object
from pykamal.core.sensitive import Sensitive


def unverified_claims(token: Sensitive) -> Mapping[str, Any]:
    """Return what a token in the form of a JWT says of itself, for people to read; nothing of any other token."""
    _, _, rest = token.reveal().partition(".")
    part = rest.partition(".")[0]
    try:
        return json_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode(errors="replace"))
    except ValueError:
        return {}
