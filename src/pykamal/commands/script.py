"""Several commands for one host in one exchange, each still named, timed and reported.

The text goes to `sh -s` on standard input, so nothing in it (a secret, say) shows in the host's process list. It is one
function that is called on the last line: a text that was cut off on the way runs nothing. What a user wrote is one
argument of `eval`, so that a syntax error in it is an error of its step and of no other. Between steps the shell writes
markers on both streams, from which the transport tells what each step printed and how it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from pykamal.commands.command import Command, Effect
from pykamal.commands.subject import Subject
from pykamal.commands.words import SingleQuoted, render

MARK: Final = "\x1e"

FIRST_LINE: Final = "pykamal_mark() {"
"""How the text of every script begins."""


@dataclass(frozen=True, slots=True)
class Step:
    """A named command of a script. `name` is a short phrase for people: `pull image`, `start container`.

    `subject` says what it is about, from which a failure is explained.
    `log` is a line for the log, written when the step begins; `announcements` are told to people then.
    """

    name: str
    command: Command
    subject: Subject | None = None
    log: str | None = None
    announcements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Steps that run one after another on one host until one fails that may not fail."""

    steps: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def effect(self) -> Effect:
        changes = any(step.command.effect is Effect.CHANGE for step in self.steps)
        return Effect.CHANGE if changes else Effect.READ

    def announced(self, announcements: tuple[str, ...]) -> Script:
        """The same steps, the first of which tells these before its own."""
        first, *others = self.steps
        return Script((replace(first, announcements=(*announcements, *first.announcements)), *others))

    def wire(self, nonce: str) -> str:
        """The shell text, secrets revealed. `nonce` keeps a command's own output from looking like a marker.

        Markers, each followed by a newline: `\\x1eNONCE pid N`, then for each step `\\x1eNONCE begin I` and
        `\\x1eNONCE end I STATUS`; `begin` and `end` on both streams.
        """
        lines = [
            FIRST_LINE,
            f"  printf '{_OCTAL_MARK}%s %s\\n' {nonce} \"$*\"",
            f"  printf '{_OCTAL_MARK}%s %s\\n' {nonce} \"$*\" >&2",
            "}",
            "pykamal_script() {",
            f"  printf '{_OCTAL_MARK}%s pid %s\\n' {nonce} $$",
        ]
        for index, step in enumerate(self.steps):
            lines += [
                f"  pykamal_mark begin {index}",
                f"  ( {_unit(step.command)}",
                "  ) < /dev/null",
                "  pykamal_status=$?",
                f'  pykamal_mark end {index} "$pykamal_status"',
            ]
            if not step.command.may_fail:
                lines.append('  [ "$pykamal_status" -eq 0 ] || return "$pykamal_status"')
        lines += ["}", "pykamal_script", ""]
        return "\n".join(lines)


def _unit(command: Command) -> str:
    """A step's text so that the shell reads the rest of the script whatever it is."""
    return f"eval {render(SingleQuoted(command), shown=False)}" if command.holds_raw else command.shell_text()


def script(*steps: Step | Iterable[Step]) -> Script:
    """A script of steps and of groups of steps, in order."""
    flat: list[Step] = []
    for item in steps:
        if isinstance(item, Step):
            flat.append(item)
        else:
            flat.extend(item)
    return Script(tuple(flat))


_OCTAL_MARK: Final = "\\036"
