"""Small configurations built directly as models, for tests of the rooms above `config`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pykamal.config.models import Builder, Config, Credential, Proxy, Registry, Role, RoleHost


def role(name: str, *hosts: str, primary: bool | None = None, proxied: bool | None = None, **more: Any) -> Role:
    """A role of the service `app`; `web` is primary and proxied unless told otherwise."""
    leads = name == "web" if primary is None else primary
    behind_proxy = leads if proxied is None else proxied
    return Role(
        name=name,
        service="app",
        destination=None,
        hosts=tuple(RoleHost(host) for host in hosts),
        primary=leads,
        proxy=Proxy() if behind_proxy else None,
        **more,
    )


def config(*roles: Role, **more: Any) -> Config:
    """The service `app` with the roles sorted by name, as the loader does it."""
    base = Config(
        service="app",
        image="acme/app",
        destination=None,
        registry=Registry("127.0.0.1:5555", Credential("user"), Credential(secret="REGISTRY_PASSWORD")),
        builder=Builder(arches=("amd64",), driver="docker"),
        roles=tuple(sorted(roles, key=lambda each: each.name)),
    )
    return replace(base, **more)
