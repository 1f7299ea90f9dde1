"""Kamal's way of writing options, put into the form that click understands (spec/cli.md 1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pykamal.cli.options import OURS, Kind, Option
from pykamal.core.errors import UsageError

_YES = frozenset({"true", "TRUE", "t", "T"})
_NO = frozenset({"false", "FALSE", "f", "F"})


HANDED_ON = "\0"
"""Stands before a word that looks like an option of ours and is not."""


@dataclass(slots=True)
class Line:
    """The command line that a command is given to run, among its words.

    `at` is the argument with which it begins, None for a command without one. The rest is found out: `literal` counts
    the words behind `--`; `taken` are options of ours behind its first word, `inside` those of them with more of it
    behind; `first` is the place of that word.
    """

    at: int | None = None
    first: int | None = None
    literal: int = 0
    taken: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)


def plain_form(words: Sequence[str], options: Iterable[Option], line: Line | None = None) -> list[str]:
    """The words with `-o=value` as `-o value`, `--flag=false` as `--no-flag`, and `-e A:1 B:2` as `-e A:1 -e B:2`.

    Words behind `--` are left alone. Raises `UsageError` for a missing value, for a flag's value that is neither true
    nor false, and for a key that is repeated in one go; in a later option it counts, as an alias may have set it.

    What Ruby Kamal would hand on to the command line to run is marked as `HANDED_ON`.
    """
    by_form = {form: option for option in options for form in _forms(option)}
    return list(_plain(list(words), by_form, line or Line()))


def _plain(words: list[str], by_form: Mapping[str, Option], line: Line) -> Iterator[str]:
    arguments, count = 0, len(words)
    while words:
        word = words.pop(0)
        inside = line.at is not None and arguments > line.at
        if word == "--":
            line.literal = len(words)
            yield from (word, *words)
            return
        name, equals, value = word.partition("=")
        option = by_form.get(name.replace("_", "-")) if word.startswith("-") else None
        turned_off = _turned_off(name, by_form) if option is None else None
        if turned_off is not None:
            if equals:
                raise UsageError(f"Expected no value for option '{name}'; got \"{value}\"")
            yield f"--no-{turned_off.name}"
        elif option is None:
            if _is_cluster(word, by_form):
                line.taken += [word] if inside else []
            else:
                line.first = count - len(words) - 1 if arguments == line.at else line.first
                line.inside[:] = line.taken
                arguments += 1
            yield word
        elif option.name in OURS and inside:
            yield HANDED_ON + word
        else:
            line.taken += [name] if inside else []
            if option.kind is Kind.FLAG:
                yield _flag(option, name, value) if equals else name
            else:
                yield from _valued(option, name, [value] if equals else [], words, by_form)


def _valued(
    option: Option, name: str, values: list[str], words: list[str], by_form: Mapping[str, Option]
) -> Iterator[str]:
    """An option with its value or values, which are taken from the words that follow unless one stood behind `=`."""
    if not values and (not words or _known(words[0], by_form)):
        hint = "-h is --hosts; --help tells about a command" if name == "-h" else None
        raise UsageError(f"No value provided for option '--{option.name}'", hint=hint)
    values = values or [words.pop(0)]
    while words and _continues(option, words[0]):
        values.append(words.pop(0))
    if option.kind is Kind.PAIRS:
        _refuse_repeated(option, values)
    for each in values:
        yield from (name, each)


def _is_cluster(word: str, by_form: Mapping[str, Option]) -> bool:
    """Whether a word is several short flags in one: `-pq`."""
    letters = word[1:] if re.fullmatch(r"-\w\w+", word) else ""
    return bool(letters) and all(
        (option := by_form.get(f"-{letter}")) is not None and option.kind is Kind.FLAG for letter in letters
    )


def _continues(option: Option, word: str) -> bool:
    """Whether a word is one more value of the option before it."""
    if word.startswith("-"):
        return False
    return option.kind is Kind.WORDS or (option.kind is Kind.PAIRS and ":" in word)


def _known(word: str, by_form: Mapping[str, Option]) -> bool:
    name = word.partition("=")[0]
    return word == "--" or name.replace("_", "-") in by_form or _turned_off(name, by_form) is not None


def _flag(option: Option, name: str, value: str) -> str:
    if value in _YES:
        return name
    if value in _NO:
        return f"--no-{option.name}"
    raise UsageError(f"Expected no value for option '--{option.name}'; got \"{value}\"")


def _turned_off(name: str, by_form: Mapping[str, Option]) -> Option | None:
    """The flag that `--no-FLAG` or `--skip-FLAG` turns off."""
    long = name.replace("_", "-")
    for prefix in ("--no-", "--skip-"):
        option = by_form.get(f"--{long.removeprefix(prefix)}") if long.startswith(prefix) else None
        if option is not None and option.kind is Kind.FLAG:
            return option
    return None


def _refuse_repeated(option: Option, pairs: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for pair in pairs:
        key = pair.partition(":")[0]
        if key in seen:
            raise UsageError(
                f"You can't specify '{key}' more than once in option '--{option.name}'; got {seen[key]} and {pair}"
            )
        seen[key] = pair


def _forms(option: Option) -> tuple[str, ...]:
    return tuple(form.partition(" ")[0] for form in option.forms)
