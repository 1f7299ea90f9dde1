"""Candidates for the word under the cursor, given the words before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.cli.command_lookup import HELP_AS_FIRST_WORD, Help, Run, route
from pykamal.cli.completion.config_names import Project, in_list
from pykamal.cli.option_tokens import tokens
from pykamal.cli.options import GLOBAL, Kind, Option
from pykamal.cli.table import GROUPS, within
from pykamal.cli.table.row import CommandRow
from pykamal.core.errors import KamalError


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole word, and a few words about it for shells that show them."""

    value: str
    about: str = ""


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """The candidates for the last word, which they all begin with, in the order to show them in."""
    *before, current = words
    seen: set[str] = set()
    for candidate in _possible(before, current):
        if candidate.value.startswith(current) and candidate.value not in seen:
            seen.add(candidate.value)
            yield candidate


def _possible(before: list[str], current: str) -> Iterable[Candidate]:
    if not before:
        return _first_words(current)
    project = Project.of(before)
    try:
        found = route(before, lambda name, _: project.alias(name))
    except KamalError:
        return []
    if isinstance(found, Run):
        return _behind(found.row, _read(found.words, found.row.all_options, found.row.command_at), current)
    if not isinstance(found, Help) or "--help" in before or before[0] in HELP_AS_FIRST_WORD:
        return []
    if before[0].startswith("-"):
        return []
    return _in_help(found, current) if "help" in before else _in_group(before, found, current)


def _first_words(current: str) -> Iterator[Candidate]:
    if current.startswith("-"):
        yield Candidate("--help", "Show the commands")
        return
    yield from _commands(None, current)
    for name, line in Project().aliases().items():
        yield Candidate(name, f"Alias of: {line}")


def _in_group(before: list[str], found: Help, current: str) -> Iterable[Candidate]:
    words = _read(before[1:], GLOBAL)
    if words.waiting is not None or current.startswith("-"):
        needed = any(command.needs_project for command in within(found.topic))
        return _option_words(GLOBAL, words, words.project if needed else None, current)
    return [*_commands(found.topic, current), *(Candidate(name, about) for name, about in _EVERYWHERE.items())]


def _in_help(found: Help, current: str) -> Iterable[Candidate]:
    if current.startswith("-") or (found.topic is not None and found.topic not in GROUPS):
        return []
    return _commands(found.topic, current)


def _commands(group: str | None, current: str) -> Iterator[Candidate]:
    """The visible commands of a group or of the top level, spelled with `-` where the user does so."""
    about = {command.name: command.summary for command in within(group) if not command.hidden}
    if group is None:
        about |= GROUPS
    for name in sorted(about):
        yield Candidate(name.replace("_", "-") if "-" in current else name, about[name])


_EVERYWHERE: Final = {"help": "Show these commands, or one of them", "tree": "Show them as a tree"}


# -- behind a command


@dataclass(frozen=True, slots=True)
class _Words:
    """The words behind a command. `waiting` is the option whose value comes next; `given` are names of options."""

    arguments: list[str]
    given: set[str]
    waiting: Option | None
    options_ended: bool
    project: Project


def _read(words: Sequence[str], options: Iterable[Option], command_at: int | None = None) -> _Words:
    line = list(tokens(words, options, command_at))
    last = line[-1] if line else None
    waits = last is not None and last.value is None and last.option is not None and last.option.kind is not Kind.FLAG
    return _Words(
        [token.word for token in line if token.option is None and (token.literal or not token.word.startswith("-"))],
        {token.option.name for token in line if token.option is not None},
        last.option if last is not None and waits else None,
        any(token.is_separator for token in line),
        Project.of(words),
    )


def _behind(command: CommandRow, words: _Words, current: str) -> Iterable[Candidate]:
    project = words.project if command.needs_project else None
    if not words.options_ended and (words.waiting is not None or current.startswith("-")):
        return _option_words(command.all_options, words, project, current)
    usage = command.arguments.split()
    if len(words.arguments) < len(usage):
        return _argument(command, usage[len(words.arguments)], project, current)
    if command.most_arguments is None or words.options_ended:
        return []
    return _option_words(command.all_options, words, project, "--")


def _option_words(
    options: Iterable[Option], words: _Words, project: Project | None, current: str
) -> Iterator[Candidate]:
    """Names of options not given yet, or the values of the one that is being written."""
    options = list(options)
    if words.waiting is not None:
        yield from _values(words.waiting, project, current)
        return
    name, equals, value = current.partition("=")
    if equals:
        for option in options:
            if name.replace("_", "-") in [form.partition(" ")[0] for form in option.forms]:
                for candidate in _values(option, project, value):
                    yield Candidate(f"{name}={candidate.value}", candidate.about)
        return
    for option in options:
        if option.name in words.given and option.kind is not Kind.PAIRS:
            continue
        yield Candidate(f"--{option.name}", option.help)
        if option.kind is Kind.FLAG and current.startswith("--no"):
            yield Candidate(f"--no-{option.name}", f"Not: {option.help}")
        if option.short and current == "-":
            yield Candidate(f"-{option.short}", option.help)
    yield Candidate("--help", "Show what it does and takes")


# -- values of options and arguments


def _values(option: Option, project: Project | None, current: str) -> Iterator[Candidate]:
    if option.choices:
        yield from map(Candidate, option.choices)
    elif option in GLOBAL and project is not None:
        yield from _described(_of_global(option, project, current))
    elif option.name == "explain":
        from pykamal.config.explanation import keys_beside

        yield from _described(keys_beside(current))
    elif option.name == "name":
        yield from map(Candidate, _sandboxes())


def _of_global(option: Option, project: Project, current: str) -> Iterable[tuple[str, str]]:
    match option.name:
        case "config-file":
            return project.config_files(current)
        case "destination":
            return project.destinations()
        case "hosts":
            return in_list(project.hosts(), current)
        case "roles":
            return in_list(project.roles(), current)
        case "version":
            return project.versions()
    return ()


def _described(found: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
    return (Candidate(value, about) for value, about in found)


def _argument(command: CommandRow, usage: str, project: Project | None, current: str) -> Iterator[Candidate]:
    word = usage.strip("[].")
    if "|" in word:
        yield from map(Candidate, word.split("|"))
    elif word == "NAME" and command.group == "accessory" and project is not None:
        yield from _described(project.accessories().items())
        if command.takes_all:
            yield Candidate("all", "Every accessory")
    elif command.path == "secrets rotate" and project is not None:
        yield from _described(project.secrets().items())
    elif word == "VERSION" and project is not None:
        yield from _described(project.versions())
    elif word == "SECTION":
        from pykamal.cli.annotated_config import NAMES

        names = NAMES if not current[:1].isupper() else [name.capitalize() for name in NAMES]
        yield from map(Candidate, names)
    elif word == "IDENTIFIER":
        from pykamal.core.catalogue import rules

        yield from _described((rule.identifier, rule.title) for rule in rules().values())


def _sandboxes() -> list[str]:
    from pykamal.sandbox.paths import home

    try:
        return sorted(folder.name for folder in home().iterdir() if not folder.name.startswith("."))
    except OSError:
        return []
