"""The inflections of ActiveSupport that do not depend on its word lists."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.values import Method, text


def _underscored(receiver: str) -> str:
    if not re.search(r"[A-Z-]|::", receiver):
        return receiver
    words = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])", "_", receiver.replace("::", "/"))
    return words.replace("-", "_").lower()


def _camelized(receiver: str, first: Any = None) -> str:
    joined = re.sub(r"(?:_|(/))([a-z\d]*)", lambda m: f"{m[1] or ''}{m[2].capitalize()}", receiver, flags=re.IGNORECASE)
    joined = joined.replace("/", "::")
    if first is not None and text(first) == "lower":
        return re.sub(r"^[A-Z]+?(?=[A-Z_\W]|\b|$|[a-z])", lambda m: m[0].lower(), joined)
    return joined[:1].upper() + joined[1:]


def _parameterized(receiver: str, options: Any = None) -> str:
    given = options if isinstance(options, dict) else {}
    separator = text(given.get(Symbol("separator"), "-"))
    plain = unicodedata.normalize("NFKD", receiver).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^a-zA-Z0-9\-_]+", lambda _: separator, plain)
    if separator:
        quoted = re.escape(separator)
        joined = re.sub(f"(?:{quoted}){{2,}}", lambda _: separator, joined)
        joined = re.sub(f"^(?:{quoted})|(?:{quoted})$", "", joined)
    return joined if given.get(Symbol("preserve_case")) is True else joined.lower()


INFLECTIONS: Final[dict[str, Method]] = {
    "underscore": _underscored,
    "camelize": _camelized,
    "camelcase": _camelized,
    "dasherize": lambda value: value.replace("_", "-"),
    "parameterize": _parameterized,
    "demodulize": lambda value: value.rpartition("::")[2],
    "upcase_first": lambda value: value[:1].upper() + value[1:],
    "downcase_first": lambda value: value[:1].lower() + value[1:],
}
