"""The rules of the source: imports, quoting, sizes and words (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pykamal"
PACKAGES = re.findall(r"^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
CONTRACT = "pykamal.proxy.contract"
"""The one module of the proxy that every package may import."""

LAYERS = (
    {"selection"},
    {"context"},
    {"local"},
    {"secret_scan"},
    {"execution"},
    {"hosts"},
    {"images"},
    {"proxy"},
    {"app", "accessory"},
    {"deploy"},
    {"rollback", "removal", "upgrade", "details", "run", "secrets"},
)
"""The parts of operations/ from the lowest layer up, as its docstring lists them."""


def imports(below: Path, package: str) -> Iterator[tuple[Path, str, str]]:
    """Every import within `package` from one of its parts to another: file, importing part, imported part.

    What is imported for the type checker alone does not count.
    """
    for path in sorted(below.rglob("*.py")):
        part = path.relative_to(below).parts[0].removesuffix(".py")
        for node in _at_run_time(ast.parse(path.read_text())):
            for name in _names(node):
                if name.startswith(f"{package}.") and not f"{name}.".startswith(f"{CONTRACT}."):
                    imported = name.removeprefix(f"{package}.").split(".")[0]
                    if imported != part:
                        yield path.relative_to(ROOT), part, imported


def _at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from _at_run_time(node)


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names):
            return [each.name for each in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [f"{module}.{each.name}" for each in names]
    return []


def test_a_package_imports_only_packages_above_it() -> None:
    """In the order of CONTRIBUTING's table, which names every package."""
    assert sorted(PACKAGES) == sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
    wrong = [
        f"{path} imports {imported}"
        for path, part, imported in imports(SOURCE, "pykamal")
        if part in PACKAGES and imported in PACKAGES and PACKAGES.index(imported) > PACKAGES.index(part)
    ]
    assert wrong == []


def test_the_contract_of_the_proxy_imports_nothing_of_ours() -> None:
    """`proxy/contract.py` stands below every package, and is part of the proxy's image, which has no other package."""
    tree = ast.parse((SOURCE / "proxy/contract.py").read_text())
    imported = {name.split(".")[0] for node in ast.walk(tree) for name in _names(node)}
    assert imported == {"__future__", "typing"}


def test_the_template_language_knows_nothing_of_kamal() -> None:
    """`erb/` is a small language of its own: what is Kamal's comes from its caller."""
    mentions = [
        f"{path.name}:{number}"
        for path in sorted((SOURCE / "erb").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"kamal", re.sub(r"pykamal\.(erb|core)\b|KamalError", "", line), re.IGNORECASE)
    ]
    assert mentions == []


def test_a_part_of_the_operations_imports_only_what_stands_below_it() -> None:
    """The subject of a run comes first; the flows that bring subjects together come last."""
    layer_of = {part: number for number, layer in enumerate(LAYERS) for part in layer}
    parts = {path.stem for path in (SOURCE / "operations").iterdir() if not path.name.startswith("__")}
    assert sorted(layer_of) == sorted(parts), "a new part needs its layer"
    wrong = [
        f"{path} imports {imported}"
        for path, part, imported in imports(SOURCE / "operations", "pykamal.operations")
        if layer_of[imported] >= layer_of[part]
    ]
    assert wrong == []


def test_quoting_for_the_shell_happens_in_one_place() -> None:
    """Lines that reach a shell, or are shown for one, are quoted in `commands/words.py` and nowhere else."""
    quoting = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        if re.search(r"\bshlex\.(quote|join)\b|from shlex import|import shlex as|\bpipes\.quote\b", path.read_text())
    ]
    assert quoting == ["commands/words.py"]


