"""Reads how long a certificate is valid: the one field of it that the control plane needs, without a library for it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_SEQUENCE, _VERSION = 0x30, 0xA0
_FORMATS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
_LONG_LENGTH = 0x80


def validity(pem: str) -> tuple[float, float]:
    """The beginning and the end of the first certificate in `pem`, in seconds since the epoch. Raises ValueError."""
    try:
        data = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 25].strip())
        _, start, _ = _element(data, 0, _SEQUENCE)
        _, position, _ = _element(data, start, _SEQUENCE)
        tag, _, end = _element(data, position)
        if tag == _VERSION:
            position = end
        for _field in ("serial number", "signature algorithm", "issuer"):
            _, _, position = _element(data, position)
        _, position, _ = _element(data, position, _SEQUENCE)
        tag, start, end = _element(data, position)
        next_tag, next_start, next_end = _element(data, end)
        return _moment(tag, data[start:end]), _moment(next_tag, data[next_start:next_end])
    except (IndexError, KeyError) as problem:
        raise ValueError("not a certificate") from problem


def _element(data: bytes, position: int, expected: int | None = None) -> tuple[int, int, int]:
    """Tag, beginning and end of the content of the DER element at `position`."""
    tag, length = data[position], data[position + 1]
    if expected is not None and tag != expected:
        raise ValueError("not a certificate")
    start = position + 2
    if length & _LONG_LENGTH:
        size = length & ~_LONG_LENGTH
        length = int.from_bytes(data[start : start + size])
        start += size
    return tag, start, start + length


def _moment(tag: int, content: bytes) -> float:
    return datetime.strptime(content.decode("ascii"), _FORMATS[tag]).replace(tzinfo=UTC).timestamp()
