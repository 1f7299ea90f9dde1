"""No input makes the loader end in anything but a configuration or an error of its own family."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykamal.config import load
from pykamal.config.schema import section, section_files
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import ACCEPTED, REFUSED, changed
from tests.config_world import World
from tests.erb_table import ENVIRONMENT, EXPRESSIONS, FILES

pytestmark = pytest.mark.unit

_GENEROUS = settings(deadline=2000, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_words = st.sampled_from(
    sorted({key for name in section_files() for key in section(name).get("properties", {})} | {"web"})
)
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words | st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
_YAML_BITS = (
    "a|b|:| |- |  |&a |*a|<<|{|}|[|]|,|'|\"|>|#|!|!!str |? |%|@|`|~|0644|12:30|:sym"
    "|\u2028|\x85|\x07|\xe9|\U0001f4a5|\ufeff"
)
_RUBY_BITS = (
    "<%=~<%~%>~-%>~<%-~<%#~<%%~%%>~ ~\n~ENV~[~]~\"~'~A~x~.~(~)~||~?~:~+~-~*~%~/~=~==~if ~end~do |x| ~{~}~|x|~each~map~"
    "split~,~1~..~&:~#{~strip~nil~case ~when ~else~unless ~!~&&~<<~%w[~a: ~=> ~;~::~File~fetch"
)
_yaml_bits = st.lists(st.sampled_from([*_YAML_BITS.split("|"), "|", "\n", "\t", "---\n", "...\n"]), max_size=40).map(
    "".join
)
_ruby_bits = st.lists(st.sampled_from(_RUBY_BITS.split("~")), max_size=30).map("".join)


def _load(content: str | bytes) -> None:
    """Loads, or fails with the one error that loading may end in."""
    with suppress(ConfigurationError):
        load(system=_AnyShell(files={**FILES, "config/deploy.yml": content}, environment=dict(ENVIRONMENT)))


class _AnyShell(World):
    def run_shell(self, line: str, environment: object) -> str:
        return "x86_64\n"


@_GENEROUS
@given(st.binary(max_size=200))
def test_bytes(content: bytes) -> None:
    """Any bytes at all."""
    _load(content)


@_GENEROUS
@given(_yaml_bits)
def test_pieces_of_yaml(text: str) -> None:
    """Pieces of YAML load or are refused in any order."""
    _load(text)


@_GENEROUS
@given(_ruby_bits)
def test_pieces_of_templates(text: str) -> None:
    """Pieces of templates load or are refused in any order."""
    _load(f"a: <%= {text} %>")
    _load(text)


@_GENEROUS
@given(st.data())
def test_changed_expressions(data: st.DataObject) -> None:
    """Expressions that work, with a part cut out or doubled."""
    expression = data.draw(st.sampled_from(EXPRESSIONS))[0]
    start = data.draw(st.integers(0, len(expression)))
    end = data.draw(st.integers(start, len(expression)))
    _load(f"a: <%= {expression[:start]}{expression[end:]} %>")
    _load(f"a: <%= {expression[:end]}{expression[start:]} %>")


@_GENEROUS
@given(st.dictionaries(_words, _trees, max_size=6))
def test_any_values_under_known_keys(tree: dict[str, object]) -> None:
    """Any data under keys that mean something, laid over a valid file."""
    _load(yaml.safe_dump({**yaml.safe_load(changed("x-a: 1")), **tree}))


@_GENEROUS
@given(st.data())
def test_changed_files(data: st.DataObject) -> None:
    """Valid and invalid files with a piece cut out or put in."""
    change = data.draw(st.sampled_from([*ACCEPTED, *(row[1] for row in REFUSED)]))
    text = changed(change)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 10)))
    _load(text[:start] + data.draw(_yaml_bits) + text[end:])


_BUSY = "service: a\nimage: b\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n"
_LARGE = {
    "problems in a list": f"servers: [{'[],' * 24_000}]",
    "problems in a map": f"labels: {{{','.join(f'{n}: []' for n in range(24_000))}}}",
    "unknown keys": "\n".join(f"servics{n}: 1" for n in range(20_000)),
    "ssl roles": _BUSY
    + f"servers: {{{','.join(f'r{n}: {{hosts: [a], proxy: {{host: h{n}, ssl: true}}}}' for n in range(4000))}}}",
    "tags": f"{_BUSY}servers: [{','.join(f'{{h{n}: [t{n}]}}' for n in range(5000))}]\n"
    f"accessories: {{{','.join(f'a{n}: {{image: x, tag: t{n}}}' for n in range(3000))}}}",
    "tags of templates": "<%= 1 %>\n" * 100_000,
    "a long expression": f"<%= {'1 + ' * 200_000}1 %>",
    "a long number": f"a: {'9' * 1_000_000}",
    "a long text": f"a: {'x ' * 500_000}",
}


@pytest.mark.timeout(15)
@pytest.mark.parametrize("name", _LARGE)
def test_large_files(name: str) -> None:
    """A file as large as the limits allow takes a second or two, not minutes."""
    _load(_LARGE[name])