SHELL_TEXTS = {
    "commands/command.py": "defines it",
    "commands/words.py": "a command inside a word",
    "commands/script.py": "the steps of a script",
    "commands/health.py": "a step in a loop of shell",
    "commands/processes.py": "a user's line, which may begin with a dash",
    "commands/proxy.py": "a step in a case of shell",
    "commands/secret_delivery.py": "steps in a condition of shell",
    "commands/stopping.py": "a step in an assignment of shell",
    "commands/ssh_client.py": "the last argument of ssh, and a ProxyCommand",
    "operations/hosts/wanted_proxy.py": "the words of `docker run`, to compare with a container",
    "operations/local/local_context.py": "a command of this machine without an event loop",
    "transport/channels.py": "the request of a channel",
    "transport/exchanges.py": "the line by which a shell becomes a command",
    "transport/local.py": "a shell that has its line from a pipe",
}


def test_the_text_for_a_shell_is_made_in_few_places() -> None:
    """Commands inside commands are words; each place that makes text of one is listed, with its reason."""
    making = {
        path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if "shell_text()" in path.read_text()
    }
    assert making == set(SHELL_TEXTS)


def test_git_is_called_in_one_place() -> None:
    """`commands/git.py` alone names the program, so that every call overrides what a repository's settings may run."""
    naming = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"(\S*/)?git(\s|$)", node.value)
    ]
    assert set(naming) == {"commands/git.py"}


def test_only_what_a_user_wrote_as_a_command_line_goes_to_a_shell_as_it_is() -> None:
    """`Raw` stands for `cmd` of deploy.yml and for what `exec` is given, and for nothing else."""
    raw = {
        f"{path.relative_to(SOURCE).as_posix()}: {ast.unparse(node.args[0])}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Raw"
    }
    assert raw == {
        *("commands/app.py: role.cmd", "commands/app.py: cmd"),
        *("commands/accessory.py: accessory.cmd", "commands/accessory.py: cmd"),
        "commands/command.py: text",
    }


SMALLEST_MODULE = 20
"""Lines below which a module that one other imports belongs into that one."""

SMALL_MODULES = {
    "commands/bundler.py": "command lines are built in commands/, where the tests of hostile values find them",
}


def test_a_small_module_has_several_importers() -> None:
    """A crumb stands in the module that uses it. What only a table or an interpreter names has no importer."""
    sources = {path: path.read_text() for path in SOURCE.rglob("*.py")}
    names = {path: ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in sources}
    imported = [
        {name for node in ast.walk(ast.parse(text)) for name in (*_names(node), *_modules(node))}
        for text in sources.values()
    ]
    small = [path for path, text in sources.items() if text.count("\n") < SMALLEST_MODULE and path.stem[:2] != "__"]
    crumbs = {
        path.relative_to(SOURCE).as_posix() for path in small if sum(names[path] in each for each in imported) == 1
    }
    assert crumbs == set(SMALL_MODULES)


def _modules(node: ast.AST) -> list[str]:
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


MIRROR = "the same subject in two layers: its command lines or its model, and what a run does with them"
SAME_FLOWS = "the same flows for the application, the accessories and the proxy"
SHARED_NAMES = {
    "__init__": "Python's own",
    "__main__": "Python's own",
    "errors": "each package's own exceptions",
    "system": "the machine as a protocol: what templates need of it, and what the configuration needs besides",
    **dict.fromkeys(
        ("accessory", "builder", "registry", "proxy", "proxy_extension", "secrets_extension", "service"), MIRROR
    ),
    **dict.fromkeys(("audit", "evidence", "facts", "hooks", "lock", "prune", "server"), MIRROR),
    "boot_config": "a command's handler and its flow",
    "secrets": "the diagnostics of secrets, and the handlers of `kamal secrets`",
    "settings": "the diagnostics of the keys of deploy.yml, and what an adapter of a secret manager reads of them",
    "removal": "a command's handler, and the flows for everything and for the application alone",
    "sandbox": "a command's handler and what it drives",
    "logs": "a command's handler, its command lines, and the flows for the application and the accessories",
    "proxy_image": "the same image: its command lines, its way to the hosts, its copy for the sandbox",
    **dict.fromkeys(("boot_plan", "exec", "lifecycle"), SAME_FLOWS),
}


