"""The words of a command line and the one place where they are quoted.

A plain `str` is one literal argument and is quoted for the shell. The classes here are the exceptions, each named for
what the shell will do with it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pykamal.core.sensitive import REDACTED, Sensitive, reveal

if TYPE_CHECKING:
    from pykamal.commands.command import Command


@dataclass(frozen=True, slots=True)
class Raw:
    """Text that the shell reads as it is: what a user wrote as a command line, or `$PWD/...`."""

    text: str | Sensitive


@dataclass(frozen=True, slots=True)
class Expanded:
    """A value inside double quotes, in which `${NAME}` is left for the server to expand (spec/config.md 18.7)."""

    text: str | Sensitive


@dataclass(frozen=True, slots=True)
class Output:
    """The standard output of another command, as one word: `"$(...)"`."""

    command: Command


@dataclass(frozen=True, slots=True)
class Joined:
    """Several words written without a space between them: `--target=` and an `Output` and `:80`."""

    words: tuple[Word, ...]


Word: TypeAlias = str | Sensitive | Raw | Expanded | Output | Joined


def render(word: Word, *, shown: bool) -> str:
    """One word as shell text. `shown` hides secrets (for people); otherwise this is what goes on the wire."""
    match word:
        case Raw(text):
            return str(text) if shown else reveal(text)
        case Expanded(Sensitive()) if shown:
            return REDACTED
        case Expanded(text):
            return double_quoted(reveal(text))
        case Output(command):
            return f'"$({command if shown else command.wire()})"'
        case Joined(words):
            return "".join(render(part, shown=shown) for part in words)
        case Sensitive() if shown:
            return REDACTED
    return shlex.quote(reveal(word))


def joined(*words: Word) -> Joined:
    return Joined(words)


# -- the double-quoted form of spec/config.md 18.7

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\x1b": "\\e",
    "\a": "\\a",
    "\b": "\\b",
    "\v": "\\v",
    "\f": "\\f",
}
_ASCII_RUNS = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")
_INTERPOLATION = re.compile(r"#(?=[{$@])")
_DOLLAR_OUTSIDE_GROUP = re.compile(r"\$(?!\{[^}]*\})")


def double_quoted(text: str) -> str:
    """`text` so that a POSIX shell reads it back, with `${NAME}` groups still expanded; empty text gives nothing."""
    return "".join(f'"{_for_shell(run)}"' if run[0].isascii() else run for run in _ASCII_RUNS.findall(text))


def dumped(text: str) -> str:
    """ASCII `text` in Ruby's escaped form, without quotes around it; other text is left as it is (spec/cli.md 3.2)."""
    runs = _ASCII_RUNS.findall(text)
    return "".join(_dumped(run) if run[0].isascii() else run for run in runs)


def single_quoted(text: str) -> Raw:
    """`text` in single quotes whether it needs them or not, each quote inside as `'\\''`."""
    escaped = text.replace("'", "'\\''")
    return Raw(f"'{escaped}'")


def _dumped(run: str) -> str:
    escaped = "".join(_ESCAPES.get(character) or _control(character) for character in run)
    return _INTERPOLATION.sub(r"\\#", escaped)


def _for_shell(run: str) -> str:
    return _DOLLAR_OUTSIDE_GROUP.sub(r"\\$", _dumped(run).replace("`", "\\`"))


def _control(character: str) -> str:
    return character if " " <= character <= "~" else f"\\x{ord(character):02X}"


def key_values(flag: str, values: Mapping[str, object] | Sequence[Word]) -> list[Word]:
    """`FLAG KEY="value"` for a mapping, `FLAG item` for a list (spec/config.md 18.8).

    `False` gives `KEY=false`; an empty or missing value gives the bare `KEY`.
    """
    words: list[Word] = []
    if isinstance(values, Mapping):
        for key, value in values.items():
            words += [flag, _key_value(str(key), value)]
    else:
        for item in values:
            words += [flag, Raw(item) if isinstance(item, str) else item]
    return words


def _key_value(key: str, value: object) -> Word:
    if value is False:
        return Raw(f"{key}=false")
    if isinstance(value, Sensitive):
        return joined(Raw(f"{key}="), Expanded(value)) if value.reveal().strip() else Raw(key)
    if value is None or (isinstance(value, str) and not value.strip()) or value in ((), [], {}):
        return Raw(key)
    return joined(Raw(f"{key}="), Expanded(text_of(value)))


def options(values: Mapping[str, object], *, separator: str = " ") -> list[Word]:
    """`--KEY "value"` for each entry, `--KEY` for `True`; lists repeat the flag (spec/config.md 18.8)."""
    words: list[Word] = []
    for key, value in values.items():
        for item in value if isinstance(value, list | tuple) else (value,):
            flag = f"--{key}"
            if item is True:
                words.append(Raw(flag))
            elif separator == " ":
                words += [Raw(flag), Expanded("" if item is None else text_of(item))]
            else:
                words.append(joined(Raw(f"{flag}{separator}"), Expanded("" if item is None else text_of(item))))
    return words


def text_of(value: object) -> str:
    """A YAML scalar as Ruby writes it: `true`, `1.5`, plain text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
