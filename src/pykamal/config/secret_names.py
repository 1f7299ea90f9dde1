"""The secrets that a configuration names (spec/config.md 1.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pykamal.config.models import Accessory, Config, Registry, Role


def app_secret_names(config: Config, roles: Iterable[Role], *, builds: bool) -> Iterator[str]:
    """Names of the secrets that a deploy of these roles uses; with `builds` those of the image build too."""
    roles = tuple(roles)
    yield from _credentials(config.registry)
    yield from config.builder.secrets if builds else ()
    for role in roles:
        for host in role.host_names:
            yield from (reference.secret for reference in role.env_on(host).secret_references)
        ssl = role.proxy.ssl if role.proxy is not None else None
        if ssl is not None and ssl.certificate_pem and ssl.private_key_pem:
            yield from (ssl.certificate_pem, ssl.private_key_pem)
    if any(role.running_proxy for role in roles):
        yield from config.extension.proxy.users.values()


def accessory_secret_names(accessories: Iterable[Accessory]) -> Iterator[str]:
    """Names of the secrets that these accessories use."""
    for accessory in accessories:
        yield from _credentials(accessory.registry)
        yield from (reference.secret for reference in accessory.env.secret_references)


def _credentials(registry: Registry | None) -> Iterator[str]:
    if registry is None or registry.local:
        return
    for credential in (registry.username, registry.password):
        if credential is not None and credential.secret is not None:
            yield credential.secret
