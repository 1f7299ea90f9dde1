"""Tokens, and the lexer's tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pykamal.erb.word_lists import words

MAXIMUM_NESTING: Final = 25
MAXIMUM_TOKENS: Final = 20_000

KEYWORDS: Final = frozenset(
    words(
        "if unless elsif else end then do and or not nil true false case when begin rescue ensure while until "
        "for in def next break return retry yield self defined?"
    )
)
VALUE_KEYWORDS: Final = frozenset(["end", "nil", "true", "false", "self"])
"""Keywords that are values, so that an operator may follow."""

REFUSED: Final = frozenset(["class", "module", "alias", "undef", "redo", "BEGIN", "END", "__END__"])

OPERATORS: Final = (
    *("**=", "||=", "&&=", "<=>", "===", "...", "<<="),
    *("==", "!=", ">=", "<=", "&&", "||", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "|=", "**", "=>", "->", "=~", "!~"),
    *("&.", "::", ".."),
    *"+-*/%<>=!?:.,()[]{}|&^~",
)
NUMBER: Final = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?"
)
NAME: Final = re.compile(r"defined\?|[A-Za-z_][A-Za-z0-9_]*[?!](?!=[^=~>])|[A-Za-z_][A-Za-z0-9_]*")
SIGIL_NAME: Final = re.compile(r"@[A-Za-z_][A-Za-z0-9_]*|\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]|[?~!0&])")
SYMBOL: Final = re.compile(
    r":([A-Za-z_][A-Za-z0-9_]*[?!=]?(?!>)|\[\]=?|<=>|===?|=~|\*\*|[+-]@|<<|>>|<=|>=|!=|[+\-*/%<>|&^!])(?!:)"
)
LABEL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*[?!]?):(?!:)")
PERCENT: Final = re.compile(r"%([wWiIqQxrs]?)([(\[{<|!/])")
HEREDOC: Final = re.compile(r"<<([~-]?)(?:([\"'`])([A-Za-z_][A-Za-z0-9_]*)\2|([A-Za-z_][A-Za-z0-9_]*))")
CLOSERS: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}


@dataclass(slots=True, eq=False)
class Token:
    """A token. `kind` is int, float, string, shell, regexp, words, symbols, symbol, label, name, variable, constant,
    keyword, operator, newline, text, output, end.

    The value of a string, shell or symbol token is a list of texts and, for `#{...}`, lists of tokens; that of a regexp
    token is such a list and the flags; that of a words token a list of such lists.
    """

    kind: str
    value: Any
    offset: int
    spaced: bool = False
    ends: int = 0
    """The offset behind the token."""
