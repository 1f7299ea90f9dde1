"""Checks secrets and hosts before a flow changes anything."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.commands import readiness, secret_delivery
from pykamal.commands.script import Step, script
from pykamal.config.models import Accessory
from pykamal.config.secret_names import accessory_secret_names, app_secret_names
from pykamal.core.errors import SecretNotFound
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Task


def require_secrets(context: Context, *, builds: bool, accessories: Iterable[Accessory] = ()) -> None:
    """Look up what a deploy will write or log in with. Raises `SecretNotFound` for the first, naming all."""
    names = [
        *app_secret_names(context.config, context.selection.roles, builds=builds),
        *accessory_secret_names(accessories),
    ]
    errors: list[SecretNotFound] = []
    for name in dict.fromkeys(names):
        try:
            context.secrets[name]
        except SecretNotFound as error:
            errors.append(error)
    if errors:
        first, *others = errors
        first.details = (*first.details, *(error.message for error in others))
        raise first


def host_check(context: Context, *, boots_proxy: bool) -> Phase:
    """See that every host has space and an engine that answers and, where the proxy may start, free ports for it.

    A phase of its own: when one host fails it, none is changed.
    """
    config = context.config
    proxied = context.selection.proxy_hosts if boots_proxy else ()
    tasks = tuple(
        Task(
            host,
            "check host",
            script(
                secret_delivery.age_steps(config),
                Step("check disks", readiness.disks()),
                Step("check engine and ports", readiness.engine_and_ports(config, host))
                if host in proxied
                else Step("check engine", readiness.engine()),
            ),
        )
        for host in context.selection.hosts
    )
    return Phase("check hosts", tasks)
