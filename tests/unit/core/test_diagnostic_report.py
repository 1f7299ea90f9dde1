"""Reports of diagnostics, and the formats of the tools that read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from pykamal.core.catalogue.settings import IGNORED_HOST, UNKNOWN_KEY, WRONG_TYPE
from pykamal.core.diagnostic_report import report, text_lines
from pykamal.core.diagnostics import Diagnostic, Location, Severity
from pykamal.core.source import Position

pytestmark = pytest.mark.unit

KEY = UNKNOWN_KEY.diagnostic(
    "unknown key: volums",
    Location(Position("config/deploy.yml", 6, 1), "volums", quote="volums: []\n^"),
    remedy="did you mean volumes?",
)
TYPE = WRONG_TYPE.diagnostic(
    "proxy/app_port: should be an integer",
    Location(Position("config/my apps/deploy.yml", 10, 19), "proxy/app_port"),
    evidence=['expected an integer, found the string "3000"'],
)
HOST = IGNORED_HOST.diagnostic("5 is no host name", Location(host="192.0.2.1"))
WAIVED = replace(KEY, waiver="goes with the next release, OPS-7")
ALL = (KEY, TYPE, HOST, WAIVED)

FILE = "config/deploy.yml"


def parsed(form: str, *diagnostics: Diagnostic) -> Any:
    return json.loads(report(form, diagnostics, FILE))


def test_text() -> None:
    """Place, message and identifier; below them the line with its caret, the evidence and the remedy."""
    assert text_lines(ALL) == (
        "config/deploy.yml:6:1: unknown key: volums [unknown-key]",
        "    volums: []",
        "    ^",
        "    did you mean volumes?",
        "config/my apps/deploy.yml:10:19: proxy/app_port: should be an integer [wrong-type]",
        '    expected an integer, found the string "3000"',
        "192.0.2.1: 5 is no host name [ignored-host]",
        "config/deploy.yml:6:1: unknown key: volums [unknown-key] (waived: goes with the next release, OPS-7)",
        "    volums: []",
        "    ^",
        "    did you mean volumes?",
    )


def test_json() -> None:
    """Every field of a diagnostic; the catalogue's remedy where the diagnostic has none of its own."""
    document = parsed("json", *ALL)
    assert (document["version"], document["valid"]) == (2, False)
    first, second, third, fourth = document["diagnostics"]
    assert first == {
        "identifier": "unknown-key",
        "severity": "error",
        "message": "unknown key: volums",
        "location": {
            "file": "config/deploy.yml",
            "line": 6,
            "column": 1,
            "setting": "volums",
            "host": None,
            "image": None,
            "package": None,
        },
        "evidence": [],
        "remedy": "did you mean volumes?",
        "waiver": None,
    }
    assert (second["remedy"], second["evidence"]) == (WRONG_TYPE.remedy, list(TYPE.evidence))
    assert (third["severity"], third["location"]["host"]) == ("warning", "192.0.2.1")
    assert fourth["waiver"] == "goes with the next release, OPS-7"


@pytest.mark.parametrize(("diagnostics", "valid"), [((), True), ((HOST, WAIVED), True), ((HOST, KEY), False)])
def test_what_is_valid(diagnostics: tuple[Diagnostic, ...], valid: bool) -> None:
    """Warnings, and errors that somebody has accepted, do not make a configuration invalid."""
    assert parsed("json", *diagnostics)["valid"] is valid


