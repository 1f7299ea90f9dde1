"""Small configurations built directly as models, for tests of the packages that use `config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pykamal.config.models import Builder, Config, Credential, Proxy, Registry, Role, RoleHost
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus
from pykamal.operations.context import Context, Settings
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.local.local_context import LocalContext
from pykamal.secrets.adapters.lent_values import Lease


class GivenSecrets(dict[str, Sensitive]):
    """Secrets that are given, where a run would read them from files and managers."""

    leases: tuple[Lease, ...] = ()

    def all(self) -> dict[str, Sensitive]:
        return dict(self)


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


def context(
    configuration: Config, *, version: str = "1", secrets: Mapping[str, str] | None = None, **settings: Any
) -> Context:
    """A context for planners: they use no connection, so it has none."""
    local_context = LocalContext(
        directory="/app",
        git_root="/app",
        revision=version,
        changes="",
        user_name="Ada",
        performer="ada@example.com",
        environment_version=None,
        clones=True,
    )
    return Context(
        config=configuration,
        settings=Settings(version=version, **settings),
        bus=Bus(),
        fleet=None,  # type: ignore[arg-type]
        local=None,  # type: ignore[arg-type]
        secrets=GivenSecrets(  # type: ignore[arg-type]
            {"REGISTRY_PASSWORD": Sensitive("registry-pass")}
            | {name: Sensitive(value) for name, value in (secrets or {}).items()}
        ),
        local_context=local_context,
        executor=ActingExecutor(),
        operation="deploy",
    )
