"""The words of a command line and the one place where they are quoted.

A plain `str` is one literal argument and is quoted for the shell. The classes here are the exceptions, each named for
what the shell will do with it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pykamal.core.sensitive import REDACTED, Sensitive, reveal

if TYPE_CHECKING:
    from pykamal.commands.command import Command


@dataclass(frozen=True, slots=True)
class Raw:
    """A command line that a user wrote, for the shell to read as it is: `cmd` of deploy.yml, what `exec` is given."""

    text: str


@dataclass(frozen=True, slots=True)
class Syntax:
    """Shell syntax of ours, such as `!` or `"$id"`. Nothing that a user, a file or a host says belongs into it."""

    text: str | Sensitive


@dataclass(frozen=True, slots=True)
class Expanded:
    """A value in double quotes as Ruby Kamal writes them, with `${NAME}` left to the host (spec/config.md 18.7)."""

    text: str | Sensitive


@dataclass(frozen=True, slots=True)
class DoubleQuoted:
    """The same with nothing left to the host: a record says what was asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class HostValue:
    """A value that Ruby Kamal leaves to the host's shell altogether: a volume, a path, an option of the build.

    `$NAME`, `${NAME}` and `~/` at the beginning of the word are left to it here; the rest is literal, one word in all.
    """

    text: str


@dataclass(frozen=True, slots=True)
class SingleQuoted:
    """A text, or another command's, in single quotes whether it needs them or not, each quote inside as `'\\''`."""

    content: str | Command


@dataclass(frozen=True, slots=True)
class Output:
    """The standard output of another command and a literal text behind it, as one word: `"$(...)TEXT"`."""

    command: Command
    text: str = ""


@dataclass(frozen=True, slots=True)
class SplitOutput:
    """The standard output of another command, which the shell splits into words: `$(...)`."""

    command: Command


@dataclass(frozen=True, slots=True)
class Joined:
    """Several words written without a space between them: `--target=` and an `Output` and `:80`."""

    words: tuple[Word, ...]


Word: TypeAlias = (
    str | Sensitive | Raw | Syntax | Expanded | DoubleQuoted | HostValue | SingleQuoted | Output | SplitOutput | Joined
)


def render(word: Word, *, shown: bool) -> str:
    """One word as shell text. `shown` hides secrets (for people); otherwise this is what goes on the wire."""
    match word:
        case str():
            return shlex.quote(word)
        case Raw(text):
            return text
        case Syntax(text):
            return str(text) if shown else reveal(text)
        case HostValue(text):
            return _host_value(text) or "''"
        case Expanded(Sensitive()) | Sensitive() if shown:
            return REDACTED
        case Sensitive():
            return shlex.quote(reveal(word))
        case Expanded(text):
            return double_quoted(reveal(text))
        case DoubleQuoted(text):
            return double_quoted(text, expand=False)
        case SingleQuoted(content):
            text = content if isinstance(content, str) else _line(content, shown)
            return "'{}'".format(text.replace("'", "'\\''"))
        case Output(command, text):
            escaped = _ACTIVE_IN_DOUBLE_QUOTES.sub(r"\\\g<0>", text)
            return f'"$({_line(command, shown)}){escaped}"'
        case SplitOutput(command):
            return f"$({_line(command, shown)})"
        case Joined(words):
            return _joined(words, shown)


def _line(command: Command, shown: bool) -> str:
    return command.display_text() if shown else command.shell_text()


def _joined(words: Sequence[Word], shown: bool) -> str:
    first, *others = words
    rest = (
        _host_value(each.text, tilde=False) if isinstance(each, HostValue) else render(each, shown=shown)
        for each in others
    )
    return "".join((render(first, shown=shown), *rest))


def joined(*words: Word) -> Joined:
    return Joined(words)


def quoted(words: Sequence[str]) -> str:
    """Literal words as a line that a person can give to a shell."""
    return " ".join(map(shlex.quote, words))


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
_ACTIVE_IN_DOUBLE_QUOTES = re.compile(r'[$`"]|\\(?=[$`"\\\n]|\Z)')
_ASCII_RUNS = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")
_INTERPOLATION = re.compile(r"#(?=[{$@])")
_DOLLAR = re.compile(r"\$")
_DOLLAR_BEFORE_NO_NAME = re.compile(r"\$(?!\{[A-Za-z_][A-Za-z0-9_]*\})")


