"""Finds the command, or the help, that the words of a command line ask for (spec/cli.md 1.1, 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pykamal.cli.aliases import asks_for_help
from pykamal.cli.option_tokens import tokens
from pykamal.cli.options import GLOBAL, flag
from pykamal.cli.prefix_match import begins_one, resolve
from pykamal.cli.table import GROUPS, command_row, names_of_ours, paths_named, top_names, within
from pykamal.cli.table.row import CommandRow
from pykamal.core.errors import ConfigurationError, UsageError

HELP_AS_FIRST_WORD = frozenset({"-h", "--help", "-?", "-D"})
DEEPEST_ALIAS = 10

Expand = Callable[[str, Sequence[str]], list[str] | None]
"""Returns the words of the alias of that name, given the words behind it; None when there is no such alias."""


@dataclass(frozen=True, slots=True)
class Run:
    """A command, with the words that are still to be parsed. `alias` is the first word as typed, if it was one."""

    row: CommandRow
    words: tuple[str, ...]
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """Help of a command or a group by full name, or of everything. `note` is a remark on the command line."""

    topic: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of the commands of a group, or of all."""

    group: str | None = None


def route(words: Sequence[str], expand: Expand) -> Run | Help | Tree:
    """Find what a command line asks for. Raises `UsageError` for names that mean nothing or too much."""
    return _route(list(words), expand, ())


def _route(words: list[str], expand: Expand, aliases: tuple[str, ...]) -> Run | Help | Tree:
    if not words:
        return Help()
    first, rest = words[0], words[1:]
    if first in HELP_AS_FIRST_WORD:
        return Help(_topic(_split(rest)[0]))
    if first.startswith("-"):
        return _options_first(words)

    expanded: list[str] = []

    def is_alias(word: str) -> bool:
        try:
            found = expand(word, rest)
        except ConfigurationError:
            if begins_one(word, top_names(), names_of_ours()):
                return False  # an abbreviated command tells by itself what is wrong with the file, if it reads it
            raise
        expanded[:] = found or []
        return found is not None

    name = resolve(first, top_names(), is_alias=is_alias, yielding=names_of_ours(), elsewhere=paths_named)
    if name is None:
        if first in aliases or len(aliases) == DEEPEST_ALIAS:
            raise UsageError(f"Alias {aliases[0]} leads back to itself: {' -> '.join([*aliases, first])}")
        return _route([*expanded, *rest], expand, (*aliases, first))
    alias = aliases[0] if aliases else None
    if name == "help":
        return Help(_topic(_split(rest)[0]))
    if name == "tree":
        return _tree(None, rest)
    if name in GROUPS:
        return _in_group(name, rest, alias)
    return _command(command_row(name), rest, alias)


def _in_group(group: str, words: list[str], alias: str | None) -> Run | Help | Tree:
    position = _first_plain_word(words)
    if position is None:
        for unknown in _split(words)[0]:
            raise UsageError(f'Could not find command "{unknown}".')
        return Help(group)
    word, rest = words[position], [*words[:position], *words[position + 1 :]]
    name = _resolve_in(group, word)
    if name == "help":
        return Help(_topic([group, *_split(rest)[0]]))
    if name == "tree":
        return _tree(group, rest)
    return _command(command_row(f"{group} {name}"), rest, alias)


def _resolve_in(group: str, word: str) -> str | None:
    commands = within(group)
    visible = ["help", "tree", *(command.name for command in commands if not command.hidden)]
    hidden = [command.name for command in commands if command.hidden]
    return resolve(word, visible, hidden, yielding=names_of_ours(group))


def _tree(group: str | None, words: list[str]) -> Help | Tree:
    if "--help" in words:
        return Help("tree")
    if plain := _split(words)[0]:
        raise called_with(command_row("tree"), plain)
    return Tree(group)


def _command(found: CommandRow, words: list[str], alias: str | None) -> Run | Help:
    if asks_for_help(words):
        return Help(found.path)
    return Run(found, tuple(words), alias)


def _options_first(words: list[str]) -> Help:
    """Options before the command select help, as in Ruby Kamal: scripts may rely on nothing being run."""
    plain, options = _split(words)
    unknown = next((word for word in plain if word.startswith("-")), None)
    if unknown is not None:
        raise UsageError(f'Could not find command "{unknown}".')
    if not plain:
        return Help()
    topic = _topic(plain[:2] if plain[0] in GROUPS else plain[:1])
    return Help(topic, note=f"Options come after the command: kamal {' '.join([*plain, *options])}")


def _topic(words: Sequence[str]) -> str | None:
    """Return the full name that `help WORDS` is about."""
    if not words:
        return None
    name = resolve(words[0], top_names(), yielding=names_of_ours()) or words[0]
    if name not in GROUPS or len(words) == 1:
        return name
    sub = _resolve_in(name, words[1])
    return sub if sub in ("help", "tree") else f"{name} {sub}"


# -- plain words among global options

_GLOBAL = (*GLOBAL, flag("help", ""))


def _first_plain_word(words: Sequence[str]) -> int | None:
    """Return the place of the first word that is neither an option nor its value."""
    plain = (token for token in tokens(words, _GLOBAL) if token.option is None and not token.word.startswith("-"))
    return next((token.position for token in plain), None)


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the words that are neither a global option nor its value from the others."""
    line = tokens(words, _GLOBAL)
    plain = {token.position for token in line if token.option is None and not token.is_separator}
    return (
        [word for position, word in enumerate(words) if position in plain],
        [word for position, word in enumerate(words) if position not in plain],
    )


def called_with(row: CommandRow, arguments: Sequence[str], hint: str | None = None) -> UsageError:
    """Ruby Kamal's words, and how to call the command unless there is a better hint."""
    listed = ", ".join(f'"{argument}"' for argument in arguments)
    with_what = f"arguments [{listed}]" if arguments else "no arguments"
    return UsageError(f'ERROR: "kamal {row.path}" was called with {with_what}', hint=hint or usage(row))


def usage(row: CommandRow) -> str:
    return f'Usage: "kamal {row.usage}"'
