"""Every diagnostic that pykamal can report. `docs/diagnostics.md` and `kamal explain` are made from these rules.

A module here holds the rules of one subject, each a constant that the code which finds such a thing uses.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from pykamal.core.diagnostics import Rule


def subjects() -> dict[str, tuple[Rule, ...]]:
    """The rules by subject, in the order in which they are written."""
    from pykamal.core.catalogue import failures, files, hosts, leaks, secrets, settings

    return {
        "Reading the configuration": _rules(files),
        "Settings": _rules(settings),
        "Secrets": _rules(secrets),
        "Leaked secrets": _rules(leaks),
        "Hosts": _rules(hosts),
        "Commands that fail": _rules(failures),
    }


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its identifier."""
    return {rule.identifier: rule for each in subjects().values() for rule in each}


def _rules(module: ModuleType) -> tuple[Rule, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Rule))
