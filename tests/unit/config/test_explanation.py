"""What `kamal config` says about single keys, to machines and to editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from pykamal.config.explanation import explain
from pykamal.config.findings_report import as_json, as_sarif
from pykamal.config.psych_emitter import dumped
from pykamal.config.schema import editor_schema
from pykamal.config.show import resolved_root
from tests.config_catalogue import changed
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit

_EXAMPLES = Path(__file__).parents[2] / "data" / "config"


def test_explanation_of_a_written_key() -> None:
    """The value after merging, the place of the file that won, meaning and default."""
    world = World(files={"config/deploy.x.yml": "proxy:\n  app_port: 4000\n"})
    document = loaded(changed("proxy: {host: a, app_port: 3000}"), destination="x", world=world).document
    assert document is not None
    explanation = explain(document, "proxy/app_port")
    assert (explanation.value, explanation.default) == (4000, 80)
    assert str(explanation.position) == "config/deploy.x.yml:2:13"
    assert explanation.description == "Port that the app listens on in its container."


@pytest.mark.parametrize(
    ("key", "known", "written", "value"),
    [
        ("deploy_timeout", True, False, 30),
        ("servers.0", True, True, "1.1.1.1"),
        ("servers/web/cmd", True, False, None),
        ("env/clear/A", True, False, None),
        ("accessories/db/proxy/host", True, False, None),
        ("registry/password", True, True, "[REDACTED]"),
        ("nope", False, False, None),
        ("proxy/nope", False, False, None),
    ],
)
def test_explanations(key: str, known: bool, written: bool, value: object) -> None:
    """Keys that are not written, in any form of a section, secrets, and keys that do not exist."""
    document = loaded(changed("service: app")).document
    assert document is not None
    explanation = explain(document, key)
    assert (explanation.known, explanation.written, explanation.value) == (known, written, value)


def test_json_report() -> None:
    """Every problem with its place as plain fields."""
    report = as_json(refused(changed("volums: []")))
    assert (report["valid"], report["message"]) == (False, "unknown key: volums")
    assert report["problems"] == [
        {
            "message": "unknown key: volums",
            "path": "",
            "file": "config/deploy.yml",
            "line": 6,
            "column": 1,
            "expected": None,
            "found": None,
            "suggestion": "volumes",
            "note": None,
        }
    ]
    assert as_json(None, ("careful",)) == {
        "version": 1,
        "valid": True,
        "message": None,
        "problems": [],
        "warnings": ["careful"],
    }


def test_sarif_report() -> None:
    """SARIF 2.1.0: one result a problem, at its place."""
    (run,) = as_sarif(refused(changed("volums: []")))["runs"]
    (result,) = run["results"]
    assert result["message"]["text"] == "unknown key: volums, did you mean volumes?"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "config/deploy.yml"
    assert location["region"] == {"startLine": 6, "startColumn": 1}
    assert as_sarif(None)["runs"][0]["results"] == []


def test_sarif_warnings() -> None:
    """A warning is a result of its own level, at the place that it begins with."""
    warnings = ("config/deploy.yml:4:10: service: replace it", "careful")
    placed, unplaced = as_sarif(None, warnings)["runs"][0]["results"]
    assert (placed["level"], placed["message"]["text"]) == ("warning", "service: replace it")
    assert placed["locations"][0]["physicalLocation"]["region"] == {"startLine": 4, "startColumn": 10}
    assert (unplaced["level"], unplaced["message"]["text"]) == ("warning", "careful")
    assert "locations" not in unplaced


def test_resolved() -> None:
    """The merged files after templating, secrets redacted, loadable again."""
    config = loaded(
        changed('image: <%= "a" %>\n@registry: {username: u, password: hunter2}\n@x-a: &x [1]\n@volumes: *x')
    )
    text = dumped(resolved_root(config))
    assert "hunter2" not in text
    assert "image: a\n" in text
    assert loaded(text).volumes == ("1",)


def test_editor_schema() -> None:
    """Standard keywords only; accepts the worked examples and refuses a wrong key."""
    schema = editor_schema()
    assert '"x-message"' not in json.dumps(schema)
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid(loaded((_EXAMPLES / "roles.yml").read_text()).raw)
    assert not validator.is_valid({"service": "a", "volums": []})
    assert not validator.is_valid({"x-pykamal": {"nope": 1}})
