"""Kamal's way of writing options, put into the form that click understands (spec/cli.md 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pykamal.cli.options import OURS, Kind, Option
from pykamal.core.errors import UsageError

_YES = frozenset({"true", "TRUE", "t", "T"})
_NO = frozenset({"false", "FALSE", "f", "F"})


HANDED_ON = "\0"
"""Stands before a word that looks like an option of ours and is not."""


def plain_form(words: Sequence[str], options: Iterable[Option], *, command_at: int | None = None) -> list[str]:
    """The words with `-o=value` as `-o value`, `--flag=false` as `--no-flag`, and `-e A:1 B:2` as `-e A:1 -e B:2`.

    Words behind `--` are left alone. Raises `UsageError` for a missing value, for a flag's value that is neither true
    nor false, and for a key that is repeated in one go; in a later option it counts, as an alias may have set it.

    `command_at` is the argument with which a command line to run begins, if there is one. Options that Ruby Kamal would
    hand on to it are marked as `HANDED_ON` there.
    """
    return list(_plain(list(words), {form: option for option in options for form in _forms(option)}, command_at))


def _plain(words: list[str], by_form: Mapping[str, Option], command_at: int | None) -> Iterator[str]:
    arguments = 0
    while words:
        word = words.pop(0)
        if word == "--":
            yield from (word, *words)
            return
        name, equals, value = word.partition("=")
        option = by_form.get(name.replace("_", "-")) if word.startswith("-") else None
        if option is not None and option.name in OURS and command_at is not None and arguments > command_at:
            yield HANDED_ON + word
        elif option is None:
            turned_off = _turned_off(name, by_form)
            if turned_off is not None and equals:
                raise UsageError(f"Expected no value for option '{name}'; got \"{value}\"")
            arguments += turned_off is None
            yield word if turned_off is None else f"--no-{turned_off.name}"
        elif option.kind is Kind.FLAG:
            yield _flag(option, name, value) if equals else name
        else:
            if not equals and (not words or _known(words[0], by_form)):
                hint = "-h is --hosts; --help tells about a command" if name == "-h" else None
                raise UsageError(f"No value provided for option '--{option.name}'", hint=hint)
            values = [value if equals else words.pop(0)]
            while words and _continues(option, words[0]):
                values.append(words.pop(0))
            if option.kind is Kind.PAIRS:
                _refuse_repeated(option, values)
            for each in values:
                yield from (name, each)


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
