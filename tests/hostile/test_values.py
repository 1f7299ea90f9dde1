"""Every place of deploy.yml and every argument, with every hostile value, in the shells that read our lines.

Nothing that a value holds is run, and each program is called with the words that a harmless value gives it, with the
hostile one in its place. `Raw` text is the exception: `cmd` and the command lines of `exec` are the user's own.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import pytest

from pykamal.commands.command import command
from pykamal.commands.words import Raw, Syntax
from pykamal.config.decoding import build_config
from pykamal.config.load import load_document
from pykamal.config.models import Config
from pykamal.config.schema import bundle
from pykamal.config.validation import validate
from pykamal.core.errors import ConfigurationError
from pykamal.core.sensitive import Sensitive, reveal
from tests.config_world import World
from tests.hostile.command_lines import CONSTANT, Arguments, Made, builders, commands_of, lines, name_of
from tests.hostile.payloads import PAYLOADS, payload
from tests.hostile.recording_shell import HOME, SHELLS, Call, Outcome, run_lines
from tests.hostile.schema_places import Tree, places, with_text

pytestmark = pytest.mark.hostile

HARMLESS: Final = "harmless0"

BASE: Final[Tree] = {
    "service": "app",
    "image": "acme/app",
    "servers": {
        "web": {"hosts": [{"h1": ["t"]}], "asset_path": "/assets:ro", "env": {"clear": {"A": "1"}}},
        "jobs": {"hosts": ["h2"], "cmd": "bin/jobs", "proxy": {"host": "jobs.example.com", "run": {"http_port": 81}}},
    },
    "registry": {"server": "ghcr.io", "username": ["USERNAME"], "password": ["PASSWORD"]},
    "builder": {"arch": ["amd64", "arm64"], "remote": "ssh://builder", "cache": {"type": "registry"}},
    "env": {"secret": ["SECRET"], "tags": {"t": {"T": "1"}}},
    "volumes": ["data:/data"],
    "error_pages_path": "public",
    "proxy": {"host": "example.com", "ssl": True},
    "accessories": {
        "db": {
            "image": "mysql",
            "host": "h3",
            "files": ["my.cnf:/etc/my.cnf:ro"],
            "directories": [{"local": "data", "remote": "/data", "mode": "0700", "owner": "me"}],
            "proxy": {"host": "db.example.com"},
        }
    },
}

CONTEXTS: Final[Mapping[str, Tree]] = {
    r"builder/pack/.*": {"builder": {"arch": "amd64", "pack": {"builder": "b"}}},
    r"x-pykamal/proxy/.*": {"x-pykamal": {"proxy": {"engine": "pykamal", "basic_auth": {"users": {"ada": "S"}}}}},
    r"(x-pykamal/ssh|ssh)/.*": {"x-pykamal": {"ssh": {"host_key_policy": "pinned"}}},
    r"env/(\*|{key})": {"env": {}},
    r"servers/\*/env/(\*|{key})": {"servers": {"web": {"hosts": ["h1"]}}, "env": {}},
}
"""Settings that a place needs beside it to count, by a pattern of places."""

USER_LINES: Final = frozenset({"servers/*/cmd", "accessories/*/cmd", "ssh/proxy_command"})
"""Command lines of the user's own, which a shell is to read."""

NOT_FOR_A_SHELL: Final[Mapping[str, str]] = {
    r".*/(files|directories)/\[\]/({key}|\*(/\[\])?)": "keys beside those of a path are ignored",
    r".*/ssl/({key}|\*(/\[\])?)": "keys beside those of a certificate are ignored",
    r".*/ssl/(certificate|private_key)_pem": "names of secrets",
    r"(.*/)?registry/(username|password)/\[\]": "names of secrets",
    r"x-pykamal/proxy/basic_auth/users/(\*|{key})": "names of secrets, and names in a file that the proxy reads",
    r"x-pykamal/secrets/(from|providers)/.*": "settings of adapters, and names that managers are asked for",
    r"ssh/key_data/\[\]": "names of secrets, or keys that this program reads",
    r"(.*/)?(proxy/hosts|servers/\*/hosts|accessories/\*/hosts|servers/\*|servers)/\[\]/\*(/\[\])?": "tags of hosts",
    r"env/tags/{key}": "tags of hosts",
    r"accessories/\*/(role|roles/\[\]|tag|tags/\[\])": "names of roles and tags, which are compared",
    r"primary_role": "the name of a role, which is compared",
    r"accessories/\*/files/\[\]/local": "a path of this machine, read without a shell",
    r"error_pages_path|secrets_path|output/file/path": "a path of this machine, read without a shell",
    r"aliases/.*": "words of kamal's own command line, split without a shell",
    r"hooks_output.*|boot/limit|minimum_version|ssh/log_level|ssh/port": "read by this program",
    r"output/otel/endpoint": "an address for HTTP",
    r"run_directory": "ignored",
}
"""Places whose text reaches no shell, by a pattern of places, and why."""


