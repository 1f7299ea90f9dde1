"""A key of deploy.yml is an entry of the schema, a field of a model, and the line that reads it (CONTRIBUTING.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from scripts.docs.configuration import with_reference

from pykamal.cli.annotated_config import reference_text
from pykamal.cli.completion.candidates import candidates
from pykamal.config.decoding import connections, service
from pykamal.config.document import Node
from pykamal.config.explanation import explain
from pykamal.config.models.boot import Boot
from pykamal.config.models.service import Config
from pykamal.config.node_reading import child, chosen
from pykamal.config.schema import bundle, editor_schema, own_sections, section
from pykamal.config.validation import structure
from pykamal.core.catalogue.settings import INVALID_VALUE, WRONG_TYPE
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import changed
from tests.config_world import loaded

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SECTIONS = (
    "boot",
    "sshkit",
    "ssh",
    "registry",
    "builder",
    "proxy",
    "logging",
    "output",
    "x-pykamal",
    "x-pykamal-secrets",
)
INVENTED = {
    "type": "string",
    "enum": ["slow", "fast"],
    "x-message": "should be slow or fast",
    "default": "slow",
    "description": "How fast hosts are booted.",
    "examples": ["fast"],
}

BASE: dict[str, dict[str, Any]] = {
    "builder": {"arch": "arm64"},
    "registry": {"username": "user", "password": "pw"},
}
"""Keys without which a section, or the file, is refused."""
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("builder", "local"): {"remote": "ssh://builder"},
    ("proxy", "ssl"): {"host": "example.com"},
    ("x-pykamal-secrets", "from"): {"providers": {"vault": {"adapter": "vault"}}},
}
"""Keys that one needs beside it."""


@dataclass(frozen=True, slots=True)
class PacedBoot(Boot):
    """The model with the field of the invented key."""

    pace: str = "slow"


def paced_boot(node: Node | None) -> PacedBoot:
    """The decoder with the line that reads the invented key."""
    read = connections.boot(node)
    fields = {name: getattr(read, name) for name in Boot.__slots__}
    return PacedBoot(**fields, pace=chosen(child(node, "pace"), "slow"))


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One entry more in the schema of `boot`."""
    monkeypatch.setitem(section("boot")["properties"], "pace", INVENTED)
    forget_schema()
    yield
    forget_schema()


def forget_schema() -> None:
    """Let the next look into the schema put it together anew."""
    bundle.cache_clear()
    structure._validator.cache_clear()


def is_read(place: str, key: str) -> bool:
    """Tell if the examples of a key change the configuration: something reads them into a model."""
    base, beside = BASE.get(place, {}), BESIDE.get((place, key), {})
    given = [
        {**base, **beside, key: example} for example in section(place)["properties"].get(key, {}).get("examples", ())
    ]
    without = decoded(place, {**base, **beside})
    return bool(given) and all(decoded(place, each) != without for each in given)


def decoded(place: str, settings: dict[str, Any]) -> Config:
    """The models of a file with one section, without the document that they were read from."""
    root, *inner = own_sections().get(place, (place,))
    for key in reversed(inner):
        settings = {key: settings}
    return replace(loaded(changed(f"{root}: {json.dumps(settings)}")), raw={}, warnings=())


def missing_places(place: str, key: str) -> list[str]:
    """The places that do not have a key: the schema, the code that reads it, the documentation."""
    places = {
        "schema": key in section(place)["properties"],
        "reading": is_read(place, key),
        "documentation": f"| `{key}` |" in (ROOT / "docs/configuration.md").read_text(),
    }
    return [name for name, has_it in places.items() if not has_it]


@pytest.mark.parametrize(("place", "key"), [(place, key) for place in SECTIONS for key in section(place)["properties"]])
def test_a_key_is_in_every_place(place: str, key: str) -> None:
    """Each key of a section reaches a model, and is documented; a key that nothing reads would lie."""
    assert missing_places(place, key) == []


def test_a_key_that_was_forgotten_is_found() -> None:
    """The check of the test above sees each place that lacks one."""
    assert missing_places("boot", "pace") == ["schema", "reading", "documentation"]


@pytest.mark.usefixtures("added")
def test_a_key_that_nothing_reads_is_found() -> None:
    """A key of the schema alone loads, and changes nothing."""
    assert missing_places("boot", "pace") == ["reading", "documentation"]


@pytest.mark.usefixtures("added")
def test_a_field_and_the_line_that_reads_it_are_all_that_a_model_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invented key arrives in the configuration, with its default where it is absent; other keys still do."""
    monkeypatch.setattr(service, "boot", paced_boot)
    boot = loaded(changed("boot: {pace: fast, limit: 2}")).boot
    assert isinstance(boot, PacedBoot)
    assert (boot.pace, boot.limit) == ("fast", 2)
    assert loaded(changed("boot: {limit: 2}")).boot == PacedBoot(limit=2)
    assert missing_places("boot", "pace") == ["documentation"]


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
