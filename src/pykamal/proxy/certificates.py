"""Sources of a service's certificate: two PEM files, read once at deploy, or an authority (spec/proxy.md 7.3)."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from pykamal.proxy.errors import ProxyError
from pykamal.proxy.json_log import log
from pykamal.proxy.service_options import ServiceOptions


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM texts."""

    chain: str
    key: str


def load_certificate(options: ServiceOptions) -> Certificate | None:
    """The service's own certificate, None without TLS and with automatic TLS. Raises ProxyError, the reason logged."""
    if not options.tls_enabled:
        return None
    if not options.has_certificate_files:
        if any("*" in host for host in options.hosts):
            raise ProxyError("automatic TLS does not support wildcards")
        return None
    files = options.tls_certificate_path, options.tls_private_key_path
    try:
        # What stands around the blocks may be of any encoding.
        chain, key = (Path(file).read_text("latin-1") for file in files)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password="")
    except (OSError, ValueError) as problem:
        log("ERROR", "Unable to load certificate", certificate=files[0], private_key=files[1], error=str(problem))
        raise ProxyError("unable to load certificate") from problem
    return Certificate(chain, key)


def origin(options: ServiceOptions) -> str:
    """Names the place that automatic certificates come from and are kept in: the same text for the same place."""
    place = f"{options.acme_directory}\n{options.acme_cache_path}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]
