"""The sections about images: registry and builder."""

from __future__ import annotations

from pykamal.config.decoding.common_values import scalars
from pykamal.config.document import ListNode, MapNode, Node
from pykamal.config.models.builder import BuildCache, Builder, Buildpacks
from pykamal.config.models.registry import Credential, Registry
from pykamal.config.node_reading import blank, boolean, child, text, texts


def registry(node: Node | None) -> Registry:
    return Registry(
        server=text(child(node, "server")),
        username=_credential(child(node, "username")),
        password=_credential(child(node, "password")),
    )


def _credential(node: Node | None) -> Credential | None:
    if blank(node):
        return None
    if isinstance(node, ListNode):
        return Credential(secret=texts(node)[0])
    return Credential(literal=text(node))


def builder(node: Node | None) -> Builder:
    arch, context, local = child(node, "arch"), child(node, "context"), boolean(child(node, "local"))
    provenance = child(node, "provenance")
    flag = boolean(provenance)
    return Builder(
        arches=texts(arch) or tuple(filter(None, [text(arch)])),
        driver=text(child(node, "driver")) or "docker-container",
        remote=text(child(node, "remote")),
        local=True if local is None else local,
        context=text(context) or ".",
        context_given=context is not None,
        dockerfile=text(child(node, "dockerfile")) or "Dockerfile",
        target=text(child(node, "target")),
        args=scalars(child(node, "args")),
        secrets=texts(child(node, "secrets")),
        ssh=text(child(node, "ssh")),
        cache=_cache(child(node, "cache")),
        pack=_pack(child(node, "pack")),
        provenance=text(provenance) if flag is None else flag,
        sbom=boolean(child(node, "sbom")),
    )


def _cache(node: Node | None) -> BuildCache | None:
    """None without a type, which means no cache flags at all (spec/config.md 7.3)."""
    kind = text(child(node, "type"))
    if not kind:
        return None
    return BuildCache(kind, text(child(node, "options")), text(child(node, "image")))


def _pack(node: Node | None) -> Buildpacks | None:
    if not isinstance(node, MapNode) or blank(node):
        return None
    return Buildpacks(text(node.get("builder")) or "", texts(node.get("buildpacks")))
