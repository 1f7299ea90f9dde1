"""Drift of a running proxy from deploy.yml, and what other projects would lose by a reboot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pykamal.config.models import Config, Proxy, ProxyRun
from pykamal.config.models.extension import Extension
from pykamal.config.models.proxy_extension import ProxyEngine, ProxyExtension
from pykamal.core.errors import KamalError
from pykamal.events import Event, Message
from pykamal.operations.hosts import proxy_facts
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.hosts.proxy_facts import ProxyFacts, ProxyService
from pykamal.operations.proxy.drift import differences
from pykamal.operations.proxy.shared import refuse_losses, warn_of_drift
from pykamal.proxy.contract import PROTECTIONS, STATE_KEY
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

HOST = "10.0.0.1"
STORED = "--publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2"
BINDS = [
    "kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy",
    "/root/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config",
]
PORTS = {
    "443/tcp": [{"HostIp": "", "HostPort": "443"}],
    "80/tcp": [{"HostIp": "", "HostPort": "80"}],
}


def inspected(*arguments: str, image: str = "basecamp/kamal-proxy:v0.9.2", **more: Any) -> dict[str, Any]:
    """Return the output of `docker inspect` for a proxy, as an engine prints it, with zeros, nulls and empty lists."""
    log = {"Type": "json-file", "Config": {"max-size": "10m"}}
    image_too = {"Hostname": "f0", "User": "1000:1000", "Env": ["PATH=/bin"], "Labels": {"title": "kamal-proxy"}}
    host = {
        "Binds": BINDS,
        "LogConfig": log,
        "PortBindings": PORTS,
        "NetworkMode": "kamal",
        "Memory": 0,
        "Dns": [],
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "CapAdd": None,
        "NanoCpus": 0,
        "PidsLimit": None,
        "Privileged": False,
        "ShmSize": 67108864,
        "Ulimits": [],
    }
    command = {"Cmd": ["kamal-proxy", "run", *arguments], "Image": image}
    return {
        "Config": image_too | command | {key: value for key, value in more.items() if key in image_too},
        "HostConfig": host | {key: value for key, value in more.items() if key not in image_too},
    }


def facts(container: dict[str, Any] | None, *services: ProxyService, stored: str = STORED) -> ProxyFacts:
    return ProxyFacts(services, container, "/root", stored)


def configured(run: ProxyRun | None = None, *, engine: ProxyEngine = ProxyEngine.KAMAL_PROXY) -> Config:
    web = replace(role("web", HOST), proxy=Proxy(run=run))
    return config(web, extension=Extension(proxy=ProxyExtension(engine=engine)))


def told(configuration: Config, known: ProxyFacts) -> list[str]:
    return [str(difference) for difference in differences(configuration, HOST, known)]


def test_no_proxy_and_the_same_settings_are_no_drift() -> None:
    """With proxy/run, without, and where the host's own files say how a proxy is made."""
    assert told(configured(ProxyRun(http_port=8080)), facts(None)) == []
    assert told(configured(), facts(inspected())) == []
    assert told(configured(ProxyRun()), facts(inspected())) == []
    stored = STORED.replace("10m", "5m") + " kamal-proxy run --debug"
    log = {"Type": "json-file", "Config": {"max-size": "5m"}}
    assert told(configured(), facts(inspected("--debug", LogConfig=log), stored=stored)) == []


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (ProxyRun(http_port=8080), "publish 443:443, 80:80 (deploy.yml: 443:443, 8080:80)"),
        (ProxyRun(publish=False), "publish 443:443, 80:80 (deploy.yml: none)"),
        (
            ProxyRun(bind_ips=("127.0.0.1", "::1")),
            "publish 443:443, 80:80 (deploy.yml: 127.0.0.1:443:443, 127.0.0.1:80:80, [::1]:443:443, [::1]:80:80)",
        ),
        (ProxyRun(metrics_port=9000), "arguments none (deploy.yml: --metrics-port 9000)"),
        (ProxyRun(debug=True), "arguments none (deploy.yml: --debug)"),
        (ProxyRun(log_max_size="5m"), "log-opt max-size=10m (deploy.yml: max-size=5m)"),
        (ProxyRun(version="v0.9.9"), "image basecamp/kamal-proxy:v0.9.2 (deploy.yml: basecamp/kamal-proxy:v0.9.9)"),
        (
            ProxyRun(registry="ghcr.io", repository="acme/proxy"),
            "image basecamp/kamal-proxy:v0.9.2 (deploy.yml: ghcr.io/acme/proxy:v0.9.2)",
        ),
    ],
)
def test_every_setting_of_proxy_run(run: ProxyRun, expected: str) -> None:
    """spec/config.md 8: what is changed there is named, as it runs and as it is wanted."""
    assert told(configured(run), facts(inspected())) == [expected]


