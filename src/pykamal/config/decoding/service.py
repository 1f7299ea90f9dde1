"""The whole configuration from a valid document."""

from __future__ import annotations

from collections.abc import Mapping

from pykamal.config.decoding.accessories import accessories
from pykamal.config.decoding.common_values import logging, number, scalars
from pykamal.config.decoding.connections import boot, extension, output, ssh, sshkit
from pykamal.config.decoding.images import builder, registry
from pykamal.config.decoding.roles import roles
from pykamal.config.decoding.warnings import warnings
from pykamal.config.document import Document, MapNode, plain_value
from pykamal.config.models.service import Config
from pykamal.config.node_reading import blank, chosen, entries, string, text, texts
from pykamal.config.servers import primary_role_name


def build_config(document: Document, destination: str | None) -> Config:
    root = document.root
    service = text(root.get("service")) or ""
    return Config(
        service=service,
        image=service if blank(root.get("image")) else text(root.get("image")) or "",
        destination=destination,
        registry=registry(root.get("registry")),
        builder=builder(root.get("builder")),
        roles=roles(root, service, destination),
        primary_role_name=primary_role_name(root),
        accessories=accessories(root, service),
        labels=scalars(root.get("labels")),
        volumes=texts(root.get("volumes")),
        logging=logging(root.get("logging")),
        ssh=ssh(root.get("ssh")),
        sshkit=sshkit(root.get("sshkit")),
        boot=boot(root.get("boot")),
        aliases={name: text(node) or "" for name, node in entries(root.get("aliases"))},
        hooks_path=chosen(root.get("hooks_path"), ".kamal/hooks"),
        hooks_output=_hooks_output(root),
        secrets_path=chosen(root.get("secrets_path"), ".kamal/secrets"),
        error_pages_path=None if blank(root.get("error_pages_path")) else text(root.get("error_pages_path")),
        output=output(root.get("output")),
        retain_containers=number(root.get("retain_containers"), 5),
        readiness_delay=number(root.get("readiness_delay"), 7),
        deploy_timeout=number(root.get("deploy_timeout"), 30),
        drain_timeout=number(root.get("drain_timeout"), 30),
        extension=extension(root.get("x-pykamal")),
        warnings=tuple(each.quoting(document.lines) for each in (*document.warnings, *warnings(root))),
        raw=plain_value(root),
        document=root,
        lines=document.lines,
        loaded_environment=document.loaded_environment,
    )


def _hooks_output(root: MapNode) -> str | Mapping[str, str] | None:
    node = root.get("hooks_output")
    if isinstance(node, MapNode):
        return {hook: level for hook, value in node.items() if (level := string(value)) is not None}
    return string(node)
