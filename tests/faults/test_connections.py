"""As many connections as a small attack has."""

from __future__ import annotations

import pytest

from tests.conformance.abandoned import abandon
from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.faults


def test_a_hundred_thousand_opens_and_closes() -> None:
    """Issue 5: the proxy serves during it and after it, and keeps no descriptor of them."""
    proxy, target = Proxy().start(), Target("T1")
    try:
        proxy.deploy("s", target)
        before = proxy.descriptors()
        for _ in range(20):
            abandon(proxy.http_port, 5000)
            assert proxy.ask().status == 200
        # Pooled connections to the target stay, and a few connections may still be ending.
        wait_until(lambda: proxy.descriptors() < before + 300, 40)
        proxy.deploy("s", target)
    finally:
        proxy.dispose()
        target.close()
