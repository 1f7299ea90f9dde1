"""The certificate of a host: its authority and its place in the store (spec/proxy.md 7.3)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from pykamal.proxy.acme.certificate_store import CertificateStore
from pykamal.proxy.runtime_paths import data_directory
from pykamal.proxy.service_options import ServiceOptions

PRODUCTION_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority for services that name none.

    `directory` is empty for Let's Encrypt; `ca_file` is a bundle by which the directory is verified, empty for the
    system's.
    """

    directory: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """One certificate; `key_type` is `ecdsa` or `rsa`, `directory` is empty for Let's Encrypt's production."""

    host: str
    key_type: str
    directory: str
    cache_path: str

    @classmethod
    def by(cls, options: ServiceOptions, host: str, key_type: str, authority: Authority) -> CertificateSpec:
        """Return the certificate that a service with these options needs for this host."""
        cache_path = options.acme_cache_path or f"{data_directory()}/certs"
        directory = options.acme_directory or authority.directory
        return cls(host, key_type, "" if directory == PRODUCTION_DIRECTORY else directory, cache_path)

    @property
    def file_name(self) -> str:
        return self.host if self.key_type == "ecdsa" else f"{self.host}+{self.key_type}"

    @property
    def store(self) -> CertificateStore:
        return CertificateStore(self.cache_path, self.directory)

    @property
    def directory_url(self) -> str:
        return self.directory or PRODUCTION_DIRECTORY


def may_serve(options: ServiceOptions, host: str) -> bool:
    """True when a certificate can be had for this host of a service, if it is approved."""
    return options.is_automatic and is_issuable(host) and (bool(options.tls_on_demand_url) or host in options.hosts)


def is_issuable(host: str) -> bool:
    """True for lower-case DNS names of at least two labels, which are safe as file names; no address, no wildcard."""
    if len(host) > _LONGEST or not _NAME.fullmatch(host):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
