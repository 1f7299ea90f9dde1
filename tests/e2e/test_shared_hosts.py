"""Hosts that several destinations and several projects share: none of them takes what is another's."""

from __future__ import annotations

import pytest

from pykamal.sandbox.host import Host
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e


@pytest.fixture
def destinations(application: Application) -> Application:
    """One service on one host: without a destination, at `staging` and at `production`; one old container is kept."""
    settings = application.settings()
    application.configure(servers=[application.hosts[0].address], retain_containers=1)
    secrets = (application.folder / ".kamal" / "secrets").read_text()
    for name in ("staging", "production"):
        (application.folder / ".kamal" / f"secrets.{name}").write_text(secrets)
        proxy = {**settings["proxy"], "host": f"{name}.example.com"}
        (application.folder / "config" / f"deploy.{name}.yml").write_text(f"proxy: {proxy}\n")
    application.commit("with destinations")
    return application


def test_pruning_leaves_other_destinations_alone(destinations: Application) -> None:
    """A deploy prunes what is its own destination's, an empty one too: others can still be rolled back."""
    host = destinations.hosts[0]
    old, current = deploy(destinations, "-d", "production", times=2)
    kept = {f"hello-web-production-{old}", f"hello-web-production-{current}"}

    (plain,) = deploy(destinations, times=1)
    staging = deploy(destinations, "-d", "staging", times=3)
    containers = set(destinations.containers(host, "--all"))
    assert {*kept, f"hello-web-{plain}", *(f"hello-web-staging-{each}" for each in staging[1:])} <= containers
    assert f"hello-web-staging-{staging[0]}" not in containers
    expected = {old, current, plain, *staging[1:], "latest-production", "latest-staging", "latest"}
    assert tags(destinations, host) == expected

    destinations.kamal("rollback", old, "-d", "production")
    destinations.kamal("app", "stop", "-d", "production")
    destinations.kamal("app", "remove_containers", "-d", "production")
    for flow in ("prune all", "app remove", "prune all -d staging", "app remove -d staging"):
        destinations.kamal(*flow.split())
    assert tags(destinations, host) == {old, "latest-production"}, "what another destination starts next stays"


def deploy(application: Application, *flags: str, times: int) -> list[str]:
    """Deploy so many new versions, one after the other; their names."""
    versions = []
    for number in range(times):
        versions.append(application.commit(f"version {number} {' '.join(flags)}"))
        application.kamal("deploy", *flags)
    return versions


def tags(application: Application, host: Host) -> set[str]:
    """The tags of the app's image on a host."""
    repository = f"{application.sandbox.manifest.registry_server}/hello/app"
    return set(host.docker("image", "ls", "--format", "{{.Tag}}", repository).split())