def double_quoted(text: str, *, expand: bool = True) -> str:
    """`text` so that a POSIX shell reads it back; with `expand`, `${NAME}` is expanded. Empty text gives nothing."""
    literal = _DOLLAR_BEFORE_NO_NAME if expand else _DOLLAR

    def quoted(run: str) -> str:
        return literal.sub(r"\\$", _dumped(run).replace("`", "\\`"))

    return "".join(f'"{quoted(run)}"' if run[0].isascii() else run for run in _ASCII_RUNS.findall(text))


def dumped(text: str) -> str:
    """ASCII `text` in Ruby's escaped form, without quotes around it; other text is left as it is (spec/cli.md 3.2)."""
    runs = _ASCII_RUNS.findall(text)
    return "".join(_dumped(run) if run[0].isascii() else run for run in runs)


def _dumped(run: str) -> str:
    escaped = "".join(_ESCAPES.get(character) or _control(character) for character in run)
    return _INTERPOLATION.sub(r"\\#", escaped)


def _control(character: str) -> str:
    return character if " " <= character <= "~" else f"\\x{ord(character):02X}"


# -- values that the host may complete

_HOST_VARIABLE = re.compile(r"(\$(?:\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*))")
_BARE_VARIABLES: Final = frozenset({"PWD", "HOME", "SSH_AUTH_SOCK"})
"""Written without quotes, as Ruby Kamal writes them: each holds one path. All others stay one word in quotes."""


def _host_value(text: str, *, tilde: bool = True) -> str:
    home = "~/" if tilde and text.startswith("~/") else ""
    literals_and_variables = _HOST_VARIABLE.split(text.removeprefix(home))
    return home + "".join(
        _host_variable(piece) if index % 2 else shlex.quote(piece) if piece else ""
        for index, piece in enumerate(literals_and_variables)
    )


def _host_variable(text: str) -> str:
    return text if text.strip("${}") in _BARE_VARIABLES else f'"{text}"'


# -- values in a command line of the user's own


def with_tokens(line: str, values: Mapping[str, str]) -> str:
    """A line of the user's with `%X` replaced by values, each literal where it stands: bare, or inside quotes."""
    pieces: list[str] = []
    quote = ""
    position = 0
    while position < len(line):
        character = line[position]
        escaped = character == "\\" and quote != "'"
        start = position + escaped  # a backslash before a token would be for the first letter of its value
        if line[start : start + 1] == "%" and (value := values.get(line[start + 1 : start + 2])) is not None:
            pieces.append(_in_quotes(value, quote))
            position = start + 2
            continue
        if not escaped and character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        pieces.append(line[position : start + 1])
        position = start + 1
    return "".join(pieces)


def _in_quotes(text: str, quote: str) -> str:
    match quote:
        case "'":
            return text.replace("'", "'\\''")
        case '"':
            return re.sub(r'[$`"\\]', r"\\\g<0>", text)
    return shlex.quote(text)


# -- flags


def key_values(flag: str, values: Mapping[str, object] | Sequence[Word]) -> list[Word]:
    """`FLAG KEY="value"` for a mapping, `FLAG item` for a list, whose texts are host values (spec/config.md 18.8).

    `False` gives `KEY=false`; an empty or missing value gives the bare `KEY`.
    """
    words: list[Word] = []
    if isinstance(values, Mapping):
        for key, value in values.items():
            words += [flag, _key_value(str(key), value)]
    else:
        for item in values:
            words += [flag, HostValue(item) if isinstance(item, str) else item]
    return words


def _key_value(key: str, value: object) -> Word:
    if value is False:
        return f"{key}=false"
    if isinstance(value, Sensitive):
        return joined(f"{key}=", Expanded(value)) if value.reveal().strip() else key
    if value is None or (isinstance(value, str) and not value.strip()) or value in ((), [], {}):
        return key
    return joined(f"{key}=", Expanded(text_of(value)))


def options(values: Mapping[str, object], *, separator: str = " ") -> list[Word]:
    """`--KEY "value"` for each entry, `--KEY` for `True`; lists repeat the flag (spec/config.md 18.8)."""
    words: list[Word] = []
    for key, value in values.items():
        for item in value if isinstance(value, list | tuple) else (value,):
            flag = f"--{key}"
            if item is True:
                words.append(flag)
            elif separator == " ":
                words += [flag, Expanded("" if item is None else text_of(item))]
            else:
                words.append(joined(f"{flag}{separator}", Expanded("" if item is None else text_of(item))))
    return words


def text_of(value: object) -> str:
    """A YAML scalar as Ruby writes it: `true`, `1.5`, plain text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