OPTIONS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("memory", "512m", {"Memory": 268435456}, "memory 256m (deploy.yml: 512m)"),
    ("memory-reservation", "1g", {}, "memory-reservation none (deploy.yml: 1g)"),
    ("cpus", 1.5, {"NanoCpus": 500000000}, "cpus 0.5 (deploy.yml: 1.5)"),
    ("cpu-shares", 512, {"CpuShares": 256}, "cpu-shares 256 (deploy.yml: 512)"),
    ("pids-limit", 100, {}, "pids-limit none (deploy.yml: 100)"),
    ("restart", "always", {}, "restart unless-stopped (deploy.yml: always)"),
    ("init", True, {}, "init none (deploy.yml: true)"),
    ("read-only", True, {}, "read-only none (deploy.yml: true)"),
    ("add-host", ["a:1.1.1.1"], {"ExtraHosts": ["b:1.1.1.1"]}, "add-host b:1.1.1.1 (deploy.yml: a:1.1.1.1)"),
    ("dns", "1.1.1.1", {"Dns": ["9.9.9.9"]}, "dns 9.9.9.9 (deploy.yml: 1.1.1.1)"),
    ("cap-add", "NET_ADMIN", {}, "cap-add none (deploy.yml: NET_ADMIN)"),
    ("sysctl", "net.core.somaxconn=9", {"Sysctls": {"net.core.somaxconn": "1"}},
     "sysctl net.core.somaxconn=1 (deploy.yml: net.core.somaxconn=9)"),
    ("ulimit", "nofile=9", {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]},
     "ulimit nofile=1:2 (deploy.yml: nofile=9:9)"),
    ("volume", "/srv:/srv", {"Binds": [*BINDS, "/old:/old"]}, "volume /old:/old (deploy.yml: /srv:/srv)"),
    ("user", "0", {}, "user 1000:1000 (deploy.yml: 0)"),
    ("env", "A=2", {"Env": ["PATH=/bin", "A=1"]}, "env A=1 (deploy.yml: A=2)"),
    ("label", ["a=2", "b=1"], {"Labels": {"a": "1", "b": "1"}}, "label a=1 (deploy.yml: a=2)"),
    ("log-driver", "journald", {}, "log-driver json-file (deploy.yml: journald)"),
    ("shm-size", "1m", {}, "shm-size 64m (deploy.yml: 1m)"),
]  # fmt: skip

