"""Finds the command that a word abbreviates, or suggestions for it (spec/cli.md 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final

from pykamal.core.errors import UsageError


def resolve(
    word: str,
    names: Iterable[str],
    hidden: Container[str] = (),
    *,
    is_alias: Callable[[str], bool] | None = None,
    yielding: Container[str] = (),
    elsewhere: Callable[[str], Sequence[str]] = lambda _: (),
) -> str | None:
    """Return the command's name, or None for an alias.

    An exact name wins, then an alias, then the beginning of one visible name, where `yielding` ones count only if there
    are no others; `-` is as good as `_`. Raises `UsageError` for a word that begins several names, or none.
    """
    names = sorted(names)
    wanted = _underscored(word)
    if wanted in names or wanted in hidden:
        return wanted
    if is_alias is not None and is_alias(word):
        return None
    begun = _begun(wanted, names, yielding)
    if len(begun) > 1:
        raise UsageError(f"Ambiguous command {word} matches [{', '.join(begun)}]")
    if not begun:
        raise UsageError(f'Could not find command "{word}".', hint=_advice(wanted, names, elsewhere(wanted)))
    return begun[0]


_CUSTOMARY_ALIASES: Final = {
    "console": "bin/console",
    "shell": "sh",
    "bash": "bash",
    "dbc": "bin/dbconsole",
}
"""Names that most deploy files define as aliases, with a program for the example."""


def _advice(word: str, names: Iterable[str], elsewhere: Sequence[str]) -> str | None:
    if elsewhere:
        return _did_you_mean(elsewhere)
    program = _CUSTOMARY_ALIASES.get(word)
    if program is not None:
        example = f"aliases: {{{word}: app exec --interactive --reuse {program}}}"
        return f'"{word}" is usually an alias, which this configuration has not. In deploy.yml: {example}'
    return suggestion(word, names)


def begins_one(word: str, names: Iterable[str], yielding: Container[str] = ()) -> bool:
    """Return True where `resolve` takes a word for the beginning of a name."""
    return len(_begun(_underscored(word), names, yielding)) == 1


def _begun(wanted: str, names: Iterable[str], yielding: Container[str]) -> list[str]:
    begun = [name for name in names if wanted and name.startswith(wanted)]
    return [name for name in begun if name not in yielding] or begun


def _underscored(word: str) -> str:
    return word.replace("-", "_")


def suggestion(word: str, names: Iterable[str]) -> str | None:
    """`Did you mean?` and the nearest name, with others that are as near as typing errors are; None for none."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), by_lower, cutoff=0.8) or get_close_matches(word.lower(), by_lower, n=1)
    if not near:
        return None
    return _did_you_mean([by_lower[name] for name in near])


def _did_you_mean(names: Sequence[str]) -> str:
    question = "Did you mean?  "
    return question + f"\n{' ' * len(question)}".join(f'"{name}"' for name in names)
