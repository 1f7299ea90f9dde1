"""Reads an argument vector by the rules and with the messages of spec/proxy.md 3.1.

argparse would cost half of a client's life and words its errors differently.
"""

from __future__ import annotations

import re

from pykamal.proxy.commands import ALIASES, COMMANDS, Command, default_text
from pykamal.proxy.durations import parse_duration
from pykamal.proxy.errors import UsageProblem

PROGRAM = "kamal-proxy"
_LONGEST_INTEGER = 19  # digits, of one with 64 bits
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_LISTS = ("list", "lines")
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}


class Call:
    """A parsed command line: the command, its positional arguments, all flag values, and which were given."""

    __slots__ = ("arguments", "command", "given", "values")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.arguments: list[str] = []
        self.values: dict[str, object] = {
            name: [] if kind in _LISTS else default for name, kind, default, _ in command.flags
        }
        self.given: list[str] = []


def parse(argv: list[str]) -> Call | str:
    """The call, or the help text where help is the answer. Raises UsageProblem."""
    words, rest = _find_command(argv)
    if isinstance(words, str):
        return words
    call = Call(words)
    if _read_flags(call, rest):
        return command_help(words)
    _check(call)
    return call


def _find_command(argv: list[str]) -> tuple[Command | str, list[str]]:
    names = {command.words: command for command in COMMANDS}
    plain = [word for word in argv if not word.startswith("-")]
    if not plain or plain[0] == "help":
        unknown = [word for word in argv if word.startswith("-") and word not in ("-h", "--help")]
        if unknown:
            raise UsageProblem(_unknown_flag(unknown[0]))
        return program_help(), []
    first = ALIASES.get(plain[0], plain[0])
    rest = list(argv)
    rest.remove(plain[0])
    if first == "rollout":
        if len(plain) < 2 or f"rollout {plain[1]}" not in names:
            return program_help("rollout"), []
        rest.remove(plain[1])
        return names[f"rollout {plain[1]}"], rest
    if first not in names:
        raise UsageProblem(f'unknown command "{first}" for "{PROGRAM}"', f"Run '{PROGRAM} --help' for usage.")
    return names[first], rest


def _read_flags(call: Call, words: list[str]) -> bool:
    """Fills `call`; true when help was asked for."""
    kinds = {name: kind for name, kind, _, _ in call.command.flags}
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            call.arguments += words[position:]
            break
        if word in ("-h", "--help"):
            return True
        if not word.startswith("-") or word == "-":
            call.arguments.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        kind = kinds.get(name)
        if not word.startswith("--") or kind is None:
            raise UsageProblem(_unknown_flag(word))
        if not equals:
            if kind == "bool":
                value = "true"
            elif position < len(words):
                value = words[position]
                position += 1
            else:
                raise UsageProblem(f"flag needs an argument: --{name}")
        _store(call, name, kind, value)
    return False


def _store(call: Call, name: str, kind: str, text: str) -> None:
    try:
        value = _convert(kind, text)
    except ValueError as problem:
        raise UsageProblem(f'invalid argument "{text}" for "--{name}" flag: {problem}') from None
    if kind in _LISTS and name in call.given:
        call.values[name] = [*_as_list(call.values[name]), *_as_list(value)]
    else:
        call.values[name] = value
    if name not in call.given:
        call.given.append(name)


def _convert(kind: str, text: str) -> object:
    if kind == "bool":
        return parse_bool(text)
    if kind == "int":
        return parse_int(text)
    if kind == "duration":
        return parse_duration(text)
    if kind == "number":
        return parse_number(text)
    if kind == "lines":
        return [text]
    return _split(text) if kind == "list" else text


def parse_bool(text: str) -> bool:
    """A boolean as the environment and the command line write it. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_int(text: str) -> int:
    """A decimal integer. Raises ValueError."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(digits.lstrip("0")) > _LONGEST_INTEGER or abs(int(text)) >= 2**63:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def parse_number(text: str) -> float:
    """A decimal number, with a fraction or without. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text):
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    return float(text)


def _split(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",") if text else []
    import csv

    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as problem:
        raise ValueError(f"parse error: {problem}") from None


def _as_list(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _check(call: Call) -> None:
    command = call.command
    if len(call.arguments) != command.arguments:
        if command.arguments == 0:
            raise UsageProblem(f'unknown command "{call.arguments[0]}" for "{PROGRAM} {command.words}"')
        raise UsageProblem(f"accepts {command.arguments} arg(s), received {len(call.arguments)}")
    missing = [f'"{name}"' for name in command.required if name not in call.given]
    if missing:
        raise UsageProblem(f"required flag(s) {', '.join(missing)} not set")
    pair = ("tls-certificate-path", "tls-private-key-path")
    absent = [name for name in pair if name not in call.given]
    if pair[0] in call.values and len(absent) == 1:
        raise UsageProblem(
            f"if any flags in the group [{' '.join(pair)}] are set they must all be set; missing [{absent[0]}]"
        )
    if command.one_of and not any(name in call.given for name in command.one_of):
        raise UsageProblem(f"at least one of the flags in the group [{' '.join(command.one_of)}] is required")


def _unknown_flag(word: str) -> str:
    if word.startswith("--"):
        return f"unknown flag: {word.partition('=')[0]}"
    return f"unknown shorthand flag: {word[1]!r} in {word}"


def program_help(group: str = "") -> str:
    """The list of subcommands, all or those of `group`."""
    words = f"{PROGRAM} {group}".strip()
    commands = [command for command in COMMANDS if command.words.startswith(f"{group} ") or not group]
    width = max(len(command.words) for command in commands)
    lines = ["HTTP proxy for zero downtime deployments", "", "Usage:", f"  {words} [command]", "", "Commands:"]
    lines += [f"  {command.words:<{width}}  {command.summary}" for command in commands]
    return "\n".join([*lines, "", f'Use "{words} [command] --help" for more about a command.'])


def command_help(command: Command) -> str:
    """What one subcommand does and its flags."""
    service = " <service>" if command.arguments else ""
    lines = [command.summary, "", "Usage:", f"  {PROGRAM} {command.words}{service} [flags]", "", "Flags:"]
    width = max((len(f"--{name} {kind}") for name, kind, _, _ in command.flags), default=0)
    for name, kind, default, summary in command.flags:
        shown = f"--{name}" if kind == "bool" else f"--{name} {kind}"
        lines.append(f"  {shown:<{width}}  {summary}{default_text(kind, default)}")
    return "\n".join(lines)
