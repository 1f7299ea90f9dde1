"""The libraries of Ruby's that templates use: JSON, Base64, Digest, SecureRandom, Time and their like."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb import times, uris, versions
from pykamal.erb.budget import check_items
from pykamal.erb.conversions import a_text
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.hashes import DefaultMap
from pykamal.erb.regexps import MAXIMUM_SOURCE
from pykamal.erb.values import Block, as_json, inspected, shell_escaped, text, true
from pykamal.erb.words import words

LIBRARIES: Final = frozenset(
    words(
        "dotenv dotenv/load json yaml psych erb uri date time shellwords open3 base64 cgi cgi/util cgi/escape "
        "digest digest/sha2 securerandom socket etc set pathname ostruct bundler/setup rubygems tempfile "
        "fileutils active_support active_support/core_ext/object/blank active_support/core_ext/hash/keys "
        "active_support/core_ext/string/inflections active_support/core_ext/enumerable English"
    )
)
"""Those whose part that is supported is there without asking; to require them does nothing."""

_LONGEST_RANDOM: Final = 4096
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


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


def _length(count: Any, usual: int) -> int:
    length = usual if count is None else count
    if not isinstance(length, int) or not 0 <= length <= _LONGEST_RANDOM:
        raise RubyError(f"a random text of {inspected(count)} bytes", "ArgumentError")
    return length


def _random_number(most: Any = 0) -> Any:
    if isinstance(most, int) and most > 0:
        return secrets.randbelow(most)
    raise Unsupported("a random number without a whole limit")


def _alphanumeric(count: Any = None) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_length(count, 16)))


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


def _digest(algorithm: str) -> dict[tuple[str, str], Callable[..., Any]]:
    constant = f"Digest::{algorithm}"

    def digested(value: Any) -> Any:
        return hashlib.new(algorithm.lower(), a_text(value).encode("utf-8", "surrogatepass"), usedforsecurity=False)

    return {
        (constant, "hexdigest"): lambda value: digested(value).hexdigest(),
        (constant, "base64digest"): lambda value: base64.b64encode(digested(value).digest()).decode(),
    }


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(a_text(value), validate=False).decode("utf-8", "replace")
    except ValueError:
        return ""


def _strictly_decoded(value: Any) -> str:
    try:
        return base64.b64decode(a_text(value), validate=True).decode("utf-8", "replace")
    except ValueError:
        raise RubyError("invalid base64", "ArgumentError") from None


def _encoded(value: Any) -> str:
    """Lines of sixty characters."""
    encoded = base64.b64encode(a_text(value).encode()).decode()
    return "".join(f"{encoded[start : start + 60]}\n" for start in range(0, len(encoded), 60))


def _form_encoded(value: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text(value), safe="*").replace("~", "%7E")


def _form_decoded(value: Any) -> str:
    from urllib.parse import unquote_plus

    return unquote_plus(a_text(value))


def _url_encoded(value: Any) -> str:
    from urllib.parse import quote

    return quote(text(value), safe="")


def _html_escaped(value: Any) -> str:
    import html

    return html.escape(text(value)).replace("&#x27;", "&#39;")


def _new_list(count: Any = 0, value: Any = None, block: Block | None = None) -> list[Any]:
    if isinstance(count, list):
        return list(count)
    check_items(count)
    return [value] * count if block is None else [block(index) for index in range(count)]


def _escaped_regexp(value: Any) -> str:
    special = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\v": "\\v", " ": "\\ "}
    written = "".join(f"\\{each}" if each in r".*?+^$|\()[]{}-#" else special.get(each, each) for each in a_text(value))
    if len(written) > 4 * MAXIMUM_SOURCE:
        raise RubyError("a regular expression of so many characters", "RegexpError")
    return written


def _shell_joined(words: list[Any]) -> str:
    return " ".join(shell_escaped(text(word)) for word in words)


def _shell_split(line: Any) -> list[str]:
    import shlex

    try:
        return shlex.split(a_text(line))
    except ValueError:
        raise RubyError(f"Unmatched quote: {line}", "ArgumentError") from None


FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("JSON", "parse"): parse_json,
    ("JSON", "load"): lambda content, **_options: None if content is None else parse_json(content),
    ("JSON", "generate"): lambda value, *_options: as_json(value),
    ("JSON", "dump"): as_json,
    ("JSON", "pretty_generate"): _pretty_json,
    ("Base64", "strict_encode64"): lambda value: base64.b64encode(a_text(value).encode()).decode(),
    ("Base64", "encode64"): _encoded,
    ("Base64", "urlsafe_encode64"): lambda value: base64.urlsafe_b64encode(a_text(value).encode()).decode(),
    ("Base64", "decode64"): _decoded,
    ("Base64", "strict_decode64"): _strictly_decoded,
    ("Base64", "urlsafe_decode64"): lambda value: _decoded(a_text(value).replace("-", "+").replace("_", "/")),
    ("Shellwords", "escape"): lambda value: shell_escaped(a_text(value)),
    ("Shellwords", "shellescape"): lambda value: shell_escaped(a_text(value)),
    ("Shellwords", "join"): _shell_joined,
    ("Shellwords", "shelljoin"): _shell_joined,
    ("Shellwords", "split"): _shell_split,
    ("CGI", "escape"): lambda value: _form_encoded(value).replace("*", "%2A").replace("%7E", "~"),
    ("CGI", "unescape"): _form_decoded,
    ("CGI", "escapeHTML"): _html_escaped,
    ("ERB::Util", "url_encode"): _url_encoded,
    ("ERB::Util", "html_escape"): _html_escaped,
    ("URI", "parse"): uris.parse,
    ("URI", "encode_www_form_component"): _form_encoded,
    ("URI", "decode_www_form_component"): _form_decoded,
    ("URI", "encode_uri_component"): lambda value: _form_encoded(value).replace("+", "%20"),
    **_digest("MD5"),
    **_digest("SHA1"),
    **_digest("SHA256"),
    **_digest("SHA384"),
    **_digest("SHA512"),
    ("SecureRandom", "hex"): lambda count=None: secrets.token_hex(_length(count, 16)),
    ("SecureRandom", "uuid"): _uuid,
    ("SecureRandom", "alphanumeric"): _alphanumeric,
    ("SecureRandom", "base64"): lambda count=None: base64.b64encode(secrets.token_bytes(_length(count, 16))).decode(),
    ("SecureRandom", "urlsafe_base64"): lambda count=None: secrets.token_urlsafe(_length(count, 16)),
    ("SecureRandom", "random_number"): _random_number,
    ("Time", "now"): times.now,
    ("Time", "at"): times.at_seconds,
    ("Time", "new"): times.local_time,
    ("Time", "local"): times.local_time,
    ("Time", "mktime"): times.local_time,
    ("Time", "utc"): times.utc_time,
    ("Time", "gm"): times.utc_time,
    ("Date", "today"): times.today,
    ("Date", "new"): times.on_day,
    ("Date", "parse"): times.parse_date,
    ("Date", "iso8601"): times.parse_date,
    ("Gem::Version", "new"): versions.make,
    ("Gem::Version", "create"): versions.make,
    ("Hash", "new"): lambda default=None, block=None: DefaultMap(default, block),
    ("Array", "new"): _new_list,
    ("String", "new"): lambda value="", **_options: a_text(value),
    ("Regexp", "escape"): _escaped_regexp,
    ("Regexp", "quote"): _escaped_regexp,
    ("Set", "new"): lambda items=None: _unique(items),
}


def _unique(items: Any) -> list[Any]:
    from pykamal.erb.indexing import unique
    from pykamal.erb.values import Range

    found = items.items() if isinstance(items, Range) else items or []
    return unique(list(found))