def test_sarif_has_what_its_schema_requires() -> None:
    """SARIF 2.1.0: required properties, allowed values, and references that lead somewhere."""
    log = parsed("sarif", *ALL)
    assert log["version"] == "2.1.0"
    assert log["$schema"] == "https://json.schemastore.org/sarif-2.1.0.json"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "pykamal"
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    for rule in driver["rules"]:
        assert all(rule[text]["text"] for text in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert len(run["results"]) == len(ALL)
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert re.fullmatch(r"[A-Za-z0-9._~/:%-]+", physical["artifactLocation"]["uri"]), "RFC 3986"
        assert physical["region"]["startLine"] >= 1
        assert physical["region"]["startColumn"] >= 1
        assert all(logical["fullyQualifiedName"] for logical in location.get("logicalLocations", ()))
        assert all(each["kind"] in ("inSource", "external") for each in result.get("suppressions", ()))
    assert parsed("sarif")["runs"][0]["results"] == []


def test_sarif_places() -> None:
    """Paths are URIs; what has no file is placed at the file that the report is about, and names its host."""
    placed, spaced, unplaced, waived = parsed("sarif", *ALL)["runs"][0]["results"]
    assert placed["locations"][0]["physicalLocation"]["region"] == {"startLine": 6, "startColumn": 1}
    assert spaced["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "config/my%20apps/deploy.yml"
    assert unplaced["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == FILE
    assert unplaced["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "192.0.2.1", "kind": "host"}]
    assert waived["suppressions"] == [{"kind": "external", "justification": "goes with the next release, OPS-7"}]
    absolute = replace(KEY, location=Location(Position("/srv/my app/deploy.yml")))
    (result,) = parsed("sarif", absolute)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///srv/my%20app/deploy.yml"


def test_github_annotations() -> None:
    """One workflow command a diagnostic, with level, place and identifier; a line break is `%0A`."""
    assert report("github", ALL, FILE).splitlines() == [
        "::error file=config/deploy.yml,line=6,col=1,title=unknown-key::unknown key: volums%0Adid you mean volumes?",
        (
            "::error file=config/my apps/deploy.yml,line=10,col=19,title=wrong-type::"
            f'proxy/app_port: should be an integer%0Aexpected an integer, found the string "3000"%0A{WRONG_TYPE.remedy}'
        ),
        (
            "::warning file=config/deploy.yml,line=1,col=1,title=ignored-host::"
            f"192.0.2.1: 5 is no host name%0A{IGNORED_HOST.remedy}"
        ),
        (
            "::notice file=config/deploy.yml,line=6,col=1,title=unknown-key::"
            "unknown key: volums%0Adid you mean volumes?%0Awaived: goes with the next release, OPS-7"
        ),
    ]
    assert report("github", [], FILE) == ""


def test_github_annotations_cannot_be_left() -> None:
    """No text ends an annotation and begins a workflow command of its own."""
    evil = "50%\r\n::stop-commands::x\n::set-env name=PATH,a:b"
    diagnostic = replace(KEY, message=evil, location=Location(Position(evil)))
    (line,) = report("github", [diagnostic], FILE).splitlines()
    properties, message = line.removeprefix("::error ").split("::", 1)
    assert properties.startswith(
        "file=50%25%0D%0A%3A%3Astop-commands%3A%3Ax%0A%3A%3Aset-env name=PATH%2Ca%3Ab,line=1,col=1,title="
    )
    assert message.startswith("50%25%0D%0A::stop-commands::x%0A::set-env name=PATH,a:b")


def test_gitlab_code_quality() -> None:
    """The properties that GitLab reads, with values that it knows."""
    entries = parsed("gitlab", *ALL)
    assert entries[0]["description"] == "unknown key: volums; did you mean volumes?"
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["path"]
        assert entry["location"]["lines"]["begin"] >= 1
    assert [entry["severity"] for entry in entries] == ["major", "major", "minor", "info"]
    assert parsed("gitlab") == []


def test_fingerprints_are_stable_and_apart() -> None:
    """A diagnostic keeps its fingerprint when lines move, and over versions; no two of a report have the same one."""

    def fingerprints(*diagnostics: Diagnostic) -> list[str]:
        return [entry["fingerprint"] for entry in parsed("gitlab", *diagnostics)]

    moved = replace(KEY, location=replace(KEY.location, position=Position("config/deploy.yml", 60, 3)))
    assert fingerprints(KEY) == fingerprints(moved) == fingerprints(HOST, KEY)[1:]
    assert len(set(fingerprints(KEY, moved, TYPE, HOST))) == 4
    assert fingerprints(KEY) == ["e03249ff1218a8b1dfcfe73087f6ff09d89d4c0401a6e96994c4047c06585c50"]


def test_control_characters_stay_harmless() -> None:
    """Documents for machines carry text of others, and a terminal shows them all the same."""
    diagnostic = replace(KEY, message="\x1b]0;owned\x07 \u202e", severity=Severity.NOTE)
    for form in ("json", "sarif", "gitlab"):
        assert "\x1b" not in report(form, [diagnostic], FILE)
        assert "\u202e" not in report(form, [diagnostic], FILE)
