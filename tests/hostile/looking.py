"""Asks for the help of every command and for completions at every place of a command line, in one process.

Run in a hostile repository, as `python looking.py`. With `--careless` names are looked up by the machine itself and Git
is called as it is: what then leaves a mark shows that the marks of the repository would be found.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

from pykamal.cli.completion.answer import answer
from pykamal.cli.dispatch import dispatch
from pykamal.cli.options import GLOBAL, Kind, Option
from pykamal.cli.table import COMMANDS, GROUPS
from pykamal.commands import git
from pykamal.operations.local import local_system

WORDS = ("", "-", "config/")


def help_lines() -> Iterator[list[str]]:
    """Every way to ask for help, and every kind of mistyped word."""
    yield from ([], ["help"], ["--help"], ["-h"], ["tree"], ["help", "nonsense"], ["help", "evil"], ["-v"])
    yield from (["evil", "--help"], ["evil", "-d", "staging", "--help"], ["evil", "x", "--help", "--", "y"])
    for group in GROUPS:
        yield from ([group], [group, "help"], [group, "tree"], [group, "--help"], ["help", group], [group, "evil"])
        yield from ([group, "nonsense"], [group, "--nonsense"])
    for command in COMMANDS:
        words = command.path.split()
        yield from ([*words, "--help"], ["help", *words])
        if not command.passes_options:
            yield [*words, "--nonsense"]
    yield from (["nonsense"], ["evi"], ["complet"], ["sandbo"], ["-d", "staging", "app"], ["nonsense", "-d", "staging"])
    yield from (
        ["completion"],
        ["completion", "nonsense"],
        ["docs", "nonsense"],
        ["sandbox", "env"],
        ["sandbox", "status"],
    )


def places() -> Iterator[list[str]]:
    """The words before the cursor."""
    yield from (
        [],
        ["help"],
        ["evil"],
        ["nonsense"],
        ["-d"],
        ["--nonsense"],
        ["evil", "--"],
        ["evil", "-h"],
        ["completion"],
    )
    for group in GROUPS:
        yield from ([group], [group, "help"], ["help", group])
        yield from ([group, *option] for option in _options(GLOBAL))
    for command in COMMANDS:
        words = command.path.split()
        yield words
        yield from ([*words, *arguments] for arguments in (["a"], ["a", "b"], ["--"], ["-d", "staging"]))
        yield from ([*words, *option] for option in _options(command.all_options))


def _options(options: tuple[Option, ...]) -> Iterator[list[str]]:
    for option in options:
        if option.kind is not Kind.FLAG:
            yield [f"--{option.name}"]


def main() -> None:
    careless = "--careless" in sys.argv
    if careless:
        local_system.SafeSystem = lambda **_: local_system.LocalSystem()  # type: ignore[assignment, misc]
        git._NO_TRANSPORT, git._READ_OPTIONS = (), ()  # type: ignore[assignment, misc]
    for words in help_lines():
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            dispatch(words)
    for before in places():
        for word in WORDS[:1] if careless else WORDS:
            list(answer(["fish", *before, word]))


if __name__ == "__main__":
    main()
