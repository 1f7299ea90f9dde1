"""A key of deploy.yml is an entry of the schema, a field of a model, and the line that reads it (CONTRIBUTING.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from pykamal.cli.annotated_config import reference_text
from pykamal.cli.completion.candidates import candidates
from pykamal.config.explanation import explain
from pykamal.config.reference import with_reference
from pykamal.config.schema import bundle, editor_schema, section
from pykamal.config.validation import structure
from pykamal.core.catalogue.settings import INVALID_VALUE, WRONG_TYPE
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import changed
from tests.config_world import loaded

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SECTIONS = ("boot", "sshkit", "ssh", "registry", "builder", "proxy", "logging", "output", "x-pykamal")
INVENTED = {
    "type": "string",
    "enum": ["slow", "fast"],
    "x-message": "should be slow or fast",
    "default": "slow",
    "description": "How fast hosts are booted.",
    "examples": ["fast"],
}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One entry more in the schema of `boot`."""
    monkeypatch.setitem(bundle()["$defs"]["boot"]["properties"], "pace", INVENTED)
    structure._validator.cache_clear()
    yield
    structure._validator.cache_clear()


def missing_places(place: str, key: str) -> list[str]:
    """The places that do not have a key: the schema, the code that reads it, the documentation."""
    code = "".join(path.read_text() for path in (ROOT / "src/pykamal/config").rglob("*.py"))
    code += (ROOT / "src/pykamal/proxy/contract.py").read_text()
    places = {
        "schema": key in section(place)["properties"],
        "reading": re.search(rf'["/]{re.escape(key)}["/]', code) is not None,
        "documentation": f"| `{key}` |" in (ROOT / "docs/configuration.md").read_text(),
    }
    return [name for name, has_it in places.items() if not has_it]


@pytest.mark.parametrize(("place", "key"), [(place, key) for place in SECTIONS for key in section(place)["properties"]])
def test_a_key_is_in_every_place(place: str, key: str) -> None:
    """Each key of a section is read by the configuration, and documented; a key that nothing reads would lie."""
    missing = missing_places(place, key)
    assert missing in ([], ["documentation"] if "not" in section(place)["properties"][key] else [])


def test_a_key_that_was_forgotten_is_found() -> None:
    """The check of the test above sees each place that lacks one."""
    assert missing_places("boot", "pace") == ["schema", "reading", "documentation"]


@pytest.mark.usefixtures("added")
def test_validation_follows_from_the_schema() -> None:
    """A right value loads; another type, another word and a slip of the key are refused with their places."""
    loaded(changed("boot: {pace: fast}"))
    for value, rule in (("[1]", WRONG_TYPE), ("soon", INVALID_VALUE)):
        with pytest.raises(ConfigurationError) as refused:
            loaded(changed(f"boot: {{pace: {value}}}"))
        (found,) = refused.value.diagnostics
        assert (found.identifier, found.location.setting) == (rule.identifier, "boot/pace")
    with pytest.raises(ConfigurationError) as refused:
        loaded(changed("boot: {pase: fast}"))
    (found,) = refused.value.diagnostics
    assert "pace" in f"{found.message} {found.remedy}"


@pytest.mark.usefixtures("added")
def test_documentation_follows_from_the_schema() -> None:
    """docs/configuration.md, `kamal docs`, `kamal config --explain` with its completion, and the schema of editors."""
    row = '| `pace` | `slow` or `fast` | `"slow"` | How fast hosts are booted. | `"fast"` |'
    assert row in with_reference((ROOT / "docs/configuration.md").read_text())
    assert "How fast hosts are booted." in (reference_text("boot") or "")
    document = loaded(changed("boot: {pace: fast}")).document
    assert document is not None
    explanation = explain(document, "boot/pace")
    assert (explanation.known, explanation.value, explanation.default) == (True, "fast", "slow")
    assert [each.value for each in candidates(["config", "--explain", "boot/p"])] == [
        "boot/parallel_roles",
        "boot/pace",
    ]
    assert "boot" in [each.value for each in candidates(["config", "--explain", "bo"])]
    validator = jsonschema_rs.Draft202012Validator(editor_schema())
    assert not validator.is_valid({"boot": {"pace": "soon"}})
