"""Hosts that several destinations and several projects share: none of them takes what is another's."""

from __future__ import annotations

from pathlib import Path

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


def test_removing_one_destination(destinations: Application) -> None:
    """The question names what goes, from where; an accessory that another destination uses stays, and kept data too."""
    host = destinations.hosts[0]
    image = f"{destinations.sandbox.manifest.registry_server}/sandbox/python:3.11"
    ends_at_once = {"cmd": "sleep 9999", "options": {"init": True}}
    accessory = {"image": image, "host": host.address, **ends_at_once, "directories": ["data:/data"]}
    destinations.configure(accessories={"db": accessory})
    destinations.commit("with an accessory")
    for name in ("production", "staging"):
        destinations.kamal("setup", "-d", name)

    told = destinations.kamal("remove", "-d", "staging", expect=1).stdout
    for part in ("hello, destination staging, on", host.address, "db with their data directories (hello-db)"):
        assert part in told
    told = destinations.kamal("accessory", "remove", "db", "-d", "staging", expect=1).stdout
    assert f"all containers, images and data directories for db (hello-db on {host.address})" in told

    told = destinations.kamal("remove", "-d", "staging", "-y").stdout
    assert f"Not removing accessory db on {host.address}, another destination uses it" in told
    assert "Not removing the proxy" in told
    left = destinations.containers(host, "--all")
    assert sorted(name.removesuffix(destinations.git("rev-parse", "HEAD")) for name in left) == [
        *("hello-db", "hello-web-production-", "kamal-proxy")
    ]
    assert tags(destinations, host) == {destinations.git("rev-parse", "HEAD"), "latest-production"}
    assert host.exists("/root/hello-db/data")

    told = destinations.kamal("remove", "-d", "production", "--keep-data", expect=1).stdout
    assert "whose data directories stay (hello-db)" in told
    destinations.kamal("remove", "-d", "production", "--keep-data", "-y")
    assert destinations.containers(host, "--all") == []
    assert host.exists("/root/hello-db/data")
    destinations.kamal("accessory", "boot", "db")
    destinations.kamal("accessory", "remove", "db", "-y")
    assert not host.exists("/root/hello-db")


# -- several projects behind one proxy


@pytest.fixture
def blog(application: Application, tmp_path: Path) -> Application:
    """Another project for the first host of `application`, which is there alone as well; none is deployed."""
    for each in (other := Application.create(tmp_path / "blog", application.sandbox), application):
        each.configure(servers=[application.hosts[0].address])
    other.configure(service="blog", image="blog/app")
    for each in (application, other):
        each.commit("on one host")
    return other


def test_a_host_and_path_that_another_project_has(application: Application, blog: Application) -> None:
    """It is found before a container is started or a hook called, and the other service and the setting are named."""
    host = application.hosts[0]
    application.kamal("setup")
    blog.hook("pre-app-boot", "exit 1")
    blog.kamal("build", "push")
    for flow in ("setup", "deploy --skip-push", "app boot"):
        told = blog.kamal(*flow.split(), expect=1).stdout
        assert "blog-web cannot have every host name at /" in told
        assert "hello-web (service hello, role web) has it" in told
        assert "proxy/host" in told
        assert "path_prefix" in told
    assert not any("blog" in name for name in blog.containers(host, "--all"))

    (blog.folder / ".kamal" / "hooks" / "pre-app-boot").unlink()
    blog.configure(proxy={**blog.settings()["proxy"], "host": "example.com", "path_prefix": "/blog", "ssl": True})
    told = blog.kamal("deploy", "--skip-push", expect=1).stdout
    assert "blog-web cannot set up TLS below /blog: no service answers / of example.com" in told
    assert not any("blog" in name for name in blog.containers(host, "--all"))
    blog.configure(proxy={**blog.settings()["proxy"], "ssl": False})
    blog.kamal("deploy", "--skip-push")

    host.docker("rm", "--force", *(name for name in blog.containers(host) if "blog" in name))
    application.configure(proxy={**application.settings()["proxy"], "host": "example.com", "path_prefix": "/blog"})
    told = application.kamal("rollback", application.git("rev-parse", "HEAD"), expect=1).stdout
    assert "blog-web (its container is gone) has it" in told


