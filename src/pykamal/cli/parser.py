"""Options and arguments of one command, parsed by click from the table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import click

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_tokens import HANDED_ON, Line, plain_form
from pykamal.cli.options import Kind, Option
from pykamal.cli.prefix_match import suggestion
from pykamal.cli.table.row import CommandRow
from pykamal.cli.usage_errors import called_with, usage
from pykamal.core.errors import UsageError

_ARGUMENTS = "arguments"


def parse(row: CommandRow, words: Sequence[str]) -> Invocation:
    """Raises `UsageError` for options that are unknown or lack a value, and for the wrong number of arguments."""
    line = Line(row.command_at)
    try:
        invocation = _understood(row, words, line)
    except UsageError as error:
        if line.taken:
            error.hint = "\n".join(filter(None, [error.hint, _advice(row, words, line)]))
        raise
    if not line.taken:
        return invocation
    return replace(invocation, advice=_advice(row, words, line), misread=bool(line.inside))


def _understood(row: CommandRow, words: Sequence[str], line: Line) -> Invocation:
    try:
        values = _parsed(row, plain_form(words, row.all_options, line))
    except click.BadOptionUsage as error:
        raise UsageError(f"No value provided for option '{_long_name(row, error.option_name)}'") from error

    for option in row.options:
        if option.required and values[option.key] is None:
            raise UsageError(f"No value provided for required options '--{option.name}'", hint=usage(row))
    arguments = tuple(word.removeprefix(HANDED_ON) for word in values.pop(_ARGUMENTS))
    if not row.passes_options:
        for unknown in (word.partition("=")[0] for word in arguments if word.startswith("-")):
            raise called_with(row, arguments, suggestion(unknown, [f"--{option.name}" for option in row.all_options]))
    if len(arguments) < row.least_arguments:
        if len(arguments) == row.command_at:
            raise UsageError("No command provided. You must specify a command to execute.", hint=usage(row))
        raise called_with(row, arguments)
    if row.most_arguments is not None and len(arguments) > row.most_arguments:
        raise called_with(row, arguments, _flag_value_hint(row, words))
    options = {option.key: _converted(option, values[option.key]) for option in row.all_options}
    _refuse_conflicts(row, options)
    return Invocation(row.path, arguments, options, row.effect_of(arguments, options), literal=line.literal)


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
                hint="`kamal deploy --output json` builds and tells about it in JSON",
            )


def _advice(row: CommandRow, words: Sequence[str], line: Line) -> str:
    """How to give the command to run the options that were taken for ours."""
    taken = ", ".join(dict.fromkeys(line.taken))
    meant = shlex.join([*words[: line.first], "--", *words[line.first :]])
    return f"{taken} was read as an option of kamal; for one of the command's own, write: kamal {row.path} {meant}"


def _flag_value_hint(row: CommandRow, words: Sequence[str]) -> str | None:
    """Advice for `--flag false`, where the word behind the flag is an argument."""
    flags = {form: option.name for option in row.all_options if option.kind is Kind.FLAG for form in option.forms}
    for word, value in pairwise(words):
        name = flags.get(word.replace("_", "-"))
        if name is not None and value in ("true", "false"):
            return f"--{name} takes no separate value: write --{name}={value}"
    return None


def _parsed(row: CommandRow, words: list[str]) -> dict[str, Any]:
    command = click.Command(
        row.path,
        params=[
            *(_parameter(option) for option in row.all_options),
            click.Argument([_ARGUMENTS], nargs=-1, type=click.UNPROCESSED),
        ],
        add_help_option=False,
        context_settings={
            "token_normalize_func": lambda name: name.replace("_", "-"),
            "ignore_unknown_options": True,  # they are arguments, with the words behind them (cli.md 1.3)
        },
    )
    with command.make_context(row.path, words) as context:
        return context.params


def _parameter(option: Option) -> click.Option:
    names = [option.key, f"--{option.name}"]
    if option.short:
        names.insert(1, f"-{option.short}")
    match option.kind:
        case Kind.FLAG:
            names[-1] += f"/--no-{option.name}"
            return click.Option(names, is_flag=True, default=bool(option.default))
        case Kind.PAIRS | Kind.WORDS | Kind.REPEATED:
            return click.Option(names, multiple=True)
        case Kind.NUMBER | Kind.TEXT:
            return click.Option(names, default=option.default, type=click.UNPROCESSED)


def _converted(option: Option, value: Any) -> Any:
    match option.kind:
        case Kind.NUMBER if isinstance(value, str):
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
                raise UsageError(f"Expected numeric value for '--{option.name}'; got \"{value}\"")
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


def _long_name(row: CommandRow, name: str) -> str:
    for option in row.all_options:
        if name in (f"-{option.short}", f"--{option.name}"):
            return f"--{option.name}"
    return name
