"""What flows read of a host (spec/cli.md 14.2)."""

from __future__ import annotations

import pytest

from pykamal.operations.facts import Container, HostFacts
from pykamal.operations.proxy_plan import check_version
from tests.unit.samples import role

pytestmark = pytest.mark.unit

WEB = role("web", "h")


def container(
    version: str, *, state: str = "running", created: str = "2026-11-22T00:00:00Z", image: str = "i"
) -> Container:
    labels = {"service": "app", "role": "web", "destination": ""}
    return Container(f"id-{version}", f"app-web-{version}", created, state, image, f"app:{version}", labels)


def facts(*containers: Container, latest: str | None = None, proxy: Container | None = None) -> HostFacts:
    return HostFacts("h", containers, proxy, latest)


def test_current_is_the_newest_running_one_of_the_latest_image() -> None:
    """14.2: the image tagged latest wins over the newest container."""
    old = container("1", created="2026-11-22T00:00:01Z", image="latest-image")
    new = container("2", created="2026-11-22T00:00:02Z")
    assert facts(old, new, latest="latest-image").current_version(WEB) == "1"
    assert facts(old, new, latest=None).current_version(WEB) == "2"


def test_fractions_of_a_second_sort_by_time() -> None:
    """Docker cuts trailing zeros of the fraction."""
    earlier = container("1", created="2026-11-22T00:00:33.5Z")
    later = container("2", created="2026-11-22T00:00:33.51Z")
    assert facts(later, earlier).current_version(WEB) == "2"


def test_stopped_containers_are_not_current_but_can_be_rolled_back_to() -> None:
    """13.4: a rollback needs the container, running or not."""
    stopped = facts(container("1", state="exited"))
    assert stopped.current_version(WEB) is None
    assert stopped.has_container(WEB, "1")
    assert not stopped.has_container(WEB, "2")


def test_another_destination_is_somebody_elses() -> None:
    """spec/config.md 18.4: the destination filter is always there."""
    other = Container("id", "app-web-eu-1", "2026", "running", "i", "app:1", {"role": "web", "destination": "eu"})
    assert facts(other).running_versions(WEB) == ()


@pytest.mark.parametrize(
    ("tag", "refused"), [("v0.9.1", True), ("v0.9.2.pre", True), ("0.9.2", False), ("latest", False)]
)
def test_a_proxy_that_is_too_old_is_refused(tag: str, refused: bool) -> None:
    """14.7 and quirk 15: older versions and pre-releases are refused, tags that are no version are trusted."""
    proxy = Container("p", "kamal-proxy", "2026", "running", "i", f"basecamp/kamal-proxy:{tag}")
    known = facts(proxy=proxy)
    if refused:
        with pytest.raises(Exception, match="is too old, run `kamal proxy reboot`"):
            check_version("h", known)
    else:
        check_version("h", known)
