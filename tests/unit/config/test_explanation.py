"""The output of `kamal config` for single keys, machines and editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from pykamal.config.explanation import explain
from pykamal.config.psych_emitter import dumped
from pykamal.config.schema import editor_schema
from pykamal.config.show import resolved_root
from tests.config_catalogue import changed
from tests.config_world import World, loaded

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
