"""Remedies for orders that failed."""

from __future__ import annotations

from pykamal.proxy.acme.certificate_spec import CertificateSpec

_REACH_US = (
    "point the DNS records (A and AAAA) of {host} at this server alone and let port 80 through: "
    "the authority fetches http://{host}/.well-known/acme-challenge/..."
)
_HINTS = {
    "unreachable": (
        "see that this server can reach {directory}; an authority with a certificate of its own needs "
        "KAMAL_PROXY_ACME_CA_FILE"
    ),
    **dict.fromkeys(("validation", "unauthorized", "connection", "dns", "incorrectResponse", "tls"), _REACH_US),
    "caa": "add the authority to the CAA records of {host}",
    "rejectedIdentifier": "use another name or another authority: this one does not issue for {host}",
    "rateLimited": "the authority's limit is reached and passes by itself; --tls-staging is for trying things out",
    "account": "the file {path}/acme_account+key is no key: remove it, and a new account is made",
    "missing": "install Python's acme library (Debian: python3-acme)",
    **dict.fromkeys(
        ("timeout", "unavailable"), "nothing to do if it goes away by itself; else check whether {directory} works"
    ),
}


def remedy(kind: str, wanted: CertificateSpec) -> str:
    """One sentence for an orders.OrderFailed of this kind."""
    words = _HINTS.get(kind, "see the error")
    return words.format(host=wanted.host, directory=wanted.directory_url, path=wanted.store.path)
