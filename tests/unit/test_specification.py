"""The specification in docs/spec: what the code and the tests cite of it exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "docs" / "spec"
_CITATION = re.compile(r"\b(cli|config|proxy|lab)\.md,? (?:sections? |§)?(\d+(?:\.\d+)*)")
_HEADING = re.compile(r"^#+ (\d+(?:\.\d+)*)\.? ", re.MULTILINE)


def sections(document: str) -> set[str]:
    return set(_HEADING.findall((SPECIFICATION / f"{document}.md").read_text()))


def citations() -> Iterator[tuple[str, str, str]]:
    """File and line, document and section of every citation in the code, the tests and the benchmarks."""
    for folder in ("src", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                for document, section in _CITATION.findall(line):
                    yield f"{path.relative_to(ROOT)}:{number}", document, section


def test_every_cited_section_exists() -> None:
    """A reader can look up what a comment or a test stands on."""
    known = {document: sections(document) for document in ("cli", "config", "proxy", "lab")}
    cited = list(citations())
    assert len(cited) > 500, "the pattern finds no citations any more"
    unknown = [
        f"{place}: {document}.md {section}" for place, document, section in cited if section not in known[document]
    ]
    assert unknown == []
