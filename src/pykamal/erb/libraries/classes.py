"""The constructors of Array, Hash, String and Set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.budget import check_items
from pykamal.erb.conversions import a_text
from pykamal.erb.errors import RubyError
from pykamal.erb.hashes import DefaultMap
from pykamal.erb.indexing import unique
from pykamal.erb.values import Block, Range

_LONGEST_REGEXP: Final = 4000


def _new_list(count: Any = 0, value: Any = None, block: Block | None = None) -> list[Any]:
    if isinstance(count, list):
        return list(count)
    check_items(count)
    return [value] * count if block is None else [block(index) for index in range(count)]


def escaped_regexp(value: Any) -> str:
    special = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\v": "\\v", " ": "\\ "}
    written = "".join(f"\\{each}" if each in r".*?+^$|\()[]{}-#" else special.get(each, each) for each in a_text(value))
    if len(written) > _LONGEST_REGEXP:
        raise RubyError("a regular expression of so many characters", "RegexpError")
    return written


def _unique(items: Any) -> list[Any]:
    return unique(list(items.items() if isinstance(items, Range) else items or []))


FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("Hash", "new"): lambda default=None, block=None: DefaultMap(default, block),
    ("Array", "new"): _new_list,
    ("String", "new"): lambda value="", **_options: a_text(value),
    ("Regexp", "escape"): escaped_regexp,
    ("Regexp", "quote"): escaped_regexp,
    ("Set", "new"): lambda items=None: _unique(items),
}
