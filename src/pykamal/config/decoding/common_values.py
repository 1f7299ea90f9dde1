"""Scalars, options and environments as the models hold them."""

from __future__ import annotations

from pykamal.config.document import ListNode, Node, ScalarNode, ruby_text
from pykamal.config.models.env import Env
from pykamal.config.models.logging import Logging
from pykamal.config.models.plain_values import OptionValue, Scalar
from pykamal.config.node_reading import blank, child, entries, texts
from pykamal.core.ruby import Symbol

_STRUCTURED_ENV = ("clear", "secret", "tags")


def scalar(node: Node) -> Scalar:
    """Numbers with a fraction and everything exotic become the text that Ruby would print; empty containers null."""
    if not isinstance(node, ScalarNode):
        return None if blank(node) else plain_text(node)
    match node.value:
        case None | bool() | int() | str() as value:
            return value
        case value:
            return ruby_text(value)


def option(node: Node) -> OptionValue:
    if isinstance(node, ListNode):
        return tuple(scalar(item) for item in node.items)
    return scalar(node)


def options(node: Node | None) -> dict[str, OptionValue]:
    return {key: option(value) for key, value in entries(node)}


def scalars(node: Node | None) -> dict[str, Scalar]:
    return {key: scalar(value) for key, value in entries(node)}


def plain_text(node: Node) -> str:
    """A container where a scalar was meant, in Ruby's own notation for it."""
    match node:
        case ListNode(items=items):
            return f"[{', '.join(plain_text(item) for item in items)}]"
        case ScalarNode(value=None):
            return "nil"
        case ScalarNode(value=Symbol(name=name)):
            return f":{name}"
        case ScalarNode(value=str() as value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case ScalarNode(value=value):
            return ruby_text(value)
        case _:
            pairs = (f'"{key}"=>{plain_text(value)}' for key, value in entries(node))
            return f"{{{', '.join(pairs)}}}"


def env(node: Node | None) -> Env:
    """Either form of spec/config.md 5; tags are read by `tag_envs`."""
    if any(child(node, key) is not None for key in _STRUCTURED_ENV):
        return Env(scalars(child(node, "clear")), tuple(dict.fromkeys(texts(child(node, "secret")))))
    return Env(scalars(node))


def tag_envs(node: Node | None) -> dict[str, Env]:
    return {tag: env(variables) for tag, variables in entries(child(node, "tags"))}


def logging(node: Node | None) -> Logging:
    driver = child(node, "driver")
    return Logging(None if driver is None else scalar(driver), scalars(child(node, "options")))


def number(node: Node | None, default: int) -> int:
    value = scalar(node) if node is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default