def document_with(place: str, text: str) -> str:
    """A deploy.yml with a text at a place."""
    context: Tree = next((tree for pattern, tree in CONTEXTS.items() if re.fullmatch(pattern, place)), {})
    return json.dumps(with_text({**BASE, **context}, place, text), ensure_ascii=False, indent=1)


def config_with(place: str, text: str) -> Config:
    """The configuration of such a file, not validated: what validation refuses is quoted all the same."""
    return build_config(load_document(system=World(files={"config/deploy.yml": document_with(place, text)})), None)


def substituted(value: Any, text: str) -> Any:
    """A value of any shape with a hostile text in place of the harmless one."""
    if not _has_it(value):
        return value
    match value:
        case str():
            return value.replace(HARMLESS, text)
        case Sensitive():
            return Sensitive(value.reveal().replace(HARMLESS, text))
        case list() | tuple():
            return type(value)(substituted(item, text) for item in value)
        case dict():
            return {substituted(key, text): substituted(item, text) for key, item in value.items()}
    return replace(value, **{name: substituted(part, text) for name, part in _parts(value).items()})


_KNOWN: Final[dict[int, tuple[Any, bool]]] = {}
"""Objects by identity, kept so that it stays theirs, and whether the harmless text is in them."""


def _has_it(value: Any) -> bool:
    if isinstance(value, str | Sensitive):
        return HARMLESS in reveal(value)
    if id(value) not in _KNOWN:
        parts = value if isinstance(value, list | tuple) else [*_parts(value), *_parts(value).values()]
        _KNOWN[id(value)] = value, any(map(_has_it, parts))
    return _KNOWN[id(value)][1]


