"""`kamal docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pykamal.cli.annotated_config import NAMES, reference_text
from pykamal.cli.dispatch import dispatch
from pykamal.config.load import load
from pykamal.operations.local.local_system import LocalSystem

pytestmark = pytest.mark.unit

SECTIONS = [
    "accessory",
    "alias",
    "boot",
    "builder",
    "configuration",
    "env",
    "logging",
    "output",
    "proxy",
    "registry",
    "role",
    "servers",
    "ssh",
    "sshkit",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_section_is_yaml(name: str) -> None:
    """Each text is commented YAML that reads, with something in it (cli.md 18.2)."""
    text = reference_text(name)
    assert text is not None
    document: dict[str, Any] = yaml.safe_load(text)
    assert document
    assert text.startswith("# ")


def test_the_sections_of_ruby_kamal() -> None:
    """All its names work, and our own section (cli.md 18.2)."""
    assert sorted(NAMES) == sorted([*SECTIONS, "x-pykamal", "x-pykamal-proxy", "x-pykamal-secrets"])


def test_the_whole_reference_is_a_valid_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of the whole file loads, once its roles and their names fit each other."""
    text = reference_text("configuration")
    assert text is not None
    (tmp_path / "deploy.yml").write_text(text.replace("primary_role: app", "primary_role: web"))
    (tmp_path / "deploy.staging.yml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    config = load(Path("deploy.yml"), destination="staging", system=LocalSystem())
    assert config.service == "shop"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a section the whole file; the case of letters is free; unknown names are refused (cli.md 18.2)."""
    assert dispatch(["docs"]) == 0
    assert "\nservice: shop\n" in capsys.readouterr().out
    assert dispatch(["docs", "Registry"]) == 0
    assert "\nregistry:\n" in capsys.readouterr().out
    assert dispatch(["docs", "registri"]) == 2
    assert capsys.readouterr().err == 'No documentation found for registri\nDid you mean?  "registry"\n'
