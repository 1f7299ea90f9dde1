"""Roles with everything that they take from the root."""

from __future__ import annotations

from dataclasses import dataclass

from pykamal.config.decoding.common_values import env, logging, options, scalars, tag_envs
from pykamal.config.decoding.proxy import proxy
from pykamal.config.document import MapNode, Node, merged
from pykamal.config.models.role import AssetPath, Role
from pykamal.config.node_reading import blank, child, integer, text
from pykamal.config.servers import RoleNode, by_name, primary_role_name, role_nodes, role_proxy

DEFAULT_RESTART = "unless-stopped"


def roles(root: MapNode, service: str, destination: str | None) -> tuple[Role, ...]:
    """All roles, sorted by name."""
    builder = _RoleBuilder(root, service, destination, primary_role_name(root))
    return tuple(builder.build(role) for role in by_name(role_nodes(root)))


@dataclass(frozen=True, slots=True)
class _RoleBuilder:
    root: MapNode
    service: str
    destination: str | None
    primary: str

    def build(self, role: RoleNode) -> Role:
        settings = role.settings
        role_proxy_node = role_proxy(self.root, role, self.primary)
        role_options = options(child(settings, "options"))
        restart = role_options.pop("restart", None)
        return Role(
            name=role.name,
            service=self.service,
            destination=self.destination,
            hosts=role.hosts,
            primary=role.name == self.primary,
            cmd=text(child(settings, "cmd")),
            options=role_options,
            restart=str(restart) if restart is not None else DEFAULT_RESTART,
            logging=logging(_laid_over(self.root.get("logging"), child(settings, "logging"))),
            labels={**scalars(self.root.get("labels")), **scalars(child(settings, "labels"))},
            env=env(self.root.get("env")).merged([env(child(settings, "env"))]),
            tag_envs=tag_envs(self.root.get("env")),
            proxy=proxy(role_proxy_node) if role_proxy_node is not None else None,
            asset_path=self._asset_path(settings, behind_proxy=role_proxy_node is not None),
            stop_timeout=self._stop_timeout(settings, behind_proxy=role_proxy_node is not None),
        )

    def _asset_path(self, settings: MapNode | None, *, behind_proxy: bool) -> AssetPath | None:
        node = child(settings, "asset_path") or self.root.get("asset_path")
        if blank(node) or not behind_proxy:
            return None
        path, _, mount_options = (text(node) or "").partition(":")
        return AssetPath(path, mount_options or None)

    def _stop_timeout(self, settings: MapNode | None, *, behind_proxy: bool) -> int | None:
        for node in (child(settings, "stop_timeout"), self.root.get("stop_timeout")):
            if (seconds := integer(node)) is not None:
                return seconds
        if behind_proxy:
            return None
        drain = integer(self.root.get("drain_timeout"))
        return 30 if drain is None else drain


def _laid_over(base: Node | None, over: Node | None) -> Node | None:
    if isinstance(base, MapNode) and isinstance(over, MapNode):
        return merged(base, over)
    return base if over is None else over