def _parts(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    if not is_dataclass(value):
        return {}
    return {field.name: getattr(value, field.name) for field in fields(value) if field.init}


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a text, and the calls that make the lines with it, and the harmless text."""

    name: str
    calls: tuple[Made, ...]

    def lines(self, text: str, index: int) -> list[str]:
        """The lines of one of the calls, with a text instead."""
        call = self.calls[index]
        return _wires(partial(call.func, *substituted(call.args, text), **substituted(call.keywords, text)))


def _wires(call: Made) -> list[str]:
    return [line.shell_text() for line in commands_of(call)]


@cache
def sources() -> tuple[Source, ...]:
    """Every place of deploy.yml that may reach a shell, and every argument."""
    of_places = (of_place(place) for place in places() if not _declared(place))
    of_arguments = (_of_argument(field.name) for field in fields(Arguments))
    return (*of_places, *of_arguments)


def of_place(place: str) -> Source:
    harmless, other = (
        list(lines(replace(config_with(place, text), document=None, raw={}), Arguments()))
        for text in (HARMLESS, f"{HARMLESS}other")
    )
    return _source(place, harmless, other)


def _of_argument(name: str) -> Source:
    config = config_with("service", "app")
    harmless, other = (
        list(lines(config, replace(Arguments(), **{name: text}))) for text in (HARMLESS, f"{HARMLESS}other")
    )
    return _source(f"argument {name}", harmless, other)


def _source(name: str, harmless: Sequence[Made], other: Sequence[Made]) -> Source:
    """A source with the calls to whose lines the text makes a difference."""
    pairs = zip(harmless, other, strict=True)
    return Source(name, tuple(one for one, another in pairs if _wires(one) != _wires(another)))


def _declared(place: str) -> bool:
    return place in USER_LINES or any(re.fullmatch(pattern, place) for pattern in NOT_FOR_A_SHELL)


# -- what shells make of it


@dataclass(frozen=True, slots=True)
class Run:
    """One line with a hostile text, or the same line with a harmless one."""

    source: str
    kind: str
    text: str
    canary: str
    line: str
    baseline: int
    """The number of the run with the harmless text."""


def runs_of(all_sources: Iterable[Source]) -> list[Run]:
    """Harmless lines first, each followed by its hostile forms."""
    runs: list[Run] = []
    for source in all_sources:
        first = [len(runs)]  # the run of each call's first line
        for index in range(len(source.calls)):
            harmless = source.lines(HARMLESS, index)
            runs += [Run(source.name, "", HARMLESS, "", line, first[-1] + at) for at, line in enumerate(harmless)]
            first.append(len(runs))
        for turn, kind in enumerate([*PAYLOADS, *["all"] * len(source.calls)]):
            canary = f"C{len(runs)}"
            text = "".join(payload(each, canary) for each in (PAYLOADS if kind == "all" else [kind]))
            index = turn % len(source.calls)
            hostile = source.lines(text, index)
            runs += [Run(source.name, kind, text, canary, line, first[index] + at) for at, line in enumerate(hostile)]
    return runs


def faults(runs: list[Run], outcome: Outcome) -> list[str]:
    """Return everything that a shell did with hostile texts beyond handing them on."""
    found = []
    for number, run in enumerate(runs):
        if not run.kind:
            continue
        expected = outcome.calls.get(run.baseline, [])
        calls = [_harmless(call, run) for call in outcome.calls.get(number, [])]
        if not expected:
            found.append(f"{run.source}: {run.line!r} called nothing, so that it shows nothing")
        elif run.canary in outcome.canaries:
            found.append(f"{run.source}, {run.kind}: was run by {run.line!r}")
        elif sorted(calls) != sorted(expected) and not _taken_apart(run):
            found.append(f"{run.source}, {run.kind}: {run.line!r} called\n  {calls}\n  instead of\n  {expected}")
    known = {run.canary for run in runs}
    stray = (name for name in outcome.canaries - known if not re.search(r"^\.kamal/|\.new-\d+$", name))
    return [*found, *(f"a file was made: {name}" for name in stray)]


_LONG: Final = re.escape(PAYLOADS["star"] + PAYLOADS["question mark and range"])

TAKEN_APART: Final[Mapping[str, str]] = {
    r"(.*/)?env/(.*/)?secret/\[\]": ":",  # NAME:SECRET
    r".*/run/bind_ips/\[\]": ":",  # an address of version 6 stands in brackets
    r"accessories/\*/port": ":",  # a port without one is doubled
    r"(accessories|servers)/(\*/)?(hosts?/)?(\[\](/{key})?)?|accessories/\*/host": "@",  # USER@HOST
    r"ssh/proxy": r"[,\s]",  # several hosts
    r"service|accessories/\*/files/.*|argument file_path": _LONG,  # longer than a file's name may be
    r"builder/args/{key}": r"\W",  # a name that a shell can assign to has its value in the environment
    r"argument secret": "",  # escaped once more for an env file
    r"argument container_id": "",  # split by xargs, as
    r"x-pykamal/proxy/run/proxy_protocol_from/\[\]": "",  # are addresses, which validation knows
}
"""Sources whose text does not arrive as one word where a pattern is found in it: then it must not be run, no more."""


def _taken_apart(run: Run) -> bool:
    return any(re.fullmatch(source, run.source) and re.search(mark, run.text) for source, mark in TAKEN_APART.items())


def _harmless(call: Call, run: Run) -> Call:
    """A call with the harmless text where the hostile one came through, in one of the forms that it may have."""
    words = list(call)
    for form in sorted(_forms(run), key=len, reverse=True):
        words = [word.replace(form, HARMLESS) for word in words]
    if call[0] == "grep" and "-e" in words:
        words.remove("-e")  # which marks a pattern that begins with a dash
    return tuple(words)


def _forms(run: Run) -> set[str]:
    """A text as it may stand in an argument."""
    text, dumped = run.text, ruby_form(run.text)
    forms = {
        text,
        dumped,
        _expanded(dumped, r"\${([A-Za-z_]\w*)}()"),
        _expanded(text, r"\$(?:{([A-Za-z_]\w*)}|([A-Za-z_]\w*))"),
        shlex.quote(text),  # in a ProxyCommand, which is a shell line inside an argument
    }
    if run.source.endswith("/except/[]"):  # a list of the proxy, which is comma-separated
        forms.add('"{}"'.format(text.replace('"', '""')))
    if run.source == "builder/remote":  # which gives its builder a name
        forms.add(re.sub("[^a-z0-9_-]", "-", text))
    if "host" in run.source or run.source.startswith("servers"):  # and a host name has its limits
        forms.add(text[:51].removesuffix("."))
    return forms


def ruby_form(text: str) -> str:
    """Return a double-quoted text as a container gets it: control characters and `#` before `{$@` are escaped."""
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e", "\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f"}
    escaped = "".join(
        named.get(each) or (f"\\x{ord(each):02X}" if ord(each) < 32 or each == "\x7f" else each) for each in text
    )
    return re.sub("#(?=[{$@])", r"\\#", escaped)


def _expanded(text: str, names: str) -> str:
    """Return a text after the host's shell has expanded these names."""
    values = {"IFS": " \t\n", "HOME": HOME}
    return re.sub(names, lambda match: values.get(match[1] or match[2], ""), text, flags=re.ASCII)


# -- the rules


def test_every_builder_is_in_the_table() -> None:
    """A new function that makes a line for a shell has to be rendered with hostile values too."""
    rendered = {name_of(call) for place in CONTEXT_PLACES for call in lines(config_with(place, HARMLESS), Arguments())}
    assert sorted(builders() - rendered - CONSTANT) == []
    assert sorted(CONSTANT - builders()) == [], "no longer there"
    assert sorted(CONSTANT & rendered) == []


CONTEXT_PLACES: Final = ("image", "builder/pack/builder")


def test_every_place_of_the_schema_reaches_a_line_or_is_declared() -> None:
    """A new key of deploy.yml is in the table by itself; one that reaches no shell has to say why."""
    without_lines = [source.name for source in sources() if not source.calls]
    assert without_lines == [], "name them in NOT_FOR_A_SHELL with the reason, or complete the file around them"
    reaching = [place for place in places() if place not in USER_LINES and _declared(place) and of_place(place).calls]
    assert reaching == []
    unused = [pattern for pattern in NOT_FOR_A_SHELL if not any(re.fullmatch(pattern, place) for place in places())]
    assert unused == []


def test_a_planted_key_of_the_schema_is_found() -> None:
    """The catalogue would notice a key that nobody declared, wherever it stands."""
    schema = deepcopy(bundle())
    text = {"type": "string"}
    schema["properties"]["planted"] = {"type": "object", "additionalProperties": text}
    schema["properties"]["proxy"] = {"type": "object", "properties": {"new": {"type": "array", "items": text}}}
    found = set(places(schema)) - set(places())
    assert found == {"planted/{key}", "planted/*", "proxy/new/[]", "proxy/{key}", "proxy/*", "proxy/*/[]"}
    assert not any(map(_declared, found))


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_of_a_value_is_run(shell: str, tmp_path: Path) -> None:
    """Every place, every argument, every payload: literal to the last character, one word where one is meant."""
    runs = runs_of(sources())
    found = faults(runs, run_lines(shell, [run.line for run in runs], tmp_path / "shell"))
    assert not found, f"{len(found)} faults, the first ones:\n" + "\n".join(found[:10])


RUN_WITHOUT_QUOTES: Final = (
    *("command substitution", "back-ticks", "semicolon", "pipe", "background", "redirection", "newline"),
    *("default value", "prompt expansion", "process substitution", "here document"),
)


def test_keys_and_addresses_are_refused_beforehand() -> None:
    """Validation refuses an invalid name and reports its place before any shell line is made."""
    keys = [place for place in places() if place.endswith("/{key}") and not _declared(place)]
    keys.remove("x-pykamal/proxy/security_headers/{key}")  # names of headers have rules of their own
    of_hosts = re.compile(r"ssh/(user|proxy)|builder/remote|accessories/\*/host|servers/(\*/)?(hosts/)?\[\](/{key})?")
    addresses = [place for place in places() if of_hosts.fullmatch(place)]
    assert len(keys) > 20
    assert len(addresses) > 8
    accepted = [
        f"{place}: {kind}"
        for place in (*keys, *addresses)
        for kind in (*RUN_WITHOUT_QUOTES, "leading dash")
        if not _is_refused(place, payload(kind, "C"))
    ]
    assert accepted == []


def _is_refused(place: str, text: str) -> bool:
    """Tell if a diagnostic of the file is at the place."""
    system = World(files={"config/deploy.yml": document_with(place, text)})
    document = load_document(system=system)
    try:
        validate(document, None, system)
    except ConfigurationError as error:
        path = place.replace("{key}", text).split("/")
        return any(len(problem.location.setting.split("/")) >= len(path) for problem in error.diagnostics)
    return False


HARMLESS_KINDS: Final = frozenset(
    {
        *("leading dash", "leading dashes"),  # for the program: see the patterns of the schema
        *("history", "percent signs", "typographic quotes", "spaces beyond ASCII", "control characters"),
    }
)
"""Kinds that no shell in question acts on outside of quotes; some other, or its configuration, may."""


@pytest.mark.parametrize("shell", SHELLS)
def test_planted_holes_are_found(shell: str, tmp_path: Path) -> None:
    """A value without quotes, or in quotes that it can end, is noticed with every payload that does harm there."""
    holes = (
        Source("bare", (partial(command, "docker", "run", Raw(HARMLESS), "image"),)),
        Source("double", (partial(command, "docker", "run", Syntax(f'"{HARMLESS}"'), "image"),)),
        Source("single", (partial(command, "docker", "run", Syntax(f"'{HARMLESS}'"), "image"),)),
    )
    runs = runs_of(holes)
    outcome = run_lines(shell, [run.line for run in runs], tmp_path / "shell")
    found = {match[1] for fault in faults(runs, outcome) if (match := re.match(r"(?:\w+), ([^:]+):", fault))}
    not_here = {"tilde behind an equals sign", "braces"} if shell == "dash" else set()
    assert found == {*PAYLOADS, "all"} - HARMLESS_KINDS - not_here
    ran = {run.kind for run in runs if run.canary in outcome.canaries}
    assert {"command substitution", "back-ticks", "semicolon", "newline", "default value", "redirection"} <= ran
