"""The functions of Base64, Digest, CGI, ERB::Util and Shellwords, and the encodings of URI."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.conversions import a_text
from pykamal.erb.errors import RubyError
from pykamal.erb.values import shell_escaped, text


def _digest(algorithm: str) -> dict[tuple[str, str], Callable[..., Any]]:
    constant = f"Digest::{algorithm}"

    def digested(value: Any) -> Any:
        import hashlib

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
    """Encode as base64 in lines of sixty characters."""
    encoded = base64.b64encode(a_text(value).encode()).decode()
    return "".join(f"{encoded[start : start + 60]}\n" for start in range(0, len(encoded), 60))


def form_encoded(value: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text(value), safe="*").replace("~", "%7E")


def form_decoded(value: Any) -> str:
    from urllib.parse import unquote_plus

    return unquote_plus(a_text(value))


def _url_encoded(value: Any) -> str:
    from urllib.parse import quote

    return quote(text(value), safe="")


def _html_escaped(value: Any) -> str:
    import html

    return html.escape(text(value)).replace("&#x27;", "&#39;")


def _shell_joined(words: list[Any]) -> str:
    return " ".join(shell_escaped(text(word)) for word in words)


def _shell_split(line: Any) -> list[str]:
    import shlex

    try:
        return shlex.split(a_text(line))
    except ValueError:
        raise RubyError(f"Unmatched quote: {line}", "ArgumentError") from None


FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
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
    ("CGI", "escape"): lambda value: form_encoded(value).replace("*", "%2A").replace("%7E", "~"),
    ("CGI", "unescape"): form_decoded,
    ("CGI", "escapeHTML"): _html_escaped,
    ("ERB::Util", "url_encode"): _url_encoded,
    ("ERB::Util", "html_escape"): _html_escaped,
    **_digest("MD5"),
    **_digest("SHA1"),
    **_digest("SHA256"),
    **_digest("SHA384"),
    **_digest("SHA512"),
}
