"""Host names that an authority can issue for, and that are safe as file names."""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_LONGEST = 253


def is_issuable(host: str) -> bool:
    """Lower-case DNS names of at least two labels; no addresses, no wildcards."""
    if len(host) > _LONGEST or not _NAME.fullmatch(host):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
