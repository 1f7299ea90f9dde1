"""Error pages: the built-in ones, and a directory's `NNN.html` in the Go template subset of spec/proxy.md 16."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pykamal.proxy.errors import ProxyError

BUILT_IN = {
    401: ("Unauthorized", "This service asks for a user name and a password."),
    403: ("Forbidden", "This service is not open to your address."),
    404: ("Not Found", "Nothing is served at this address."),
    413: ("Content Too Large", "The request is larger than this service accepts."),
    429: ("Too Many Requests", "Your address sends more than this service accepts. Please try again soon."),
    502: ("Bad Gateway", "The application did not give a valid answer."),
    503: ("Service Temporarily Unavailable", "This service is temporarily unavailable. Please try again soon."),
    504: ("Gateway Timeout", "The application did not answer in time."),
}

_LAYOUT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{status} \N{EM DASH} {reason}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-content: center;
  text-align: center; color: #222; background: #fafafa; }}
h1 {{ font-size: 3.5rem; margin: 0; font-weight: 600; }}
p {{ margin: .75rem 2rem; color: #555; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #151515; }} p {{ color: #aaa; }} }}
</style>
</head>
<body><main><h1>{status}</h1><p><strong>{reason}</strong></p><p>{text}</p></main></body>
</html>
"""
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)

Page = Callable[[str], str]
"""Renders with the stop message, which it escapes."""


def built_in(status: int, message: str = "") -> str:
    """One of the pages in BUILT_IN; a message replaces its text."""
    reason, text = BUILT_IN[status]
    return _LAYOUT.format(status=status, reason=reason, text=escape(message) if message else text)


def escape(text: str) -> str:
    """HTML-escapes as Go's html/template does."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def load_pages(directory: str) -> dict[int, Page]:
    """The pages of a directory by status. Raises ProxyError when there is none or one cannot be parsed."""
    if not directory:
        return {}
    try:
        files = sorted(Path(directory).glob("*.html"))
        pages = {path.stem: parse_template(path.read_text()) for path in files}
    except (OSError, ValueError) as problem:
        raise ProxyError("unable to load error pages") from problem
    if not pages:
        raise ProxyError("unable to load error pages")
    return {int(name): page for name, page in pages.items() if name.isdigit()}


def parse_template(text: str) -> Page:
    """A page from text with `{{ .Message }}`, `{{ if .Message }}`, `{{ else }}`, `{{ end }}` and trim marks.

    Raises ValueError for any other action and for unbalanced ones.
    """
    pieces = _tokens(text)
    branch: list[str] = []
    for kind, _ in pieces:
        if kind == "if":
            branch.append("if")
        elif kind == "else":
            if not branch or branch[-1] != "if":
                raise ValueError("unexpected {{else}}")
            branch[-1] = "else"
        elif kind == "end":
            if not branch:
                raise ValueError("unexpected {{end}}")
            branch.pop()
    if branch:
        raise ValueError("unexpected EOF")
    return lambda message: _render(pieces, message)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    trim_next = False
    for action in _ACTION.finditer(text):
        literal = text[position : action.start()]
        tokens.append(("text", _trimmed(literal, left=trim_next, right=bool(action[1]))))
        trim_next = bool(action[3])
        position = action.end()
        tokens.append(_action(action[2]))
    rest = text[position:]
    if "{{" in rest:
        raise ValueError("unclosed action")
    tokens.append(("text", _trimmed(rest, left=trim_next, right=False)))
    return tokens


def _trimmed(text: str, *, left: bool, right: bool) -> str:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _action(body: str) -> tuple[str, str]:
    words = body.split()
    if words == [".Message"]:
        return "message", ""
    if words == ["if", ".Message"]:
        return "if", ""
    if words in (["else"], ["end"]):
        return words[0], ""
    if body.startswith("/*") and body.endswith("*/"):
        return "text", ""
    raise ValueError(f"unsupported action {{{{{body}}}}}")


def _render(tokens: list[tuple[str, str]], message: str) -> str:
    output: list[str] = []
    shown = [True]
    for kind, value in tokens:
        if kind == "if":
            shown.append(bool(message))
        elif kind == "else":
            shown[-1] = not shown[-1]
        elif kind == "end":
            shown.pop()
        elif all(shown):
            output.append(escape(message) if kind == "message" else value)
    return "".join(output)
