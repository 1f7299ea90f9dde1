"""The catalogue as text for `kamal explain` and as Markdown for the documentation.

`python -m pykamal.core.catalogue.reference docs/diagnostics.md` writes it between the two marks of that file.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pykamal.core.catalogue import subjects
from pykamal.core.diagnostics import Rule

_BEGINNING: Final = "<!-- catalogue: begin -->"
_END: Final = "<!-- catalogue: end -->"
_WIDTH: Final = 100


def overview() -> str:
    """Every identifier with its title, by subject."""
    lines: list[str] = []
    for subject, rules in subjects().items():
        width = max(len(rule.identifier) for rule in rules)
        lines += [f"{subject}:", *(f"  {rule.identifier:{width}}  {rule.title}" for rule in rules), ""]
    return "\n".join([*lines, "kamal explain IDENTIFIER tells what it means and what to do."])


def as_text(rule: Rule) -> str:
    """The whole entry of a rule."""
    paragraphs = [
        f"{rule.identifier} ({rule.severity.value}): {rule.title}",
        _wrapped(rule.explanation),
        _wrapped(f"What to do: {rule.remedy}"),
        "Example:\n" + textwrap.indent(rule.example, "  "),
    ]
    return "\n\n".join(paragraphs)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False, break_long_words=False)


def with_reference(text: str) -> str:
    """A document with its catalogue replaced by the current one."""
    before, _, rest = text.partition(_BEGINNING)
    _, _, after = rest.partition(_END)
    return "\n".join([f"{before}{_BEGINNING}", "", *_markdown(), f"{_END}{after}"])


def _markdown() -> Iterator[str]:
    for subject, rules in subjects().items():
        yield from (f"## {subject}", "")
        for rule in rules:
            yield from (f"### {rule.identifier}", "", f"{rule.title} ({rule.severity.value}).", "")
            yield from (rule.explanation, "", f"*What to do:* {rule.remedy}", "", "```", rule.example, "```", "")


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(with_reference(document.read_text(encoding="utf-8")), encoding="utf-8")
