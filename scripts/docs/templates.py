"""Documents the supported subset as Markdown, from the interpreter's own tables."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.erb.builtins import Builtins, Extensions
from pykamal.erb.exceptions import CLASSES
from pykamal.erb.kernel import KERNEL
from pykamal.erb.libraries import LIBRARIES
from pykamal.erb.libraries.gems import Version
from pykamal.erb.libraries.times import RubyDate, RubyTime
from pykamal.erb.libraries.uris import Uri
from pykamal.erb.methods import ANY_METHODS, TABLES
from pykamal.erb.ruby_names import ADVICE
from pykamal.erb.system import System
from pykamal.erb.values import Method


def markdown(system: System, extensions: Extensions) -> str:
    """Return two tables: the supported subset, and replacements for what is not supported."""
    builtins = Builtins({}, system, extensions)
    rows = [
        ("without a receiver", _code(sorted(KERNEL))),
        *((f"`{constant}`", _code(names)) for constant, names in _by_constant(builtins.function_names()).items()),
        ("constants", _code(sorted({*builtins.constant_names(), *CLASSES}))),
        ("every value", _code(sorted(ANY_METHODS))),
        *((_class(name), _code(sorted(table))) for name, table in value_tables().items() if table),
        ("`require`", _code(sorted(LIBRARIES))),
    ]
    supported = ["| of | what templates may use |", "| --- | --- |", *(f"| {of} | {names} |" for of, names in rows)]
    instead = ["| not supported | instead |", "| --- | --- |", *_instead()]
    return "\n".join([*supported, "", *instead])


def value_tables() -> dict[str, dict[str, Method]]:
    """Return the methods of every class of values."""
    return {
        **{name: table for name, _, table in TABLES},
        "Time": RubyTime.METHODS,
        "Date": RubyDate.METHODS,
        "Gem::Version": Version.METHODS,
        "URI": Uri.METHODS,
    }


def _by_constant(functions: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for constant, name in sorted(functions):
        found.setdefault(constant, []).append(name)
    return found


def _class(name: str) -> str:
    return name if "`" in name or " " in name or name in ("nil", "exceptions", "classes") else f"`{name}`"


def _code(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`".replace("|", "\\|") for name in names)


def _instead() -> Iterable[str]:
    by_advice: dict[str, list[str]] = {}
    for name, advice in ADVICE.items():
        by_advice.setdefault(advice, []).append(name)
    for advice, names in by_advice.items():
        yield f"| {_code(names)} | {advice} |"
