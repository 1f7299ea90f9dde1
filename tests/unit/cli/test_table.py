"""The table of commands against the catalogue of the specification (cli.md 12)."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pykamal.cli.options import GLOBAL, Kind
from pykamal.cli.table import COMMANDS, GROUPS, command_row, names_of_ours, top_names, within
from pykamal.cli.table.row import Effect
from pykamal.config.validation.per_section import BUILT_IN_COMMANDS

pytestmark = pytest.mark.unit

LOGS = "-s/--since=text -n/--lines=number -g/--grep=text -f/--follow -T/--skip-timestamps"

PUBLISH = "--publish --publish-host-ip=repeated --http-port=number --https-port=number"
PROXY_IMAGE = "--registry=text --repository=text --image-version=text"

CATALOGUE = {
    # 12.1
    "setup": ("", "-P/--skip-push --no-cache"),
    "deploy": ("", "-P/--skip-push --no-cache"),
    "redeploy": ("", "-P/--skip-push --no-cache"),
    "rollback": ("[VERSION]", ""),  # without one, what there is to go back to
    "details": ("", ""),
    "audit": ("", ""),
    # Ours, all of it.
    "config": ("[validate|schema]", "--resolved --explain=text --strict --safe --pass-env=repeated --output=text"),
    "docs": ("[SECTION]", ""),
    "init": ("", "--bundle"),
    "remove": ("", "-y/--confirmed --keep-data"),  # --keep-data is ours
    "upgrade": ("", "-y/--confirmed --rolling"),
    "version": ("", ""),
    "help": ("[COMMAND...]", ""),
    "tree": ("", ""),
    # 12.2
    "app boot": ("", ""),
    "app start": ("", ""),
    "app stop": ("", ""),
    "app details": ("", ""),
    "app exec": ("COMMAND...", "-i/--interactive --reuse -e/--env=pairs --detach --raw"),
    "app containers": ("", ""),
    "app images": ("", ""),
    "app stale_containers": ("", "-s/--stop"),
    "app logs": (
        "",
        f"{LOGS} --grep-options=text --container-id=text",
    ),
    "app remove": ("", ""),
    "app live": ("", ""),
    "app maintenance": ("", "--drain-timeout=number --message=text"),
    "app version": ("", ""),
    "app remove_container": ("VERSION", ""),
    "app remove_containers": ("", ""),
    "app remove_images": ("", ""),
    "app remove_app_directories": ("", ""),
    # 12.3
    "accessory boot": ("NAME", ""),
    "accessory reboot": ("NAME", ""),
    "accessory start": ("NAME", ""),
    "accessory stop": ("NAME", ""),
    "accessory restart": ("NAME", ""),
    "accessory details": ("NAME", ""),
    "accessory exec": ("NAME COMMAND...", "-i/--interactive --reuse --raw"),
    "accessory logs": (
        "NAME",
        f"{LOGS} --grep-options=text",
    ),
    "accessory remove": ("NAME", "-y/--confirmed --keep-data"),
    "accessory upgrade": ("NAME", "--rolling -y/--confirmed"),
    "accessory upload": ("NAME", ""),
    "accessory directories": ("NAME", ""),
    "accessory pull_image": ("NAME", ""),
    "accessory remove_container": ("NAME", ""),
    "accessory remove_image": ("NAME", ""),
    "accessory remove_service_directory": ("NAME", ""),
    # 12.4
    "proxy boot": ("", ""),
    "proxy boot_config": (
        "set|get|reset",
        f"{PUBLISH} {PROXY_IMAGE} --log-max-size=text --metrics-port=number --debug --docker-options=words",
    ),
    "proxy reboot": ("", "--rolling -y/--confirmed --force"),  # --force is ours
    "proxy upgrade": ("", "--rolling -y/--confirmed"),
    "proxy start": ("", ""),
    "proxy stop": ("", ""),
    "proxy restart": ("", ""),
    "proxy details": ("", ""),
    "proxy logs": ("", LOGS),
    "proxy remove": ("", "--force"),
    "proxy remove_container": ("", ""),
    "proxy remove_image": ("", ""),
    "proxy remove_proxy_directory": ("", ""),
    # 12.5
    "build deliver": ("", ""),
    "build push": ("", "--output=text --no-cache"),
    "build pull": ("", ""),
    "build create": ("", ""),
    "build remove": ("", ""),
    "build details": ("", ""),
    "build dev": ("", "--output=text --no-cache"),
    "lock status": ("", ""),
    "lock acquire": ("", "-m/--message=text"),
    "lock release": ("", ""),
    "prune all": ("", ""),
    "prune containers": ("", "--retain=number"),
    "prune images": ("", ""),
    "registry setup": ("", "-L/--skip-local -R/--skip-remote"),
    "registry login": ("", "-L/--skip-local -R/--skip-remote"),
    "registry logout": ("", "-L/--skip-local -R/--skip-remote"),
    "registry remove": ("", "-L/--skip-local -R/--skip-remote"),
    "secrets fetch": ("[NAME...]", "-a/--adapter=text --account=text --from=text --inline"),
    "secrets extract": ("NAME JSON", "--inline"),
    "secrets print": ("", ""),
    "server bootstrap": ("", ""),
    "server exec": ("COMMAND...", "-i/--interactive --raw"),
}
"""Arguments and own options of every command; `=KIND` where an option takes something."""

HIDDEN = {
    "app remove_container",
    "app remove_containers",
    "app remove_images",
    "app remove_app_directories",
    "accessory upload",
    "accessory directories",
    "accessory pull_image",
    "accessory remove_container",
    "accessory remove_image",
    "accessory remove_service_directory",
    "proxy upgrade",
    "proxy remove_container",
    "proxy remove_image",
    "proxy remove_proxy_directory",
}

GLOBAL_OPTIONS = (
    "-v/--verbose -q/--quiet --version=text -p/--primary -h/--hosts=text -r/--roles=text -c/--config-file=text "
    "-d/--destination=text -H/--skip-hooks --lock-wait --lock-wait-timeout=number --lock-wait-interval=number"
)
"""cli.md 1.4."""

OUR_OPTIONS = {"plan", "upgrade-proxy"}
OUR_GLOBAL_OPTIONS = {"output", "debug"}
"""The commands that Ruby Kamal does not have (docs/differences.md)."""


def written(options) -> set[str]:  # type: ignore[no-untyped-def]
    forms = set()
    for option in options:
        short = f"-{option.short}/" if option.short else ""
        kind = "" if option.kind is Kind.FLAG else f"={option.kind.value}"
        forms.add(f"{short}--{option.name}{kind}")
    return forms


@pytest.mark.parametrize("path", CATALOGUE)
def test_every_command_of_the_catalogue(path: str) -> None:
    """Its arguments, its options with their short forms, and whether help lists it (cli.md 12)."""
    arguments, options = CATALOGUE[path]
    command = command_row(path)
    assert command.arguments == arguments
    assert written(option for option in command.options if option.name not in OUR_OPTIONS) == set(options.split())
    assert command.hidden == (path in HIDDEN)


def test_nothing_but_the_catalogue() -> None:
    """Commands that Ruby Kamal lacks are marked as ours, so that they take no abbreviation away (cli.md 1.2)."""
    assert {command.path for command in COMMANDS if not command.ours} == set(CATALOGUE)


def test_the_validation_of_aliases_knows_every_command_of_ruby_kamal() -> None:
    """An alias named like a command never runs: an error where it is one in Ruby Kamal, else a warning (cli.md 10)."""
    assert set(top_names()) - names_of_ours() - {"help", "tree"} == BUILT_IN_COMMANDS


ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "pykamal"
SPECIFICATION = ROOT / "docs" / "spec" / "cli.md"


def specified() -> Iterator[tuple[str, dict[str, str]]]:
    """Every command in the tables of cli.md 12, with the cells of its row by column."""
    _, _, rest = SPECIFICATION.read_text(encoding="utf-8").partition("\n## 12. Command catalogue\n")
    section, _, _ = rest.partition("\n### 12.6 ")
    for part in section.split("\n### ")[1:]:
        heading, *lines = part.splitlines()
        columns: list[str] = []
        for line in lines:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells[:1] == ["Command"]:
                columns = cells
            elif cells and not cells[0].startswith("-"):
                facts = dict(zip(columns, cells, strict=True))
                yield from ((path, facts) for path in named(cells[0], heading.split()[1]))


def named(cell: str, heading: str) -> Iterator[str]:
    """The full names in a cell such as `build create`, `remove` or `lock status/acquire`."""
    group = heading if heading in GROUPS and f"`{heading} " not in cell else ""
    for text in re.findall(r"`([^`]+)`", cell):
        *before, last = [word for word in text.split() if re.fullmatch("[a-z_/]+", word)]
        group = " ".join(before) or group
        yield from (f"{group} {name}".strip() for name in last.split("/"))


@pytest.mark.parametrize(("path", "facts"), list(specified()))
def test_the_effect_of_every_command(path: str, facts: dict[str, str]) -> None:
    """The deploy lock, the log, the connection at the start and `all`, by the columns of the catalogue (cli.md 12)."""
    row = command_row(path)
    locked, logged = facts["L"], facts.get("M", facts["L"])
    assert (row.effect >= Effect.LOCKED) == (locked not in ("no", "-"))
    assert (row.effect >= Effect.LOGGED) == (logged != "no" and path.split(maxsplit=1)[0] != "lock")
    assert (row.looks_without == "stop") == locked.startswith("with")
    assert row.takes_all == (facts.get("all") == "yes")
    if facts.get("C") == "no":
        assert not (row.is_flow and row.connects)


@pytest.mark.parametrize("row", [row for row in COMMANDS if row.handler], ids=lambda row: row.path)
def test_the_deploy_lock_is_taken_by_the_commands_that_say_so(row) -> None:  # type: ignore[no-untyped-def]
    """The handlers of rows that are locked, and no others, reach the function that takes the lock (cli.md 8)."""
    assert (("operations.hosts.lock", "held") in reached(*row.handler.split(":"))) == (row.effect >= Effect.LOCKED)


def reached(module: str, name: str) -> set[tuple[str, str]]:
    """Every function of `operations` and `cli.handlers` that a function names, and that those name."""
    found: set[tuple[str, str]] = set()
    waiting = [(module, name)]
    while waiting:
        function = waiting.pop()
        if function not in found:
            found.add(function)
            waiting += named_in(*function)
    return found


@cache
def named_in(module: str, name: str) -> frozenset[tuple[str, str]]:
    functions, imported = parsed(module)
    named = set()
    for node in ast.walk(functions[name]) if name in functions else ():
        match node:
            case ast.Name(id=word):
                named.add((module, word) if word in functions else imported.get(word, ("", "")))
            case ast.Attribute(value=ast.Name(id=word), attr=attribute):
                package, last = imported.get(word, ("", ""))
                named.add((f"{package}.{last}", attribute))
    return frozenset(each for each in named if each[0].startswith(("operations.", "cli.handlers.")) and all(each))


@cache
def parsed(module: str) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]:
    """The functions of a module, and where the names come from that it imports from this package."""
    path = SOURCE / f"{module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text()) if path.is_file() else ast.parse("")
    functions: dict[str, ast.AST] = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    imported = {
        each.asname or each.name: (node.module.removeprefix("pykamal."), each.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pykamal.")
        for each in node.names
    }
    return functions, imported


def test_the_catalogue_is_read_as_a_whole() -> None:
    """Every row of a command of Ruby Kamal was compared."""
    assert {path for path, _ in specified()} == set(CATALOGUE)


def test_the_global_options() -> None:
    """Names, short forms and kinds (cli.md 1.4); ours have no short form, so none is taken away."""
    assert written(option for option in GLOBAL if option.name not in OUR_GLOBAL_OPTIONS) == set(GLOBAL_OPTIONS.split())
    assert all(option.short is None for option in GLOBAL if option.name in OUR_GLOBAL_OPTIONS)


def test_the_groups() -> None:
    """cli.md 1.1."""
    expected = ["accessory", "app", "build", "lock", "proxy", "prune", "registry", "secrets", "server"]
    assert sorted(set(GROUPS) - names_of_ours()) == expected
    assert all(within(group) for group in GROUPS)


@pytest.mark.parametrize("row", [row for row in COMMANDS if row.path not in ("help", "tree")], ids=lambda row: row.path)
def test_every_command_has_a_handler(row) -> None:  # type: ignore[no-untyped-def]
    """A flow takes a context, and the arguments and options of its row by name; another handler an invocation."""
    signature = inspect.signature(row.function())
    if row.is_flow:
        for count in {row.least_arguments, len(row.argument_names)}:
            signature.bind(object(), **row.named(["x"] * count), **dict.fromkeys(row.flow_options))
    else:
        signature.bind(object())
        assert signature.return_annotation in ("int", "NoReturn")
    assert row.needs_project or not row.is_flow


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.path)
def test_the_facts_of_a_row_agree(row) -> None:  # type: ignore[no-untyped-def]
    """A question can be answered on the command line; conditions and conflicts name options or arguments of the row."""
    keys = {option.key for option in row.options}
    assert not row.question or (row.is_flow and "confirmed" in keys)
    assert row.looks_without in {"", *keys, *row.argument_names}
    assert {key for conflict in row.conflicts for key in (conflict.option, *conflict.others)} <= keys
    assert not row.passes_options or "command" in row.argument_names
    assert not row.effect >= Effect.LOGGED or row.needs_project


def test_the_lookup_answers_for_the_commands_without_a_handler() -> None:
    """`help` and `tree` are texts about the table, so nothing runs."""
    assert [row.path for row in COMMANDS if not row.handler] == ["help", "tree"]


def test_an_unknown_name_is_an_error_of_ours() -> None:
    """No name that the table lacks gets the facts of another command."""
    with pytest.raises(AssertionError, match="secrets show is no command"):
        command_row("secrets show")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_written_twice(command) -> None:  # type: ignore[no-untyped-def]
    """Long and short forms are unique within a command, but for an own short form over a global one."""
    forms = [form.partition(" ")[0] for option in command.options for form in option.forms]
    assert len(forms) == len(set(forms))
    names = [option.name for option in command.all_options]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("command", COMMANDS)
def test_summaries_are_for_one_line(command) -> None:  # type: ignore[no-untyped-def]
    """A sentence without its full stop, short enough for a list."""
    assert command.summary
    assert not command.summary.endswith(".")
    assert len(command.summary) <= 110
