"""Diagnostics of hosts that a flow looks at before it changes anything."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule

ROUTE_TAKEN: Final = Rule(
    "route-taken",
    "Another service has the route",
    "The proxy of a host sends each host name and path to one service. Another service, of this project or of another "
    "one on the same host, has the pair already.",
    "Give one of them another `proxy/host` or `proxy/path_prefix`.",
    "shop-web cannot have shop.example.com at /: blog-web has it",
)

NAME_TAKEN: Final = Rule(
    "proxy-name-taken",
    "Another service has the name in the proxy",
    "The proxy knows an app by service, role and destination in one name. Service `shop` with destination `web` and "
    "service `shop-web` have the same one, and each would take the other's traffic.",
    "Rename the service, the role or the destination of one of them.",
    "the proxy has another service of the name shop-web-web (service shop-web, role web)",
)

TLS_BELOW_PATH: Final = Rule(
    "tls-below-path",
    "A service below a path cannot set up TLS",
    "A host name has one certificate. The service that answers / of the name sets it up for all of it.",
    "Leave out `proxy/ssl` of the service below a path.",
    "shop-api cannot set up TLS below /api: no service answers / of shop.example.com, and only that one can have ssl",
)

TLS_FOR_WILDCARD: Final = Rule(
    "tls-for-wildcard",
    "A wildcard name gets no certificate by itself",
    "Automatic certificates are for whole host names. A certificate for `*.example.com` has to be given.",
    "Set `proxy/ssl/certificate_pem` and `proxy/ssl/private_key_pem`.",
    "shop-web cannot get a certificate for *.example.com by itself",
)
