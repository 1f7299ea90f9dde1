"""YAML as Ruby's Psych reads it (spec/config.md 1.4), its limits, and the merge of destinations (1.2)."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from pykamal.config import load_document
from pykamal.config.document import Document, plain_value
from pykamal.config.scalars import typed
from pykamal.config.yaml_reader import MAXIMUM_DEPTH, MAXIMUM_FILE_BYTES, MAXIMUM_NODES
from pykamal.core.errors import ConfigurationError
from pykamal.core.ruby import Symbol
from tests.config_world import World

pytestmark = pytest.mark.unit


def _document(text: str | bytes, over: str | None = None) -> Document:
    world = World(files={"config/deploy.yml": text})
    if over is None:
        return load_document(system=world)
    world.files["config/deploy.over.yml"] = over
    return load_document(destination="over", system=world)


def _data(text: str, over: str | None = None) -> Any:
    return plain_value(_document(text, over).root)


def _failure(text: str | bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        _document(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("yes", "Yes", "YES", "on", "ON", "true", "True")],
        *[(word, False) for word in ("no", "No", "off", "OFF", "false", "FALSE")],
        *[(word, None) for word in ("~", "null", "Null", "NULL", "")],
        *[(word, word) for word in ("y", "Y", "n", "N", "=", "<", "nullx", "yesterday")],
        *[("0600", 384), ("0644", 420), ("007", 7), ("00", 0), ("0_7", 7), ("0,7", 7), ("07_", 7)],
        *[(word, word) for word in ("0o600", "08", "09", "0_", "0b", "0x", "0b12")],
        *[("0x1F", 31), ("0xff_ff", 65535), ("0x1_", 1), ("0b11", 3), ("+5", 5), ("-5", -5)],
        *[("1_000", 1000), ("40_000_000", 40_000_000), ("1,000", 1000), ("1,00,0", 1000)],
        *[(word, word) for word in ("1__0", "5_", "_1", "1,", "1+")],
        *[("22:22", 80520), ("12:30", 45000), ("12:30:45", 45045), ("-12:30", -41400), ("+1:30", 5400)],
        *[(word, word) for word in ("3306:3306", "60:60", "1:2:3:4")],
        *[("1:30.5", 5430.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1_0.5", 10.5), ("1.5E-10", 1.5e-10)],
        *[(word, word) for word in ("1e3", "1.0e3", "1e+3", "1.1.1.1", "10m", ".", "-")],
        *[(".inf", math.inf), ("-.INF", -math.inf), ("1.0e+3", 1000.0)],
        *[(":verbose", Symbol("verbose")), (':"x y"', Symbol("x y")), (":x y", Symbol("x y")), ("::1", Symbol(":1"))],
        *[("2024-01-01", datetime.date(2024, 1, 1)), ("2024-13-01", "2024-13-01"), ("2024-02-30", "2024-02-30")],
        ("2024-01-01 10:00:00 Z", datetime.datetime(2024, 1, 1, 10, tzinfo=datetime.UTC)),
        ("99999999999999999999999", 99999999999999999999999),
    ],
)
def test_scalars(text: str, value: object) -> None:
    """Plain scalars get the types that Psych gives them, observed with Ruby Kamal 2.11.0."""
    result = typed(text)
    assert (type(result), result) == (type(value), value)


def test_not_a_number() -> None:
    """`.nan` is a number that equals nothing."""
    assert math.isnan(typed(".NaN"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 1\na: 2", {"a": 2}),
        ("off: 1\n5: 2\n~: 3", {"false": 1, "5": 2, "": 3}),
        ("b: &b {x: 1, y: 2}\na: {<<: *b, x: 9}", {"b": {"x": 1, "y": 2}, "a": {"x": 9, "y": 2}}),
        ("b: &b {x: 1, y: 2}\na: {x: 9, <<: *b}", {"b": {"x": 1, "y": 2}, "a": {"x": 1, "y": 2}}),
        (
            "b: &b {x: 1}\nc: &c {x: 2, z: 3}\na: {<<: [*b, *c]}",
            {"b": {"x": 1}, "c": {"x": 2, "z": 3}, "a": {"x": 1, "z": 3}},
        ),
        ("a: {<<: 5}", {"a": {"<<": 5}}),
        ("l: &l [{x: 1}]\na: {<<: *l}", {"l": [{"x": 1}], "a": {"<<": [{"x": 1}]}}),
        ('a: {"<<": {x: 1}}', {"a": {"x": 1}}),
        ("a: 1\n---\nb: 2", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: !!str 5\nb: !!int '7'\nc: !!float '1'\nd: !foo 5\ne: ! 5", {"a": "5", "b": 7, "c": 1.0, "d": 5, "e": 5}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("a: &x {k: &y [1]}\nb: *x\nc: *y", {"a": {"k": [1]}, "b": {"k": [1]}, "c": [1]}),
        (":a: :b", {"a": "b"}),
    ],
)
def test_documents(text: str, data: object) -> None:
    """Merge keys, tags, anchors, several documents, line ends and keys that are no strings."""
    assert _data(text) == data


def test_order_of_merged_keys() -> None:
    """Merged keys take the place of the `<<` line; an overridden key keeps that place."""
    merged = _data("b: &b {x: 1, y: 2}\na: {k: 0, <<: *b, z: 3, x: 9}")["a"]
    assert list(merged.items()) == [("k", 0), ("x", 9), ("y", 2), ("z", 3)]


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("m: {a: 1, b: {c: 2}}", "m: {b: {d: 3}, e: 4}", {"m": {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}}),
        ("l: [1, 2]", "l: [3]", {"l": [3]}),
        ("m: {a: 1}", "m: [a]", {"m": ["a"]}),
        ("m: [a]", "m: {a: 1}", {"m": {"a": 1}}),
        ("m: {a: 1}", "m: ~", {"m": None}),
        ("a: 1\nb: 2", "c: 3\na: 9", {"a": 9, "b": 2, "c": 3}),
        ("a: 1", "{}", {"a": 1}),
    ],
)
def test_destinations(base: str, over: str, result: dict[str, Any]) -> None:
    """Mappings merge recursively, everything else replaces, and the base's keys keep their place."""
    data = _data(base, over)
    assert data == result
    assert list(data) == list(result)


