"""Docstrings are declarative English: none begins as a question or a relative clause (CONTRIBUTING.md, Rules)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "scripts")
RIDDLE = re.compile(
    r"(?:Who|Whose|Whom|What|Whatever|Whether|That|Those|From|Where|Wherever|How|However|Why|Which|Somebody|Someone|"
    r"One who|One that)\b"
)


def docstrings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of a module and of all that it defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", "module"), text


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_are_sentences_about_a_thing(folder: str) -> None:
    """A docstring says what the thing is or does, subject or verb first."""
    riddles = [
        f"{path.relative_to(ROOT)}: {name}: {text.splitlines()[0]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, text in docstrings(ast.parse(path.read_text()))
        if RIDDLE.match(text)
    ]
    assert riddles == []


def test_a_riddle_is_found() -> None:
    """The rule sees module, class and function docstrings; a verb at the beginning passes."""
    source = '"""What is told."""\nclass A:\n    """Those who know."""\n    def f(self):\n        """Return it."""\n'
    assert [name for name, text in docstrings(ast.parse(source)) if RIDDLE.match(text)] == ["module", "A"]
