"""Reads an argument vector by the rules and with the messages of spec/proxy.md 3.1.

argparse would cost half of a client's life and words its errors differently.
"""

from __future__ import annotations

from collections.abc import Callable

from pykamal.proxy.commands import ALIASES, COMMANDS, Command, default_text
from pykamal.proxy.contract import LISTS, SHOWN_KINDS
from pykamal.proxy.durations import parse_duration
from pykamal.proxy.errors import UsageProblem
from pykamal.proxy.go_values import parse_bool, parse_int, parse_list, parse_number, quoted

PROGRAM = "kamal-proxy"
_GROUP = "rollout"
_COMMANDS = {command.words: command for command in COMMANDS}
_CONVERSIONS: dict[str, Callable[[str], object]] = {
    "bool": parse_bool,
    "int": parse_int,
    "duration": parse_duration,
    "number": parse_number,
    "headers": lambda text: [text],
    **dict.fromkeys(("list", "networks", "paths"), parse_list),
}


class Call:
    """A parsed command line: the command, its positional arguments, all flag values, and which were given."""

    __slots__ = ("arguments", "command", "given", "values")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.arguments: list[str] = []
        self.values: dict[str, object] = {
            each.flag: [] if each.kind in LISTS else each.default for each in command.flags
        }
        self.given: list[str] = []


def parse(argv: list[str]) -> Call | str:
    """The call, or the help text where help is the answer. Raises UsageProblem."""
    words, rest = _find_command(argv)
    if words == "help":
        about, rest = _find_command(rest)
        _read_flags(Call(Command(words, "")), rest)
        return _help(about)
    command = _COMMANDS.get(words)
    if command is None:
        if words not in ("", _GROUP):
            raise UsageProblem(f'unknown command {quoted(words)} for "{PROGRAM}"', f"Run '{PROGRAM} --help' for usage.")
        _read_flags(Call(Command(words, "")), rest)
        return _help(words)
    call = Call(command)
    if _read_flags(call, rest):
        return _help(words)
    _check(call)
    return call


def _find_command(argv: list[str]) -> tuple[str, list[str]]:
    """The words of the subcommand, `""` when there is none, and the arguments without them."""
    word, rest = _take_word(argv)
    word = ALIASES.get(word, word)
    if word == _GROUP:
        second, without = _take_word(rest)
        if f"{word} {second}" in _COMMANDS:
            return f"{word} {second}", without
    return word, rest


def _take_word(argv: list[str]) -> tuple[str, list[str]]:
    """The first word that is neither a flag nor, since nobody knows yet which flags have one, the value of a flag."""
    position = 0
    while position < len(argv) and (word := argv[position]) != "--":
        if word and not word.startswith("-"):
            return word, argv[:position] + argv[position + 1 :]
        has_value = "=" not in word and (word.startswith("--") or len(word) == 2)
        if has_value and len(argv) - position == 2:
            break
        position += 2 if has_value else 1
    return "", argv


def _read_flags(call: Call, words: list[str]) -> bool:
    """Fills `call`; true when help was asked for."""
    kinds = {"help": "bool"} | {each.flag: each.kind for each in call.command.flags}
    call.values["help"] = False
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            call.arguments += words[position:]
            break
        if not word.startswith("-") or word == "-":
            call.arguments.append(word)
            continue
        name, equals, value = _flag_of(word)
        kind = kinds.get(name)
        if kind is None:
            raise UsageProblem(f"unknown flag: --{name}")
        if not equals:
            if kind == "bool":
                value = "true"
            elif position < len(words):
                value = words[position]
                position += 1
            else:
                raise UsageProblem(f"flag needs an argument: --{name}")
        _store(call, name, kind, value)
    call.given = [name for name in call.given if name != "help"]
    return bool(call.values.pop("help"))


def _flag_of(word: str) -> tuple[str, str, str]:
    """Name, equals sign if there is one, value."""
    name, equals, value = word.partition("=")
    if name == "-h":
        name = "--help"
    if not name.startswith("--"):
        letter = word[2] if word.startswith("-h") else word[1]
        raise UsageProblem(f"unknown shorthand flag: {letter!r} in {word}")
    if name == "--" or name[2] == "-":
        raise UsageProblem(f"bad flag syntax: {word}")
    return name[2:], equals, value


def _store(call: Call, name: str, kind: str, text: str) -> None:
    try:
        value = _convert(kind, text)
    except ValueError as problem:
        raise UsageProblem(f'invalid argument {quoted(text)} for "--{name}" flag: {problem}') from None
    if kind in LISTS and name in call.given:
        call.values[name] = [*_as_list(call.values[name]), *_as_list(value)]
    else:
        call.values[name] = value
    if name not in call.given:
        call.given.append(name)


def _convert(kind: str, text: str) -> object:
    convert = _CONVERSIONS.get(kind)
    return convert(text) if convert else text


def _as_list(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _check(call: Call) -> None:
    command = call.command
    if len(call.arguments) != command.arguments:
        if command.arguments == 0:
            raise UsageProblem(f'unknown command {quoted(call.arguments[0])} for "{PROGRAM} {command.words}"')
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


def _help(words: str) -> str:
    command = _COMMANDS.get(words)
    return command_help(command) if command else program_help(words if words == _GROUP else "")


def program_help(group: str = "") -> str:
    """The list of subcommands, all or those of `group`."""
    words = f"{PROGRAM} {group}".strip()
    commands = [command for command in COMMANDS if command.words.startswith(f"{group} ") or not group]
    width = max(len(command.words) for command in commands)
    lines = ["HTTP proxy for zero downtime deployments", "", "Usage:", f"  {words} [command]", "", "Commands:"]
    lines += [f"  {command.words:<{width}}  {command.summary}" for command in commands]
    return "\n".join([*lines, "", f'Use "{words} [command] --help" for more about a command.'])


def command_help(command: Command) -> str:
    """The help of one subcommand: its purpose and its flags."""
    service = " <service>" if command.arguments else ""
    lines = [command.summary, "", "Usage:", f"  {PROGRAM} {command.words}{service} [flags]", "", "Flags:"]
    shown = [
        f"--{each.flag}" if each.kind == "bool" else f"--{each.flag} {SHOWN_KINDS.get(each.kind, each.kind)}"
        for each in command.flags
    ]
    width = max(map(len, shown), default=0)
    for text, each in zip(shown, command.flags, strict=True):
        lines.append(f"  {text:<{width}}  {each.summary}{default_text(each.kind, each.default)}")
    return "\n".join(lines)
