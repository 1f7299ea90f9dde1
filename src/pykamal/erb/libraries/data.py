"""The functions of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.conversions import a_text
from pykamal.erb.errors import RubyError
from pykamal.erb.values import as_json, true


def parse_json(content: Any, *_options: Any, symbolize_names: Any = False, **_more: Any) -> Any:
    try:
        return json.loads(a_text(content), object_pairs_hook=_with_symbols if true(symbolize_names) else None)
    except (ValueError, RecursionError):
        shown = a_text(content).strip()[:40]
        message = "unexpected end of input" if not shown else f"unexpected token at '{shown}'"
        raise RubyError(message, "JSON::ParserError") from None


def _with_symbols(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    return {Symbol(name): value for name, value in pairs}


def _pretty_json(value: Any, *_options: Any) -> str:
    return json.dumps(json.loads(as_json(value)), indent=2, ensure_ascii=False)


FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("JSON", "parse"): parse_json,
    ("JSON", "load"): lambda content, **_options: None if content is None else parse_json(content),
    ("JSON", "generate"): lambda value, *_options: as_json(value),
    ("JSON", "dump"): as_json,
    ("JSON", "pretty_generate"): _pretty_json,
}
