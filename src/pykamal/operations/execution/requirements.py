"""What must be right before a flow changes anything: every secret at hand, every host able to take part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pykamal.commands import readiness
from pykamal.commands.script import Step, script
from pykamal.config.models import Accessory, Registry
from pykamal.core.errors import SecretNotFound
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Task


def require_secrets(context: Context, *, builds: bool, accessories: Iterable[Accessory] = ()) -> None:
    """Look up what a deploy will write or log in with. Raises `SecretNotFound` for the first, naming all."""
    names = [*_app_secrets(context, builds=builds)]
    for accessory in accessories:
        names += [*_credentials(accessory.registry), *(each.secret for each in accessory.env.secret_references)]
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


def _app_secrets(context: Context, *, builds: bool) -> Iterator[str]:
    yield from _credentials(context.config.registry)
    yield from context.config.builder.secrets if builds else ()
    for role in context.targets.roles:
        for host in role.host_names:
            yield from (reference.secret for reference in role.env_on(host).secret_references)
        ssl = role.proxy.ssl if role.proxy is not None else None
        if ssl is not None and ssl.certificate_pem and ssl.private_key_pem:
            yield from (ssl.certificate_pem, ssl.private_key_pem)
    auth = context.config.extension.proxy.protection.basic_auth
    if auth is not None and any(role.running_proxy for role in context.targets.roles):
        yield from auth.users.values()


def _credentials(registry: Registry | None) -> Iterator[str]:
    if registry is None or registry.local:
        return
    for credential in (registry.username, registry.password):
        if credential is not None and credential.secret is not None:
            yield credential.secret


def host_check(context: Context, *, boots_proxy: bool) -> Phase:
    """See that every host has room and an engine that answers and, where the proxy may start, free ports for it.

    A phase of its own: when one host fails it, none is changed.
    """
    config = context.config
    proxied = context.targets.proxy_hosts if boots_proxy else ()
    tasks = tuple(
        Task(
            host,
            "check host",
            script(
                Step("check disks", readiness.disks()),
                Step("check engine and ports", readiness.engine_and_ports(config, host))
                if host in proxied
                else Step("check engine", readiness.engine()),
            ),
        )
        for host in context.targets.hosts
    )
    return Phase("check hosts", tasks)
