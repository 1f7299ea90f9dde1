"""The text of `kamal config` (spec/config.md 19)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config.document import plain_value
from pykamal.config.models import Config
from pykamal.config.psych_emitter import dumped
from pykamal.config.show import config_document
from pykamal.config.yaml_reader import read_yaml
from pykamal.erb.rendered import Rendered
from tests.config_catalogue import changed
from tests.config_world import World, loaded

pytestmark = pytest.mark.unit

_EXAMPLES = Path(__file__).parents[2] / "data" / "config"


def _shown(config: Config, version: str = "1.4.2") -> str:
    return config_document(config, version, [render(word, shown=True) for word in log_flags(config.logging)])


@pytest.mark.parametrize(("name", "destination"), [("minimal", None), ("roles", None), ("staging", "staging")])
def test_worked_examples(name: str, destination: str | None) -> None:
    """Section 19.3: the three worked examples, byte for byte."""
    world = World()
    if destination is not None:
        over = (_EXAMPLES / f"{name}.{destination}.yml").read_text()
        world.files[f"config/deploy.{destination}.yml"] = over
    config = loaded((_EXAMPLES / f"{name}.yml").read_text(), destination=destination, world=world)
    assert _shown(config) == (_EXAMPLES / f"{name}.shown").read_text()


@pytest.mark.parametrize(
    ("text", "yaml"),
    [
        *[
            (word, f"'{word}'")
            for word in ("7", "1.5", "true", "yes", "no", "null", "0600", "1,000", "12:30", "2024-01-01")
        ],
        *[(word, f"'{word}'") for word in ("", "a: b", "a #b", "trail ", '"json-file"', "08", "012345678", "x:")],
        *[
            (word, f'"{word}"')
            for word in ("y", "N", "--log-opt", "/abs", "$PWD/x", "%", "~", "::1", "*a", " a", "-", "=")
        ],
        *[
            (word, word)
            for word in ("a:b", "a=b", 'max-size="10m"', "10.0.0.1", "1e3", "127.0.0.1:9200:9200", "_x", "é x")
        ],
        ("a\nb", "|-\n  a\n  b"),
        ("a\nb\n", "|\n  a\n  b"),
        ("<<", "!!str '<<'"),
        ("a\n\n", '"a\\n\\n"'),
        (
            " ".join("abcdefghijklmnopqrstuvwxyz" * 2),
            " ".join("abcdefghijklmnopqrstuvwxyzabcdefghijklmn") + "\n  " + " ".join("opqrstuvwxyz"),
        ),
    ],
)
def test_quoting(text: str, yaml: str) -> None:
    """Section 19.2: each text in the style that Psych gives it, observed with Ruby Kamal 2.11.0."""
    assert dumped({"k": text}) == f"---\nk: {yaml}\n"


@pytest.mark.parametrize(
    ("value", "yaml"),
    [(None, ""), (True, "true"), (1.0, "1.0"), (1e20, "1.0e+20"), ([], "[]"), ({}, "{}"), (float("-inf"), "-.inf")],
)
def test_other_values(value: object, yaml: str) -> None:
    """Section 19.2: null is nothing after the colon and its blank; numbers as Ruby writes them."""
    assert dumped({"k": value}) == f"---\nk: {yaml}\n"


def test_lists_are_not_indented() -> None:
    """Section 19.2: block style, items under their key without indentation, nothing shared by anchors."""
    shared = ["x"]
    assert dumped({"a": [shared, shared, {"b": [1]}]}) == "---\na:\n- - x\n- - x\n- b:\n  - 1\n"


def test_literal_secrets_are_redacted() -> None:
    """Differs from Ruby Kamal on purpose: literal passwords and key data are not printed."""
    config = loaded(
        changed(
            "ssh: {key_data: [SSH_KEY, -----BEGIN]}\n"
            "@accessories: {db: {image: i, host: h, registry: {username: u, password: hunter2}}}"
        )
    )
    text = _shown(config)
    assert "hunter2" not in text
    assert "BEGIN" not in text
    assert text.count("[REDACTED]") == 3


def test_proxy_command() -> None:
    """Section 19.1: a proxy command prints as the object that Ruby makes of it."""
    text = _shown(loaded(changed("ssh: {proxy_command: 'nc %h %p'}")))
    lines = [
        "  :proxy: !ruby/object:Net::SSH::Proxy::Command",
        "    command_line_template: nc %h %p",
        "    command_line: ",
        "    timeout: 60",
    ]
    assert "\n".join(lines) in text


def test_accessories_without_servers() -> None:
    """Section 22: an empty list of roles, where Ruby Kamal dies (row 134)."""
    text = _shown(loaded(changed("servers: -\n@accessories: {db: {image: i, host: h}}")))
    assert text.startswith("---\n:roles: []\n:hosts:\n- h\n:version: 1.4.2\n")


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)  # NUL bytes are refused


@given(
    st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans() | st.none(), max_size=4),
)
def test_what_is_shown_reads_back(data: dict[str, object]) -> None:
    """YAML in Psych's style means the same when it is read again, for any text."""
    rendered = Rendered.untouched("f", dumped(data))
    node, _ = read_yaml(rendered)
    assert node is not None
    assert plain_value(node) == data
