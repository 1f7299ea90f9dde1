"""Reports of diagnostics: text for people, and the formats of the tools that show them beside the code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pykamal import __version__
from pykamal.core.diagnostics import Diagnostic, Location, Severity
from pykamal.core.source import Position

MOST_SHOWN: Final = 100
"""Diagnostics that a text shows; the rest is counted."""

JSON_VERSION: Final = 2

_SARIF_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_GITHUB_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_ENDS_MESSAGE: Final = "%\r\n"
_ENDS_PROPERTY: Final = "%\r\n:,"
"""Characters that GitHub wants as percent and two hexadecimal digits."""

_GITLAB_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def text_lines(diagnostics: Sequence[Diagnostic], prefix: str = "") -> tuple[str, ...]:
    """Lines that show each diagnostic: place, message and identifier, the source line, the evidence, the remedy."""
    lines: list[str] = []
    for diagnostic in diagnostics[:MOST_SHOWN]:
        waived = "" if diagnostic.waiver is None else f" (waived: {diagnostic.waiver})"
        lines.append(f"{prefix}{diagnostic} [{diagnostic.identifier}]{waived}")
        below = (diagnostic.location.quote or "", *diagnostic.evidence, diagnostic.remedy or "")
        lines += [f"    {line}" for part in below for line in part.splitlines()]
    if len(diagnostics) > MOST_SHOWN:
        lines.append(f"and {len(diagnostics) - MOST_SHOWN} more")
    return tuple(lines)


def report(form: str, diagnostics: Sequence[Diagnostic], file: str) -> str:
    """The document of a format: `json`, `sarif`, `github` or `gitlab`.

    `file` stands for the place of what has none in a file, since the tools leave out what they cannot place.
    """
    from pykamal.core.printable import json_text

    if form == "github":
        return "\n".join(_github(each, _placed(each, file)) for each in diagnostics)
    documents: Mapping[str, Callable[[], object]] = {
        "json": lambda: as_json(diagnostics),
        "sarif": lambda: as_sarif(diagnostics, file),
        "gitlab": lambda: as_gitlab(diagnostics, file),
    }
    return json_text(documents[form](), indent=2)


def as_json(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """`{"version", "valid", "diagnostics": [...]}`. What has no error that counts is valid."""
    shown = list(diagnostics)
    return {
        "version": JSON_VERSION,
        "valid": not any(_severity(each) is Severity.ERROR for each in shown),
        "diagnostics": [as_mapping(each) for each in shown],
    }


def as_mapping(diagnostic: Diagnostic) -> dict[str, Any]:
    """The fields of a diagnostic as JSON values."""
    location = diagnostic.location
    return {
        "identifier": diagnostic.identifier,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "location": {
            **position_fields(location.position),
            "setting": location.setting or None,
            "host": location.host,
            "image": location.image,
            "package": location.package,
        },
        "evidence": list(diagnostic.evidence),
        "remedy": _remedy(diagnostic),
        "waiver": diagnostic.waiver,
    }


def position_fields(position: Position | None) -> dict[str, Any]:
    """`file`, `line` and `column`, each null without a position."""
    return {
        "file": position.file if position else None,
        "line": position.line if position else None,
        "column": position.column if position else None,
    }


def as_sarif(diagnostics: Sequence[Diagnostic], file: str) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run, whose rules are those of the catalogue that found something."""
    identifiers = list(dict.fromkeys(each.identifier for each in diagnostics))
    driver = {
        "name": "pykamal",
        "semanticVersion": __version__,
        "rules": [_sarif_rule(identifier) for identifier in identifiers],
    }
    results = [
        _sarif_result(each, identifiers.index(each.identifier), file, fingerprint)
        for each, fingerprint in zip(diagnostics, _fingerprints(diagnostics), strict=True)
    ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _sarif_rule(identifier: str) -> dict[str, Any]:
    from pykamal.core.catalogue import rules

    rule = rules()[identifier]
    return {
        "id": identifier,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
    }


def _sarif_result(diagnostic: Diagnostic, rule_index: int, file: str, fingerprint: str) -> dict[str, Any]:
    position = _placed(diagnostic, file)
    place: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(position.file)},
            "region": {"startLine": position.line, "startColumn": position.column},
        }
    }
    if names := _logical_names(diagnostic.location):
        place["logicalLocations"] = [{"fullyQualifiedName": name, "kind": kind} for kind, name in names]
    result: dict[str, Any] = {
        "ruleId": diagnostic.identifier,
        "ruleIndex": rule_index,
        "level": _SARIF_LEVELS[diagnostic.severity],
        "message": {"text": _whole_text(diagnostic, "\n")},
        "locations": [place],
        "partialFingerprints": {"pykamal/v1": fingerprint},
    }
    if diagnostic.waiver is not None:
        result["suppressions"] = [{"kind": "external", "justification": diagnostic.waiver}]
    return result


