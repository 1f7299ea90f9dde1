"""Problems and single keys for machines: JSON of our own, and SARIF 2.1.0 for code review tools."""

from __future__ import annotations

import re
from typing import Any

from pykamal import __version__
from pykamal.config.explanation import Explanation
from pykamal.config.show import plain_data
from pykamal.core.errors import ConfigurationError, Problem
from pykamal.core.source import Position

REPORT_VERSION = 1


def as_json(error: ConfigurationError | None, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """`{"version", "valid", "message", "problems": [...], "warnings": [...]}`; no error is a valid configuration."""
    problems = () if error is None else error.problems
    return {
        "version": REPORT_VERSION,
        "valid": error is None,
        "message": None if error is None else error.message,
        "problems": [_problem(problem) for problem in problems],
        "warnings": list(warnings),
    }


def explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    """`{"key", "known", "written", "value", "file", "line", "column", "default", "description"}`."""
    return {
        "key": explanation.path,
        "known": explanation.known,
        "written": explanation.written,
        "value": plain_data(explanation.value),
        **_place(explanation.position),
        "default": explanation.default,
        "description": explanation.description,
    }


def _place(position: Position | None) -> dict[str, Any]:
    return {
        "file": position.file if position else None,
        "line": position.line if position else None,
        "column": position.column if position else None,
    }


def as_sarif(error: ConfigurationError | None, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    problems = () if error is None else error.problems
    results = [*(_result(problem) for problem in problems), *map(_warning_result, warnings)]
    rule = {"id": "configuration", "shortDescription": {"text": "deploy.yml must be a valid configuration"}}
    driver = {"name": "pykamal", "version": __version__, "rules": [rule]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "message": problem.message,
        "path": problem.path,
        **_place(problem.position),
        "expected": problem.expected,
        "found": problem.found,
        "suggestion": problem.suggestion,
        "note": problem.note,
    }


def _result(problem: Problem) -> dict[str, Any]:
    return _sarif_result("error", _text(problem), problem.position)


def _warning_result(warning: str) -> dict[str, Any]:
    """A warning says where it applies at its beginning: `config/deploy.yml:3:5: ...`."""
    placed = re.match(r"(.+?):(\d+):(\d+): (.*)", warning, re.DOTALL)
    if placed is None:
        return _sarif_result("warning", warning, None)
    return _sarif_result("warning", placed[4], Position(placed[1], int(placed[2]), int(placed[3])))


def _sarif_result(level: str, message: str, position: Position | None) -> dict[str, Any]:
    result: dict[str, Any] = {"ruleId": "configuration", "level": level, "message": {"text": message}}
    if position is not None:
        region = {"startLine": position.line, "startColumn": position.column}
        location = {"artifactLocation": {"uri": position.file}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _text(problem: Problem) -> str:
    expected = f", expected {problem.expected}" if problem.expected else ""
    found = f", found {problem.found}" if problem.found and expected else ""
    near = f", did you mean {problem.suggestion}?" if problem.suggestion else ""
    return f"{problem.message}{expected}{found}{near}"