SAME: list[tuple[str, Any, dict[str, Any]]] = [
    ("memory", "256M", {"Memory": 268435456}),
    ("cpus", "0.50", {"NanoCpus": 500000000}),
    ("restart", "on-failure:3", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
    ("init", True, {"Init": True}),
    ("cap-add", ["CAP_NET_ADMIN"], {"CapAdd": ["NET_ADMIN"]}),
    ("ulimit", "nofile=5:9", {"Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 9}]}),
    ("env", "A=1", {"Env": ["PATH=/bin", "A=1"]}),
    ("volume", "/srv:/srv:ro", {"Binds": [*BINDS, "/srv:/srv:ro"]}),
    ("env", "A=${HOME}", {"Env": ["A=/root"]}),
    ("device", "/dev/tun", {}),
]


@pytest.mark.parametrize(("name", "wanted", "running", "expected"), OPTIONS)
def test_options_that_differ(name: str, wanted: Any, running: dict[str, Any], expected: str) -> None:
    """proxy/run/options are options of `docker run`; `docker inspect` spells them in its own way."""
    assert told(configured(ProxyRun(options={name: wanted})), facts(inspected(**running))) == [expected]


@pytest.mark.parametrize(("name", "wanted", "running"), SAME)
def test_options_that_are_the_same(name: str, wanted: Any, running: dict[str, Any]) -> None:
    """Spellings of an option are no drift;

    Values that the host's shell expands and unknown options are not compared.
    """
    assert told(configured(ProxyRun(options={name: wanted})), facts(inspected(**running))) == []


def test_an_option_that_was_taken_out() -> None:
    """Settings that only a command line can have made are drift; those of the image or the engine are not."""
    running = inspected(Memory=268435456, Env=["A=1"], Ulimits=[{"Name": "nofile", "Soft": 1, "Hard": 1}])
    assert told(configured(ProxyRun()), facts(running)) == ["memory 256m (deploy.yml: none)"]


def test_the_engine_and_its_limits() -> None:
    """x-pykamal/proxy: another image, and arguments of its own."""
    wanted = configured(engine=ProxyEngine.PYKAMAL)
    limits = ProxyExtension(engine=ProxyEngine.PYKAMAL, settings={"client_header_timeout": 7})
    wanted = replace(wanted, extension=Extension(proxy=limits))
    stored = STORED.replace("basecamp", "pykamal") + " kamal-proxy run --client-header-timeout 7s"
    assert told(wanted, facts(inspected(), stored=stored)) == [
        "image basecamp/kamal-proxy:v0.9.2 (deploy.yml: pykamal/kamal-proxy:v0.9.2)",
        "arguments none (deploy.yml: --client-header-timeout 7s)",
    ]


def test_a_newer_proxy_than_is_needed() -> None:
    """A later release of either tool made it; only a version that deploy.yml asks for is missed."""
    newer = facts(inspected(image="basecamp/kamal-proxy:v0.10.0"))
    assert told(configured(), newer) == []
    assert len(told(configured(ProxyRun(version="v0.9.9")), newer)) == 1
    assert len(told(configured(), facts(inspected(image="basecamp/kamal-proxy:v0.9.1")))) == 1


def test_a_proxy_that_another_login_made() -> None:
    """It looks for certificates, error pages and passwords in that login's directory, and finds none of ours."""
    binds = [BINDS[0], BINDS[1].replace("/root", "/home/deploy")]
    assert told(configured(), facts(inspected(Binds=binds))) == [
        (
            "directory of certificates and error pages /home/deploy/.kamal/proxy/apps-config "
            "(deploy.yml: /root/.kamal/proxy/apps-config)"
        )
    ]


# -- what is told, and what is refused

OWN = ProxyService("app-web", targets=("a1:80",))
BLOG = ProxyService("blog-web", hosts=("blog.example",), targets=("b1:80",), protections=("basic_auth", "deny"))
CONTAINERS = (
    Container("app-web-1", "running", "acme/app:1", "app", "web", identifier="a1"),
    Container("blog-web-staging-1", "running", "blog:1", "blog", "web", "staging", identifier="b1"),
)


def known(running: dict[str, Any], *services: ProxyService) -> dict[str, HostFacts]:
    return {HOST: HostFacts(HOST, CONTAINERS, proxy_facts=facts(running, *services))}


def warnings(configuration: Config, host_facts: dict[str, HostFacts]) -> list[str]:
    run = context(configuration)
    events: list[Event] = []
    run.bus.subscribe(events.append)
    warn_of_drift(run, host_facts)
    return [event.text for event in events if isinstance(event, Message)]


def test_drift_is_told_with_the_command_that_ends_it() -> None:
    """The message names the projects that share the proxy, for it is their outage too."""
    changed = configured(ProxyRun(http_port=8080))
    (text,) = warnings(changed, known(inspected(), OWN, BLOG))
    assert text.startswith(f"kamal-proxy of {HOST} does not run as deploy.yml says: publish 443:443")
    assert "`kamal proxy reboot`" in text
    assert "for blog-web too" in text
    (text,) = warnings(changed, known(inspected(), OWN))
    assert "too" not in text


def test_a_deploy_yml_without_proxy_run_has_no_opinion_about_a_shared_proxy() -> None:
    """Another project's settings are none of its business; those of a proxy of its own are."""
    running = inspected(Memory=268435456)
    assert warnings(configured(), known(running, OWN, BLOG)) == []
    assert len(warnings(configured(), known(running, OWN))) == 1


def test_a_reboot_that_takes_from_others_is_refused() -> None:
    """It names them, what is lost, the protections above all, and the way by force."""
    run = context(configured())
    mine = inspected("--debug", image="pykamal/kamal-proxy:v0.9.2")
    with pytest.raises(KamalError) as caught:
        refuse_losses(run, known(mine, OWN, BLOG), [HOST])
    assert caught.value.details == (
        f"{HOST}: behind it too: blog-web (service blog, role web, destination staging)",
        "  image pykamal/kamal-proxy:v0.9.2 (deploy.yml: basecamp/kamal-proxy:v0.9.2)",
        "  blog-web is protected by basic_auth, deny, which that image does not know",
        "  arguments --debug (deploy.yml: none)",
    )
    assert "--force" in (caught.value.hint or "")
    refuse_losses(run, known(mine, OWN, BLOG), [HOST], force=True)
    refuse_losses(run, known(mine, OWN), [HOST])
    refuse_losses(run, known(inspected(), OWN, BLOG), [HOST])


def test_a_newer_version_of_the_same_proxy_takes_nothing() -> None:
    """Every project needs at least that one, so the way out of a proxy that is too old is open to all."""
    run = context(configured())
    refuse_losses(run, known(inspected(image="basecamp/kamal-proxy:v0.9.0"), OWN, BLOG), [HOST])
    with pytest.raises(KamalError):
        refuse_losses(context(configured(ProxyRun(version="v0.9.2"))), known(inspected("--debug"), OWN, BLOG), [HOST])


# -- what is read

RECORD = {
    "name": "blog-web",
    "options": {"hosts": ["Blog.Example."], "path_prefixes": ["/api/", ""], "tls_enabled": True},
    "active_targets": ["b1:80"],
    "pykamal_protection": {"rate_limit": 2.0, "deny": [], "basic_auth_file": "/x", "allow": ["10.0.0.0/8"]},
}


def test_a_state_file_is_understood() -> None:
    """spec/proxy.md 4: hosts and paths as the proxy compares them; older versions keep them elsewhere."""
    old = {"name": "old", "hosts": ["a.example"], "path_prefixes": ["x"]}
    read = proxy_facts.parse(json.dumps(inspected()), json.dumps([RECORD, old, {"name": "any"}]), f"/root\n{STORED}\n")
    assert read.services == (
        ProxyService("blog-web", ("blog.example",), ("/api", "/"), True, ("b1:80",),
                     ("allow", "rate_limit", "basic_auth")),
        ProxyService("old", ("a.example",), ("/x",)),
        ProxyService("any"),
    )  # fmt: skip
    assert (read.directory, read.stored_settings) == ("/root", STORED)
    assert read.container is not None


def test_every_protection_is_known_by_its_setting() -> None:
    """The keys are those that our proxy writes; those of a password and of a rate belong to one setting each."""
    parts = {"rate_limit_burst", "basic_auth_realm", "basic_auth_except"}
    keys = {each.name for each in PROTECTIONS} - parts
    record = {"name": "all", STATE_KEY: dict.fromkeys(keys, "given")}
    (service,) = proxy_facts.parse("", json.dumps([record]), "").services
    assert len(service.protections) == len(keys)


@pytest.mark.parametrize(
    "state", ["", "null", "{}", "[1, null, {}]", '[{"name": 5}]', "[" * 100_000, '[{"name": "a", "options": []}']
)
def test_a_state_file_that_is_damaged_is_no_failure(state: str) -> None:
    """A host's answer is what it is; without services there is nothing to compare."""
    assert proxy_facts.parse("", state, "") == ProxyFacts()
