"""Rules for `x-pykamal/secrets` that its schema does not say.

The settings of a provider are those of its adapter, which is imported only where secrets are needed:
`pykamal.secrets.providers` checks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pykamal.config.decoding.secrets_extension import declared_secret
from pykamal.config.document import MapNode
from pykamal.config.node_reading import blank, child, entries, text
from pykamal.config.validation.ruby_precedence import OWN_STAGE
from pykamal.config.validation.violation import KeyPath, Violation
from pykamal.core.catalogue.settings import MISSING_KEY, UNKNOWN_PROVIDER
from pykamal.core.spelling import nearest

_PATH: Final[KeyPath] = ("x-pykamal", "secrets")


def secrets_extension_violations(root: MapNode) -> Iterator[Violation]:
    node = child(root, *map(str, _PATH))
    providers = dict(entries(child(node, "providers")))
    for name, provider in providers.items():
        if blank(child(provider, "adapter")):
            path = (*_PATH, "providers", name)
            yield Violation(MISSING_KEY, path, "adapter is required", provider.position, stage=OWN_STAGE)
    for name, written in entries(child(node, "from")):
        provider_name = declared_secret(text(written) or "").provider
        if provider_name in providers or ":" not in (text(written) or ""):
            continue  # what is no reference at all is the schema's to say
        near = nearest(provider_name, providers)
        known = (
            f"there are {', '.join(providers)}"
            if providers
            else f"describe it in {'/'.join(map(str, _PATH))}/providers"
        )
        yield Violation(
            UNKNOWN_PROVIDER,
            (*_PATH, "from", name),
            f"unknown provider: {provider_name}",
            written.position,
            stage=OWN_STAGE,
            remedy=f"did you mean {near}?" if near else known,
        )
