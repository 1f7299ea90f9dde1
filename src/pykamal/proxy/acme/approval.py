"""Asks the application whether a host may have a certificate (`--tls-on-demand-url`, spec/proxy.md 7.4)."""

from __future__ import annotations

import asyncio
import base64
import random
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode, urlsplit

from pykamal.proxy.fetching import Answer, fetch
from pykamal.proxy.json_log import log
from pykamal.proxy.services import Service

LIMIT_S = 2.0
EXCERPT_BYTES = 256


async def approved(service: Service, host: str) -> bool:
    """True for status 200 within LIMIT_S, and for nothing else; a denial is logged."""
    url = with_host(service.options.tls_on_demand_url, host)
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(LIMIT_S):
            answer = await (_ask_targets(service, url, host) if url.startswith("/") else _ask_elsewhere(url))
    except TimeoutError:
        problem = f"no answer within {LIMIT_S:.0f} s"
    except (OSError, ValueError) as failure:
        problem = str(failure) or type(failure).__name__
    else:
        if answer.status == 200:
            return True
        body = answer.excerpt.decode(errors="replace")
        log("WARN", "Certificate denied", service=service.name, host=host, status=answer.status, body=body)
        return False
    # Without its query and user, in which there may be a token.
    asked = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    log("WARN", "Certificate denied", service=service.name, host=host, url=asked, error=problem)
    return False


def with_host(url: str, host: str) -> str:
    """The address with `host` set in its query, everything else kept."""
    parts = urlsplit(url)
    others = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "host"]
    return parts._replace(query=urlencode([*others, ("host", host)]), fragment="").geturl()


async def _ask_elsewhere(url: str) -> Answer:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not parts.hostname:
        raise ValueError("the address names no host")
    credentials = base64.b64encode(unquote_to_bytes(user if ":" in user else f"{user}:")).decode()
    headers = (("Authorization", f"Basic {credentials}"),) if user else ()
    return await fetch(url, address=parts.hostname, host=host, headers=headers, excerpt_bytes=EXCERPT_BYTES)


async def _ask_targets(service: Service, path: str, host: str) -> Answer:
    """As a request to this service that arrived over plain HTTP."""
    if service.pause.state == "stopped":
        return Answer(503, "", b"the service is stopped")
    if service.pause.state == "paused":
        raise ValueError("the service is paused")
    candidates = service.active.readers or service.active.writers
    ready = [target for target in candidates if target.state == "healthy" and target.address]
    if not ready:
        return Answer(503, "", b"no healthy target")
    target = random.choice(ready)  # noqa: S311 - which one answers is no secret
    headers = (("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", host))
    url = f"http://{target.host}:{target.port}{path}"
    return await fetch(url, address=target.address, host=host, headers=headers, excerpt_bytes=EXCERPT_BYTES)