def test_settings_of_a_running_proxy_that_changed(application: Application) -> None:
    """proxy/run counts from the next reboot on: until then every deploy tells which settings do not hold."""
    run = {"http_port": 80, "log_max_size": "5m", "options": {"memory": "256m", "label": "kept=yes"}}
    application.configure(servers=[application.hosts[0].address], proxy={**application.settings()["proxy"], "run": run})
    application.commit("with settings")
    assert DRIFT not in application.kamal("setup").stdout
    assert DRIFT not in application.kamal("proxy", "boot").stdout

    options = {"memory": "512m", "label": "kept=no", "cpus": 0.5, "add-host": "db:10.0.0.1"}
    changed = {"http_port": 8080, "log_max_size": "7m", "version": "v0.9.9", "debug": True, "metrics_port": 9000}
    changed["options"] = options
    application.configure(proxy={**application.settings()["proxy"], "run": changed})
    for flow in ("deploy --skip-push", "redeploy --skip-push", "proxy boot", "deploy --skip-push --plan"):
        told = application.kamal(*flow.split()).stdout
        for part in (
            *(DRIFT, "image basecamp/kamal-proxy:v0.9.2 (deploy.yml: basecamp/kamal-proxy:v0.9.9)"),
            *("publish 443:443, 80:80 (deploy.yml: 443:443, 8080:80)", "log-opt max-size=5m (deploy.yml: max-size=7m)"),
            *("memory 256m (deploy.yml: 512m)", "cpus none (deploy.yml: 0.5)", "label kept=yes (deploy.yml: kept=no)"),
            *("add-host none (deploy.yml: db:10.0.0.1)", "arguments none (deploy.yml: --debug --metrics-port 9000)"),
            "`kamal proxy reboot` makes it anew with those",
        ):
            assert part in told, flow
    changed["version"] = "v0.9.2"
    application.configure(proxy={**application.settings()["proxy"], "run": changed})
    application.kamal("proxy", "reboot", "-y")
    assert DRIFT not in application.kamal("proxy", "boot").stdout

    application.hosts[0].docker("rm", "--force", "kamal-proxy")
    application.ruby_kamal("proxy", "boot")
    assert DRIFT not in application.kamal("proxy", "boot").stdout, "whichever tool made it"
    application.configure(proxy={**application.settings()["proxy"], "run": run})
    assert "memory 512m (deploy.yml: 256m)" in application.kamal("proxy", "boot").stdout


def test_a_proxy_that_another_project_needs_as_it_is(application: Application, blog: Application) -> None:
    """A reboot that takes settings from it, the engine with its protections first of all, is done by force only."""
    host = application.hosts[0]
    protected = {"engine": "pykamal", "deny": ["203.0.113.0/24"], "run": {"client_header_timeout": 7}}
    application.configure(**{"x-pykamal": application.settings()["x-pykamal"] | {"proxy": protected}})
    application.kamal("setup")
    blog.configure(proxy={**blog.settings()["proxy"], "host": "blog.example.com"})
    assert DRIFT not in blog.kamal("setup").stdout, "it has no opinion about a proxy that it shares"
    running = host.docker("inspect", "--format", "{{.Id}}", "kamal-proxy")

    for flow in ("proxy reboot -y", "proxy reboot --plan", "proxy remove"):
        told = blog.kamal(*flow.split(), expect=1).stdout
        assert "hello-web (service hello, role web)" in told, flow
        assert "--force" in told, flow
    told = blog.kamal("proxy", "reboot", "-y", expect=1).stdout
    for part in (
        "image pykamal/kamal-proxy:v0.9.2 (deploy.yml: basecamp/kamal-proxy:v0.9.2)",
        "hello-web is protected by deny, which that image does not know",
        "arguments --client-header-timeout 7s (deploy.yml: none)",
    ):
        assert part in told
    assert host.docker("inspect", "--format", "{{.Id}}", "kamal-proxy") == running
    assert not host.exists("/root/.kamal/lock-blog")

    blog.configure(**{"x-pykamal": application.settings()["x-pykamal"]})
    blog.kamal("proxy", "reboot", "-y")
    blog.configure(**{"x-pykamal": blog.settings()["x-pykamal"] | {"proxy": {"engine": "kamal-proxy"}}})
    assert "hello-web is protected by deny" in blog.kamal("proxy", "reboot", "-y", "--force").stdout
    told = application.kamal("deploy", "--skip-push", expect=1).stdout
    assert "image basecamp/kamal-proxy:v0.9.2 (deploy.yml: pykamal/kamal-proxy:v0.9.2)" in told
    assert "which cannot protect an app" in told


DRIFT = "does not run as deploy.yml says"


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
