"""What to do about an order that failed."""

from __future__ import annotations

_REACH_US = (
    "point the DNS records (A and AAAA) of {host} at this server alone and let port 80 through: "
    "the authority fetches http://{host}/.well-known/acme-challenge/..."
)
_REMEDIES = {
    "unreachable": (
        "see that this server can reach {directory}; an authority with a certificate of its own needs "
        "KAMAL_PROXY_ACME_CA_FILE"
    ),
    **dict.fromkeys(("validation", "unauthorized", "connection", "dns", "incorrectResponse", "tls"), _REACH_US),
    "caa": "add the authority to the CAA records of {host}",
    "rejectedIdentifier": "use another name or another authority: this one does not issue for {host}",
    "rateLimited": "the authority's limit is reached and passes by itself; --tls-staging is for trying things out",
    "missing": "install Python's acme library (Debian: python3-acme)",
    "timeout": "nothing to do if it goes away by itself; else see whether {directory} works",
}


def remedy(kind: str, host: str, directory: str) -> str:
    """One sentence for an orders.OrderFailed of this kind."""
    return _REMEDIES.get(kind, "see the error").format(host=host, directory=directory)
