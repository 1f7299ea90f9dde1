"""nginx's table of services is full: what finds no room is refused, everything else stays as it was (9.1)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="about this implementation's table")

PAGE_BYTES = 1_400_000
"""Two of these have room in a table of four megabytes, three do not; in one of full size they would take a minute."""


def pages(directory: Path, name: str, size: int) -> str:
    """A directory of error pages with one of this size."""
    made = directory / name
    made.mkdir()
    (made / "404.html").write_text(name[0] * size)
    return str(made)


def test_a_deploy_without_room_changes_nothing(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """It fails soon and says why; the old target serves on, also after a restart; with room again it succeeds."""
    own_proxy.plant("nginx.conf.template", "services 128m;", "services 4m;")
    proxy = own_proxy.start()
    large = pages(proxy.home, "large", PAGE_BYTES)
    before = pages(proxy.home, "before", 100_000)
    proxy.deploy("s", t1, "--host", "s.com", "--error-pages", before)
    for number in range(2):
        proxy.deploy(f"large{number}", t1, "--host", f"{number}.com", "--error-pages", large)
    started = time.monotonic()
    message = proxy.refuse("deploy", "s", "--target", t2.address, "--host", "s.com", "--error-pages", large)
    assert message.startswith("the service table is full")
    assert time.monotonic() - started < 10
    assert proxy.ask(host="s.com").served_by == "T1"
    assert ["s", "s.com", "/", t1.address, "running", "no"] in proxy.listing()
    proxy.succeed("pause", "s")
    proxy.succeed("resume", "s")
    assert proxy.ask(host="s.com").served_by == "T1"
    proxy.restart()
    assert proxy.ask(host="s.com").served_by == "T1"
    proxy.succeed("remove", "large0")
    proxy.deploy("s", t2, "--host", "s.com", "--error-pages", large)
    assert proxy.ask(host="s.com").served_by == "T2"
