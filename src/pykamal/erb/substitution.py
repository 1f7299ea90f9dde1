"""The methods of strings that search and replace: `=~`, `match`, `scan`, `sub`, `gsub`."""

from __future__ import annotations

import re
from typing import Any

from pykamal.erb.budget import check_items, check_text
from pykamal.erb.conversions import a_text
from pykamal.erb.errors import Unsupported
from pykamal.erb.indexing import group
from pykamal.erb.matcher import Match, Regexp
from pykamal.erb.values import Block, text


def position(receiver: str, pattern: Regexp) -> int | None:
    """Return the start of the first match, like `=~`."""
    match = pattern.search(receiver)
    return None if match is None else match.start


def found(receiver: str, pattern: Any, start: int = 0) -> Match | None:
    if isinstance(pattern, str):
        raise Unsupported("match with a text", "Write /.../ instead of the text.")
    match: Match | None = pattern.search(receiver, start if start >= 0 else start + len(receiver))
    return match


def each_part(receiver: str, parts: list[Any], block: Block | None) -> Any:
    """Return the parts; with a block call it with each and return the receiver."""
    check_items(len(parts))
    if block is None:
        return parts
    for part in parts:
        block(part)
    return receiver


def scanned(receiver: str, pattern: str | Regexp, block: Block | None = None) -> Any:
    if isinstance(pattern, str):
        check_items(receiver.count(pattern) if pattern else len(receiver))
        return each_part(receiver, [pattern] * receiver.count(pattern), block)
    matches = pattern.matches(receiver)
    check_items(len(matches))
    if block is None:
        return [match.groups if match.groups else match.group(0) for match in matches]
    for match in matches:
        pattern.matching.last = match
        block(match.groups if match.groups else match.group(0))
    return receiver


def replaced_all(receiver: str, old: Any, new: Any = None, block: Block | None = None) -> str:
    if isinstance(old, Regexp):
        return _replaced_matches(receiver, old, old.matches(receiver), new, block)
    return _replaced_text(receiver, a_text(old), new, block, -1)


def replaced_first(receiver: str, old: Any, new: Any = None, block: Block | None = None) -> str:
    if isinstance(old, Regexp):
        match = old.search(receiver)
        return receiver if match is None else _replaced_matches(receiver, old, [match], new, block)
    return _replaced_text(receiver, a_text(old), new, block, 1)


def _replaced_text(receiver: str, old: str, new: Any, block: Block | None, most: int) -> str:
    count = receiver.count(old) if most < 0 else min(most, receiver.count(old))
    if block is not None and new is None:
        first, *rest = receiver.split(old, most) if old else [receiver]
        written, length = [first], len(receiver)
        for part in rest:
            written += [text(block(old)), part]
            length += len(written[-2])
            check_text(length)
        return "".join(written)
    inserted = text(new.get(old)) if isinstance(new, dict) else _unescaped(a_text(new), old)
    check_text(len(receiver) + count * len(inserted))
    return receiver.replace(old, inserted, most)


def _unescaped(template: str, found: str) -> str:
    return (
        template
        if "\\" not in template
        else re.sub(r"\\(\\|[0&])", lambda m: "\\" if m[1] == "\\" else found, template)
    )


def _replaced_matches(receiver: str, old: Regexp, matches: list[Match], new: Any, block: Block | None) -> str:
    parts: list[str] = []
    start = length = 0
    for match in matches:
        old.matching.last = match
        found = match.group(0)
        if isinstance(new, dict):
            inserted = text(new.get(found))
        elif new is None and block is not None:
            inserted = text(block(found))
        else:
            inserted = replacement(a_text(new), match)
        parts += [receiver[start : match.start], inserted]
        length += len(inserted)
        check_text(length)
        start = match.end
    return "".join([*parts, receiver[start:]])


def replacement(template: str, match: Match) -> str:
    r"""Return a replacement of `sub` with `\1`, `\0` and `\k<name>` filled in."""
    if "\\" not in template:
        return template

    def filled(reference: re.Match[str]) -> str:
        if reference[1]:
            return group(match, reference[1]) or ""
        which = reference[2]
        if which == "\\":
            return which
        if which in "0&":
            return match.group(0) or ""
        return (match.group(int(which)) or "") if which.isdigit() else reference[0]

    return re.sub(r"\\(?:k<(\w+)>|(.))", filled, template, flags=re.DOTALL)