def test_modules_of_one_name_have_one_subject() -> None:
    """A base name says what a module is about; those that share one are listed, with the reason."""
    bases = [path.stem for path in SOURCE.rglob("*.py")]
    assert {base for base in bases if bases.count(base) > 1} == set(SHARED_NAMES)


MODULES = {"pyyaml": "yaml", "jsonschema-rs": "jsonschema_rs", "azure-identity": "azure", "google-auth": "google"}
COME_WITH = {"cryptography": "asyncssh", "josepy": "acme", "requests": "acme"}
"""Modules that a dependency brings and that its interface speaks of."""


def dependencies() -> set[str]:
    """The names in pyproject.toml, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    return {re.split(r"[\[>=<~!; ]", each)[0] for each in [*project["dependencies"], *extras]}


def test_a_dependency_is_imported_and_has_its_reason() -> None:
    """CONTRIBUTING's table has a row for each, the code imports each, and nothing else that is not Python's own."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Changing dependencies")[2]
    assert (
        set(re.findall(r"^\| ([\w-]+)(?: \(extra `\w+`\))? \| [^|]+ \| [\d.]+ \|", table, re.MULTILINE))
        == dependencies()
    )
    imported = {
        name.partition(".")[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if not (isinstance(node, ast.ImportFrom) and node.level)
        for name in _names(node)
    }
    imported |= {
        name for path in SOURCE.rglob("*.py") for name in re.findall(r'import_extra\(\s*"(\w+)', path.read_text())
    }
    foreign = imported - set(sys.stdlib_module_names) - {"pykamal"}
    assert {COME_WITH.get(name, name) for name in foreign} == {
        MODULES.get(name.lower(), name) for name in dependencies()
    }


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method of the source, with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(SOURCE), node


def test_a_function_has_fewer_than_45_lines() -> None:
    """A function that fits a screen, docstring included, has one subject."""
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in functions()
        if (node.end_lineno or 0) - node.lineno + 1 >= 45
    ]
    assert long == []


REPLACED_NAMES = re.compile(
    "_*(Outside|LocalOutside|Workplace|Surroundings|Gate|Finding|Problem|Knowledge|Way|Wanted|EndedBadly|Targets|door"
    "|house|room|told|said|knowledge|surroundings|under_lock|on_each|brought_up_to_date|bring_where_missing|flights"
    "|cutter|asleep)"
)
"""Names that had a meaning in this project alone; each has a word of the field instead."""

REPLACED_MODULES = re.compile(
    "by_ruby|sequences|building|cross_rules|section_rules|requirements|diagnosis|acknowledging|route|grammar|manual"
    "|door|pauses|remedies|automatic|orders|flights|late|cutter|leases|guard|choice|issued|questions|limit|measure"
    "|finish|authority|outside|workplace|surroundings|gate"
)
PRIVATE_PROSE = re.compile(r"\b(doors?|houses?|rooms?|floors?|workplace|surroundings)\b", re.IGNORECASE)


def sources() -> list[Path]:
    """The Python and Lua files."""
    return sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.lua")])


def names_in(path: Path) -> set[str]:
    """Every identifier of a file, without what its strings and comments say."""
    if path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        return {token.string for token in tokens if token.type == tokenize.NAME}
    return set(re.findall(r"[A-Za-z_]\w*", re.sub(r"--.*|\"[^\"\n]*\"", "", path.read_text())))


def test_names_are_words_of_the_field() -> None:
    """No identifier and no module is called what a word of the field has replaced."""
    wrong = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in sources()
        for name in sorted(names_in(path))
        if REPLACED_NAMES.fullmatch(name)
    ]
    modules = [str(path.relative_to(SOURCE)) for path in sources() if REPLACED_MODULES.fullmatch(path.stem)]
    assert wrong + modules == []


def test_prose_has_no_private_words() -> None:
    """Docstrings and comments call a package a package; `floor` is also a method of numbers, in Ruby and in Lua."""
    wrong = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in sources()
        if path.name not in ("numbers.py", "ruby_names.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PRIVATE_PROSE.search(re.sub(r"math\.floor|local floor|floor\(", "", line))
    ]
    assert wrong == []
