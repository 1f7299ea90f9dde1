"""Parses the arguments and options of one command, as its row of the table declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from pykamal.cli.command_lookup import called_with, usage
from pykamal.cli.invocation import Invocation
from pykamal.cli.option_tokens import Token, tokens
from pykamal.cli.options import Kind, Option
from pykamal.cli.prefix_match import suggestion
from pykamal.cli.table.row import CommandRow
from pykamal.core.errors import UsageError

_SEVERAL = (Kind.PAIRS, Kind.WORDS, Kind.REPEATED)
_FLAG_VALUES = {
    **dict.fromkeys(("true", "TRUE", "t", "T"), True),
    **dict.fromkeys(("false", "FALSE", "f", "F"), False),
}


def parse(row: CommandRow, words: Sequence[str]) -> Invocation:
    """Parse the words behind a command.

    Raises `UsageError` for options that are unknown, lack a value or conflict, and for the wrong number of arguments.
    """
    line = [token for token in tokens(words, row.all_options, row.command_at) if not token.is_separator]
    arguments = [token for token in line if token.option is None]
    advice, misread = _advice(row, words, line, arguments)
    try:
        options = _options(row, words, line, [token.word for token in arguments])
    except UsageError as error:
        error.hint = "\n".join(filter(None, [error.hint, advice])) or None
        raise
    given = tuple(token.word for token in arguments)
    return Invocation(
        row.path,
        given,
        options,
        row.effect_of(given, options),
        literal=sum(token.literal for token in arguments),
        advice=advice,
        misread=misread,
    )


def _advice(
    row: CommandRow, words: Sequence[str], line: Iterable[Token], arguments: Sequence[Token]
) -> tuple[str | None, bool]:
    """The way to write options of the command to run that were taken for ours, and whether words of it follow them."""
    written = [token.position for token in arguments if not token.literal]
    if row.command_at is None or len(written) <= row.command_at:
        return None, False
    first = written[row.command_at]
    taken = {token.word: token.position for token in line if token.option is not None and token.position > first}
    if not taken:
        return None, False
    from pykamal.commands.words import quoted

    meant = quoted([*words[:first], "--", *words[first:]])
    advice = f"for one of the command's own, write: kamal {row.path} {meant}"
    return f"{', '.join(taken)} was read as an option of kamal; {advice}", min(taken.values()) < written[-1]


def _options(row: CommandRow, words: Sequence[str], line: Iterable[Token], arguments: Sequence[str]) -> dict[str, Any]:
    values = _values(row, line)
    for option in row.options:
        if option.required and values[option.key] is None:
            raise UsageError(f"No value provided for required options '--{option.name}'", hint=usage(row))
    _check_arguments(row, words, arguments)
    options = {option.key: _converted(option, values[option.key]) for option in row.all_options}
    _refuse_conflicts(row, options)
    return options


def _values(row: CommandRow, line: Iterable[Token]) -> dict[str, Any]:
    """The values of all options by key, as written: one, or all of an option that takes several."""
    values = {option.key: _default(option) for option in row.all_options}
    for option, given in _groups(line):
        last = given[-1]
        if option.kind is Kind.FLAG:
            values[option.key] = _flag(option, last)
        elif last.value is None:
            hint = "-h means --hosts; --help shows the help of a command" if last.word == "-h" else None
            raise UsageError(f"No value provided for option '--{option.name}'", hint=hint)
        elif option.kind in _SEVERAL:
            several = tuple(token.value or "" for token in given)
            if option.kind is Kind.PAIRS:
                _refuse_repeated(option, several)
            values[option.key] += several
        else:
            values[option.key] = last.value
    return values


def _groups(line: Iterable[Token]) -> Iterator[tuple[Option, list[Token]]]:
    """Each option as it was given, with the tokens of the values that it got there."""
    for _, tokens_of_word in groupby(line, lambda token: (token.position, token.option and token.option.name)):
        given = list(tokens_of_word)
        if given[0].option is not None:
            yield given[0].option, given


def _default(option: Option) -> Any:
    if option.kind is Kind.FLAG:
        return bool(option.default)
    return () if option.kind in _SEVERAL else option.default


def _flag(option: Option, token: Token) -> bool:
    if token.value is None:
        return not token.turned_off
    if token.turned_off or token.value not in _FLAG_VALUES:
        name = token.word if token.turned_off else f"--{option.name}"
        raise UsageError(f"Expected no value for option '{name}'; got \"{token.value}\"")
    return _FLAG_VALUES[token.value]


def _refuse_repeated(option: Option, pairs: Iterable[str]) -> None:
    """Refuse a key that is repeated in one go; in a later option it counts, as an alias may have set it."""
    seen: dict[str, str] = {}
    for pair in pairs:
        key = pair.partition(":")[0]
        if key in seen:
            raise UsageError(
                f"You can't specify '{key}' more than once in option '--{option.name}'; got {seen[key]} and {pair}"
            )
        seen[key] = pair


def _check_arguments(row: CommandRow, words: Sequence[str], arguments: Sequence[str]) -> None:
    if not row.passes_options:
        for unknown in (word.partition("=")[0] for word in arguments if word.startswith("-")):
            raise called_with(row, arguments, suggestion(unknown, [f"--{option.name}" for option in row.all_options]))
    if len(arguments) < row.least_arguments:
        if len(arguments) == row.command_at:
            raise UsageError("No command provided. You must specify a command to execute.", hint=usage(row))
        raise called_with(row, arguments)
    if row.most_arguments is not None and len(arguments) > row.most_arguments:
        raise called_with(row, arguments, _flag_value_hint(row, words))


def _flag_value_hint(row: CommandRow, words: Sequence[str]) -> str | None:
    """Advice for `--flag false`, where the word behind the flag is an argument."""
    flags = {form: option.name for option in row.all_options if option.kind is Kind.FLAG for form in option.forms}
    for word, value in pairwise(words):
        name = flags.get(word.replace("_", "-"))
        if name is not None and value in ("true", "false"):
            return f"--{name} takes no separate value: write --{name}={value}"
    return None


def _converted(option: Option, value: Any) -> Any:
    match option.kind:
        case Kind.NUMBER if isinstance(value, str):
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
                raise UsageError(f"Expected numeric value for '--{option.name}'; got \"{value}\"")
            if int(value) < 0:
                raise UsageError(f"Expected a number of at least 0 for '--{option.name}'; got \"{value}\"")
            return int(value)
        case Kind.PAIRS:
            return dict(_pair(option, text) for text in value)
        case Kind.TEXT if option.choices and value not in option.choices:
            expected = ", ".join(option.choices)
            raise UsageError(f"Expected '--{option.name}' to be one of {expected}; got \"{value}\"")
    return value


def _pair(option: Option, text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"Expected key:value for '--{option.name}'; got \"{text}\"")
    return key, value


def _refuse_conflicts(row: CommandRow, options: Mapping[str, Any]) -> None:
    for conflict in row.conflicts:
        others = [other for other in conflict.others if options[other]]
        if options[conflict.option] and others:
            raise UsageError(
                conflict.message or f"{conflict.option.capitalize()} is not compatible with {' or '.join(others)}"
            )
    for option in row.options:
        if option.not_json and options[option.key] == "json":
            raise UsageError(
                f"kamal {row.path} has no JSON: {option.not_json}",
                hint="`kamal deploy --output json` builds the image and reports it in JSON",
            )
