"""Finds the programs of a shell line that are not installed, without running it."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from typing import Final

_BUILT_IN: Final = """
. : [ alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs local printf pwd read
readonly return set shift test times trap true type ulimit umask unalias unset wait
""".split()  # noqa: SIM905 - a list that is read as one
_KEYWORDS: Final = {*"! { } if then else elif fi do done while until for case esac in function".split()}  # noqa: SIM905
_CHANGES_WHAT_IS_FOUND: Final = frozenset({".", "source", "alias", "cd", "eval", "export", "unalias", "unset"})
_NAME: Final = re.compile(r"[\w./+-]+", re.ASCII)
_ASSIGNMENT: Final = re.compile(r"\w+=", re.ASCII)
_BETWEEN: Final = frozenset({"|", "&&", ";", "&"})


def missing_programs(line: str, path: str) -> Iterator[str]:
    """Yield the programs that the line begins, or continues behind `|`, `&&` and `;`, and that `path` has not.

    What cannot be told for sure is left out: compound commands, functions, words with `$`, and a line with `||`, which
    has something else to do where a program is missing. So is what comes behind a file that is read, another directory
    or another PATH. `kamal secrets` is no program here.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # a quote is not closed, of which the shell will tell
        return
    if not _KEYWORDS.isdisjoint(words) or any("(" in word or "||" in word or "`" in word for word in words):
        return
    begins = True
    for index, word in enumerate(words):
        if word in _BETWEEN:
            begins = True
        elif begins and (word in _CHANGES_WHAT_IS_FOUND or word.startswith("PATH=")):
            return
        elif begins and not _ASSIGNMENT.match(word):
            begins = False
            own = words[index : index + 2] == ["kamal", "secrets"]
            if _NAME.fullmatch(word) and word not in _BUILT_IN and not own and shutil.which(word, path=path) is None:
                yield word