def test_anchors_do_not_cross_files() -> None:
    """An alias of the destination's file does not see the base's anchors."""
    with pytest.raises(ConfigurationError, match="An alias referenced an unknown anchor: x"):
        _document("a: &x 1", "b: *x")


def test_positions_survive_the_merge() -> None:
    """Each node of a merged document still names its own file, line and column."""
    root = _document("m:\n  a: 1\n  b: 2\n", "m:\n\n  b: 3\n").root
    inner = root.entries["m"].node
    places = [str(entry.node.position) for entry in inner.entries.values()]  # type: ignore[union-attr]
    assert places == ["config/deploy.yml:2:6", "config/deploy.over.yml:3:6"]


_SCANNING = "while scanning for the next token"
_TAB = "found a tab character that violate indentation"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        (
            "a: 1\nb: c: d\n",
            "(<unknown>): mapping values are not allowed in this context at line 2 column 5",
            "config/deploy.yml:2:5",
        ),
        (
            "a:\n\t- b\n",
            f"(<unknown>): found character that cannot start any token {_SCANNING} at line 2 column 1",
            "config/deploy.yml:2:1",
        ),
        (
            "a: b\n\tc",
            f"(<unknown>): {_TAB} while scanning a plain scalar at line 1 column 4",
            "config/deploy.yml:2:1",
        ),
        (
            "a: [1\n",
            "(<unknown>): did not find expected ',' or ']' while parsing a flow sequence at line 1 column 4",
            "config/deploy.yml:2:1",
        ),
        ("a: *foo\n", "An alias referenced an unknown anchor: foo", "config/deploy.yml:1:4"),
    ],
)
def test_syntax_errors(text: str, message: str, place: str) -> None:
    """Rows 6 to 8 of the catalogue: Psych's words, and the place where it was noticed."""
    error = _failure(text)
    assert error.message == message
    assert str(error.diagnostics[0].location.position) == place


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: 1\n" * (MAXIMUM_FILE_BYTES // 5 + 1), "is larger than"),
        ("[" * 100_000, "nested deeper than"),
        ("a: " + "{a: " * (MAXIMUM_DEPTH + 1), "nested deeper than"),
        ("".join(f"k{i}: v\n" for i in range(MAXIMUM_NODES)), "keys and values"),
        (
            "a0: &a0 [x]\n"
            + "".join(f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(9))}]\n" for i in range(1, 9)),
            "aliases expanded",
        ),
        ("a: &a [*a]", "contains itself"),
        ("a: &a {<<: *a}", "contains itself"),
        ("a: !ruby/object:Gem::Installer {}", "never made from YAML"),
        ("a: !ruby/object:OpenStruct\n  x: 1", "never made from YAML"),
        ("a: !!python/object/apply:os.system [ls]", "never made from YAML"),
        ("? [a]\n: b", "a key must be a plain value"),
        (b"a: \xff\n", "is not valid UTF-8"),
        (b"a: \x00\n", "control characters are not allowed"),
    ],
)
def test_hostile_files(text: str | bytes, part: str) -> None:
    """Each limit has an error of its own, and no tag ever makes an object."""
    assert part in _failure(text).message


def test_surprises_are_warned_about() -> None:
    """Base-sixty numbers, commas and repeated keys are kept as Psych reads them, with a warning (spec/config.md 22)."""
    warnings = _document("port: 22:22\nsize: 1,000\nport: 1\n").warnings
    assert [str(warning) for warning in warnings] == [
        "config/deploy.yml:1:7: YAML reads 22:22 as the number 80520; write '22:22' to keep the text",
        "config/deploy.yml:2:7: YAML reads 1,000 as the number 1000; write '1,000' to keep the text",
        "config/deploy.yml:3:1: port is written twice; the last one counts",
    ]