def _logical_names(location: Location) -> list[tuple[str, str]]:
    named = {"member": location.setting, "host": location.host, "image": location.image, "package": location.package}
    return [(kind, name) for kind, name in named.items() if name]


def _uri(file: str) -> str:
    from urllib.parse import quote

    return f"file://{quote(file)}" if file.startswith("/") else quote(file)


def _github(diagnostic: Diagnostic, position: Position) -> str:
    """A workflow command, which GitHub shows as an annotation of the line."""
    properties = {
        "file": position.file,
        "line": str(position.line),
        "col": str(position.column),
        "title": diagnostic.identifier,
    }
    listed = ",".join(f"{name}={_escaped(value, _ENDS_PROPERTY)}" for name, value in properties.items())
    text = _escaped(_whole_text(diagnostic, "\n"), _ENDS_MESSAGE)
    return f"::{_GITHUB_COMMANDS[_severity(diagnostic)]} {listed}::{text}"


def _escaped(text: str, characters: str) -> str:
    return "".join(f"%{ord(each):02X}" if each in characters else each for each in text)


def as_gitlab(diagnostics: Sequence[Diagnostic], file: str) -> list[dict[str, Any]]:
    """A code quality report, the subset of the Code Climate format that GitLab reads."""
    return [
        {
            "description": _whole_text(each, "; "),
            "check_name": each.identifier,
            "fingerprint": fingerprint,
            "severity": _GITLAB_SEVERITIES[_severity(each)],
            "location": {"path": (position := _placed(each, file)).file, "lines": {"begin": position.line}},
        }
        for each, fingerprint in zip(diagnostics, _fingerprints(diagnostics), strict=True)
    ]


def _fingerprints(diagnostics: Iterable[Diagnostic]) -> Iterator[str]:
    """Digests by which a tool knows a diagnostic again after lines have moved. Equal ones are numbered."""
    from hashlib import sha256

    seen: Counter[tuple[str | None, ...]] = Counter()
    for each in diagnostics:
        location = each.location
        file = location.position.file if location.position else None
        key = (each.identifier, file, location.setting, location.host, location.image, location.package, each.message)
        seen[key] += 1
        yield sha256(repr((key, seen[key])).encode("utf-8", "surrogatepass")).hexdigest()


def _placed(diagnostic: Diagnostic, file: str) -> Position:
    return diagnostic.location.position or Position(file)


def _severity(diagnostic: Diagnostic) -> Severity:
    """The severity that counts: what somebody has accepted is a note."""
    return diagnostic.severity if diagnostic.waiver is None else Severity.NOTE


def _whole_text(diagnostic: Diagnostic, separator: str) -> str:
    """Message, evidence, remedy and waiver in one text, after the host, image or package that it is about."""
    place = "" if diagnostic.location.position else str(diagnostic.location)
    waived = f"waived: {diagnostic.waiver}" if diagnostic.waiver is not None else ""
    parts = (f"{place}: {diagnostic.message}" if place else diagnostic.message, *diagnostic.evidence)
    return separator.join(filter(None, (*parts, _remedy(diagnostic), waived))).replace("\n", separator)


def _remedy(diagnostic: Diagnostic) -> str:
    from pykamal.core.catalogue import rules

    return diagnostic.remedy or rules()[diagnostic.identifier].remedy
