"""Kamal's way of writing options, put into the form that click understands (spec/cli.md 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pykamal.cli.options import Kind, Option
from pykamal.core.errors import UsageError

_YES = frozenset({"true", "TRUE", "t", "T"})
_NO = frozenset({"false", "FALSE", "f", "F"})


def plain_form(words: Sequence[str], options: Iterable[Option]) -> list[str]:
    """The words with `-o=value` as `-o value`, `--flag=false` as `--no-flag`, and `-e A:1 B:2` as `-e A:1 -e B:2`.

    Words behind `--` are left alone. Raises `UsageError` for a missing value, for a flag's value that is neither true
    nor false and for a repeated key.
    """
    return list(_plain(list(words), {form: option for option in options for form in _forms(option)}))


def _plain(words: list[str], by_form: Mapping[str, Option]) -> Iterator[str]:
    pairs: dict[str, dict[str, str]] = {}
    while words:
        word = words.pop(0)
        if word == "--":
            yield from (word, *words)
            return
        name, equals, value = word.partition("=")
        name = _negative(name, by_form)
        option = by_form.get(name.replace("_", "-")) if word.startswith("-") else None
        if option is None:
            yield name + equals + value
        elif option.kind is Kind.FLAG:
            yield name if not equals else _flag(option, name, value)
        elif option.kind in (Kind.PAIRS, Kind.WORDS):
            found = [value] if equals else []
            while words and _continues(option, words[0]):
                found.append(words.pop(0))
            if not found:
                yield name
            for each in found:
                if option.kind is Kind.PAIRS:
                    _note(option, pairs.setdefault(option.name, {}), each)
                yield from (name, each)
        elif equals:
            yield from (name, value)
        else:
            if not words or _known(words[0], by_form):
                raise UsageError(f"No value provided for option '--{option.name}'")
            yield from (name, words.pop(0))


def _continues(option: Option, word: str) -> bool:
    return not word.startswith("-") and (option.kind is Kind.WORDS or ":" in word)


def _known(word: str, by_form: Mapping[str, Option]) -> bool:
    return word == "--" or (word.startswith("-") and word.partition("=")[0].replace("_", "-") in by_form)


def _flag(option: Option, name: str, value: str) -> str:
    if value in _YES:
        return name
    if value in _NO and option.negatable:
        return f"--no-{option.name}"
    raise UsageError(f"Expected no value for option '--{option.name}'; got \"{value}\"")


def _negative(name: str, by_form: Mapping[str, Option]) -> str:
    """`--skip-NAME` as `--no-NAME`, where NAME is a flag that can be turned off."""
    long = name.replace("_", "-")
    turned_off = by_form.get(f"--{long.removeprefix('--skip-')}") if long.startswith("--skip-") else None
    if turned_off is None or not turned_off.negatable or long in by_form:
        return name
    return f"--no-{turned_off.name}"


def _note(option: Option, seen: dict[str, str], pair: str) -> None:
    key = pair.partition(":")[0]
    if key in seen:
        raise UsageError(
            f"You can't specify '{key}' more than once in option '--{option.name}'; got {seen[key]} and {pair}"
        )
    seen[key] = pair


def _forms(option: Option) -> tuple[str, ...]:
    return tuple(form.partition(" ")[0] for form in option.forms)
