"""Implements `URI.parse` and the parts of an address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult, urlsplit

from pykamal.erb.errors import RubyError
from pykamal.erb.libraries.encodings import form_decoded, form_encoded
from pykamal.erb.values import Method, inspected, text

_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ldap": 389, "ldaps": 636, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Uri:
    CLASS: ClassVar[str] = "URI::Generic"
    METHODS: ClassVar[dict[str, Method]] = {}

    written: str
    parts: SplitResult

    def __str__(self) -> str:
        return self.written

    def inspected(self) -> str:
        return f"#<{self.CLASS} {self.written}>"


def parse(value: Any) -> Uri:
    written = text(value)
    try:
        parts = urlsplit(written)
        _ = parts.port
        if any(character.isspace() for character in written) or not written.isascii():
            raise ValueError
    except ValueError:
        raise RubyError(f"bad URI (is not URI?): {inspected(written)}", "URI::InvalidURIError") from None
    return Uri(written, parts)


def _host(value: Uri) -> str | None:
    host = value.parts.netloc.rpartition("@")[2]
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name or None


def _user_info(value: Uri) -> str | None:
    return value.parts.netloc.rpartition("@")[0] or None


_METHODS: Final[dict[str, Method]] = {
    "scheme": lambda value: value.parts.scheme or None,
    "host": _host,
    "hostname": lambda value: None if (host := _host(value)) is None else host.strip("[]"),
    "port": lambda value: value.parts.port or _PORTS.get(value.parts.scheme),
    "path": lambda value: value.parts.path,
    "query": lambda value: value.parts.query or None,
    "fragment": lambda value: value.parts.fragment or None,
    "userinfo": _user_info,
    "user": lambda value: None if (info := _user_info(value)) is None else info.partition(":")[0],
    "password": lambda value: None if (info := _user_info(value)) is None else info.partition(":")[2] or None,
    "to_str": str,
}
Uri.METHODS.update(_METHODS)

FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("URI", "parse"): parse,
    ("URI", "encode_www_form_component"): form_encoded,
    ("URI", "decode_www_form_component"): form_decoded,
    ("URI", "encode_uri_component"): lambda value: form_encoded(value).replace("+", "%20"),
}
