"""Our proxy's image on the hosts, and a live host that goes from one engine to the other and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.paths import cache
from tests.e2e.application import Application, wait_until
from tests.load_generator import Load, Summary

pytestmark = pytest.mark.e2e

OWN, UPSTREAM = "pykamal/kamal-proxy:v0.9.2", "basecamp/kamal-proxy:v0.9.2"
STATE = "/var/lib/docker/volumes/kamal-proxy-config/_data"
CONTAINER_FLAGS = (
    *("--network", "kamal", "--restart", "unless-stopped", "--publish", "80:80", "--publish", "443:443"),
    *("--volume", "kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy"),
)


@pytest.fixture
def building(application: Application, tmp_path: Path) -> Application:
    """The application for our engine, with a cache that has the Debian packages already."""
    known = tmp_path / "cache" / "pykamal" / "proxy"
    known.parent.mkdir(parents=True)
    known.symlink_to(cache() / "proxy")
    application.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    use_engine(application, "pykamal")
    return application


def use_engine(application: Application, engine: str | None) -> None:
    settings = application.settings()["x-pykamal"]
    settings.pop("proxy", None)
    application.configure(**{"x-pykamal": settings | ({"proxy": {"engine": engine}} if engine else {})})


# -- the image


def test_the_image_is_brought_to_the_hosts_that_lack_it(building: Application) -> None:
    """spec/proxy.md 24.1: sent over SSH where no registry is named; `--plan` tells it; a second time does nothing."""
    has_it, lacks_it = building.hosts
    for host in building.hosts:
        host.docker("image", "rm", OWN)
    building.kamal("proxy", "build", "--hosts", has_it.address)
    planned = building.kamal("proxy", "build", "--plan").stdout
    assert f"{lacks_it.address}: load proxy image" in planned
    assert f"{has_it.address}: load proxy image" not in planned
    assert OWN not in images(lacks_it)
    outcome = building.kamal("proxy", "build")
    assert f"MB to {lacks_it.address}" in outcome.stdout
    assert image_id(lacks_it, OWN) == image_id(has_it, OWN)
    assert "Every host has the proxy's image already." in building.kamal("proxy", "build").stdout


def test_the_image_goes_by_way_of_a_registry(building: Application) -> None:
    """`proxy/run/registry` names one: the image is pushed there, and pulled by every host."""
    registry = building.sandbox.manifest.registry_server
    building.configure(proxy={**building.settings()["proxy"], "run": {"registry": registry}})
    building.kamal("proxy", "build")
    for host in building.hosts:
        assert f"{registry}/{OWN}" in images(host)
    building.kamal("proxy", "boot")
    assert running_image(building.hosts[0]) == f"{registry}/{OWN}"


def test_a_new_host_gets_the_image_with_its_first_proxy(building: Application) -> None:
    """A reboot does not bring it: there it would be a new build; it says what to do, and leaves the old proxy alone.

    It is not asked for at a public registry either, where its name may be anybody's.
    """
    first, second = building.hosts
    use_engine(building, None)
    building.kamal("proxy", "boot", "--hosts", first.address)
    use_engine(building, "pykamal")
    for host in building.hosts:
        host.docker("image", "rm", OWN)
    told = building.kamal("proxy", "boot").stdout
    assert running_image(first) == UPSTREAM, "a running proxy is left alone"
    assert f"kamal-proxy of {first.address} does not run as deploy.yml says: image {UPSTREAM}" in told
    assert running_image(second) == OWN
    outcome = building.kamal("proxy", "reboot", "-y", "--hosts", first.address, expect=1)
    assert "does not have the image of pykamal's proxy" in outcome.text
    assert "kamal proxy build" in outcome.text
    assert running_image(first) == UPSTREAM


def test_the_image_runs_as_anybody_on_a_read_only_disk(application: Application) -> None:
    """spec/proxy.md 21, 24.1: uid 1000, writes to its state and /tmp only, on PATH, reaps orphans, stops in order."""
    host = application.hosts[0]
    assert host.docker("image", "inspect", "--format", "{{.Config.User}}", OWN).strip() == "1000:1000"
    volume = "state:/home/kamal-proxy/.config/kamal-proxy"
    host.docker("run", "--detach", "--name", "lone", "--read-only", "--tmpfs", "/tmp", "--volume", volume, OWN)
    wait_until(lambda: "Service" in host.docker("exec", "lone", "kamal-proxy", "list", check=False), what="the proxy")
    assert host.docker("exec", "lone", "sh", "-c", "echo $HOME").strip() == "/home/kamal-proxy"
    host.docker("exec", "lone", "sh", "-c", "sleep 0.1 & exit 0")
    wait_until(lambda: "sleep" not in host.docker("exec", "lone", "ps"), what="the orphan's end")
    host.docker("stop", "lone")
    assert host.docker("inspect", "--format", "{{.State.ExitCode}}", "lone").strip() == "0"


# -- the switch


@dataclass(frozen=True, slots=True)
class Routes:
    """A proxy's services as a client from outside sees them."""

    listed: str
    stopped_page: tuple[int, bool]
    served_version: str | None


def test_a_live_host_changes_engines_and_back(deployed: Application, capsys: pytest.CaptureFixture[str]) -> None:
    """spec/proxy.md 4, 24: every route, pause, message and split is kept both ways; owner and modes follow.

    The upstream's image cannot be had here: ours under its name and with another user stands in, on a state file in
    the upstream's format.
    """
    host = deployed.hosts[0]
    give_upstream_another_user(host)
    deployed.kamal("proxy", "reboot", "-y", "--hosts", host.address)
    write_upstream_state(host)
    before = routes(host, deployed)
    assert before.listed.count("\n") == 5
    assert before.stopped_page == (503, True)

    use_engine(deployed, "pykamal")
    there = reboot_under_load(deployed, host)
    assert running_image(host) == OWN
    assert routes(host, deployed) == before
    assert owners(host) == {".": "1000:1000 700", "kamal-proxy.state": "1000:1000 644", "certs": "1000:1000 700",
                            "certs/account": "1000:1000 600"}  # fmt: skip
    deployed.ruby_kamal("proxy", "boot", "--hosts", host.address)
    assert running_image(host) == OWN, "Ruby Kamal leaves it as it is"

    use_engine(deployed, None)
    back = reboot_under_load(deployed, host)
    assert running_image(host) == UPSTREAM
    assert routes(host, deployed) == before
    assert owners(host)["kamal-proxy.state"] == "1001:1001 644"
    with capsys.disabled():
        for way, summary in (("to pykamal", there), ("back", back)):
            print(f"\n  {way}: {told(summary)}", end="")


def test_a_proxy_that_does_not_start_makes_way_for_the_old_one(deployed: Application) -> None:
    """The old one serves again, with all routes; the error shows what the new one said."""
    host = deployed.hosts[0]
    before = routes(host, deployed)
    deployed.configure(proxy={**deployed.settings()["proxy"], "run": {"options": {"user": "nobody-known"}}})
    deployed.kamal("proxy", "reboot", "-y", "--hosts", host.address, expect=1)
    assert routes(host, deployed) == before
    assert [name for name in deployed.containers(host, "--all") if "proxy" in name] == ["kamal-proxy"]

    broken = {"env": "KAMAL_PROXY_SOCKET=/nowhere/s"}
    deployed.configure(proxy={**deployed.settings()["proxy"], "run": {"options": broken}})
    outcome = deployed.kamal("proxy", "reboot", "-y", "--hosts", host.address, expect=1)
    assert "/nowhere" in outcome.text
    assert routes(host, deployed) == before


def test_a_reboot_that_is_cut_off_leaves_a_host_that_boots(deployed: Application) -> None:
    """Either tool boots the proxy with all routes after a cut at any point.

    `proxy boot` reports the cut, and the next reboot clears up.
    """
    host = deployed.hosts[0]
    before = routes(host, deployed)
    assert "switch proxies" in deployed.kamal("proxy", "reboot", "--plan").stdout  # asks nothing, changes nothing
    stopped = [("stop", "kamal-proxy")]
    renamed = [*stopped, ("rename", "kamal-proxy", "kamal-proxy-replaced")]
    for done in ([], stopped, renamed, [*renamed, ("rename", "kamal-proxy-next", "kamal-proxy")]):
        host.docker("rm", "--force", "kamal-proxy-next", "kamal-proxy-replaced", check=False)
        host.docker("create", "--name", "kamal-proxy-next", *CONTAINER_FLAGS, UPSTREAM)
        for words in done:
            host.docker("container", *words)
        boot = deployed.ruby_kamal if done == renamed else deployed.kamal
        told = boot("proxy", "boot", "--hosts", host.address).text
        wait_until(lambda: routes(host, deployed) == before, what="the routes")
        assert ("the last reboot of the proxy was cut off" in told) is (len(done) < 2), told
    deployed.kamal("proxy", "reboot", "-y", "--hosts", host.address)
    assert routes(host, deployed) == before
    assert [name for name in deployed.containers(host, "--all") if "proxy" in name] == ["kamal-proxy"]


def give_upstream_another_user(host: Host) -> None:
    host.docker("run", "--name", "other", "--user", "0", UPSTREAM, "chown", "-R", "1001:1001", "/home/kamal-proxy")
    change = ["--change", "USER 1001:1001", "--change", 'CMD ["kamal-proxy", "run"]']
    host.docker("commit", *change, "other", UPSTREAM)
    host.docker("rm", "other")
    host.docker("stop", "kamal-proxy")
    host.docker("rm", "kamal-proxy")
    host.docker("volume", "rm", "kamal-proxy-config")


def write_upstream_state(host: Host) -> None:
    """Every field of spec/proxy.md 4 as the upstream writes it: nulls, empty lists, durations in ns, no order."""
    host.docker("stop", "kamal-proxy")
    target = host.docker("ps", "--quiet", "--filter", "label=role=web").strip() + ":8000"
    records = [
        record("hello-web", target),
        record("paused", target, hosts=["paused.example.com"], pause={"state": 1, "fail_after": 30_000_000_000}),
        record("stopped", target, hosts=["stopped.example.com"], pause={"state": 2, "stop_message": "until <noon>"}),
        record(
            "split",
            target,
            hosts=["split.example.com", "*.split.example.com"],
            options={"path_prefixes": ["/api"], "strip_prefix": False, "exclude_metrics_paths": ["/up"]},
            rollout_targets=[target],
            rollout_readers=[],
            rollout_controller={"percentage": 30, "percentage_split_point": 1288490188.5, "allowlist": ["vip"]},
        ),
    ]
    host.write(f"{STATE}/kamal-proxy.state", json.dumps(records) + "\n")
    host.write(f"{STATE}/certs/account", "key", mode=0o600)
    host.run(["chmod", "700", f"{STATE}/certs", STATE])
    host.run(["chown", "-R", "1001:1001", STATE])
    host.docker("start", "kamal-proxy")
    wait_until(lambda: "Service" in host.docker("exec", "kamal-proxy", "kamal-proxy", "list", check=False), what="it")


def record(name: str, target: str, *, hosts: list[str] | None = None, options: dict[str, Any] | None = None,
           pause: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "options": {
            "hosts": hosts or [""], "path_prefixes": ["/"], "tls_enabled": False, "tls_certificate_path": "",
            "tls_private_key_path": "", "tls_on_demand_url": "", "tls_redirect": True, "canonical_host": "",
            "acme_directory": "", "acme_cache_path": "/home/kamal-proxy/.config/kamal-proxy/certs",
            "error_page_path": "", "strip_prefix": True, "writer_affinity_timeout": 1000000000,
            "read_targets_accept_websockets": False, "exclude_metrics_paths": None, "client_ip_header": "",
        } | (options or {}),
        "target_options": {
            "health_check_config": {"path": "/up", "port": 0, "interval": 1000000000, "timeout": 5000000000,
                                    "host": ""},
            "response_timeout": 30000000000, "buffer_requests": True, "buffer_responses": True,
            "max_memory_buffer_size": 1048576, "max_request_body_size": 0, "max_response_body_size": 0,
            "log_request_headers": ["Cache-Control", "Last-Modified", "User-Agent"], "log_response_headers": None,
            "forward_headers": True, "scope_cookie_paths": False,
        },
        "active_targets": [target], "active_readers": [], "rollout_targets": None, "rollout_readers": None,
        "pause_controller": {"state": 0, "stop_message": "", "fail_after": 0} | (pause or {}),
        "rollout_controller": None,
    } | more  # fmt: skip


def reboot_under_load(application: Application, host: Host) -> Summary:
    """Requests may be refused while the ports change hands, and nothing else may happen to them.

    Docker's own proxy of the ports may take a connection then and close it, since no container is behind it.
    """
    with Load([f"http://{host.address}/"], rate=200) as load:
        wait_until(lambda: load.summary.ok > 50, what="load")
        application.kamal("proxy", "reboot", "-y", "--force", "--hosts", host.address)  # not all services are its own
        served = load.summary.ok
        wait_until(lambda: load.summary.ok > served + 50, what="load after the switch")
    summary = load.summary
    refused = [failure.at for failure in summary.failures if failure.reason.startswith("Connection")]
    others = [failure for failure in summary.failures if not failure.reason.startswith("Connection")]
    assert [each for each in others if each.kept_alive or each.reason != "closed without an answer"] == []
    assert [each for each in others if not min(refused) - 0.1 < each.at < max(refused) + 0.1] == []
    assert set(summary.statuses) == {"200"}
    return summary


def told(summary: Summary) -> str:
    times = [failure.at for failure in summary.failures] or [0.0]
    gap = (max(times) - min(times)) * 1000
    return f"{summary.failed} of {summary.sent} requests refused in {gap:.0f} ms at 200 requests/s, all routes kept"


def routes(host: Host, application: Application) -> Routes:
    page = host.run(["curl", "-s", "-w", "%{http_code}", "-H", "Host: stopped.example.com", "http://127.0.0.1/"])
    return Routes(
        listed=host.docker("exec", "kamal-proxy", "kamal-proxy", "list"),
        stopped_page=(int(page[-3:]), "until &lt;noon&gt;" in page),
        served_version=application.version_served(host),
    )


def owners(host: Host) -> dict[str, str]:
    lines = host.run(["find", STATE, "-printf", "%P|%U:%G %m\n"]).splitlines()
    return {name or ".": owner for name, _, owner in (line.partition("|") for line in lines)}


def images(host: Host) -> list[str]:
    return host.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()


def image_id(host: Host, name: str) -> str:
    return host.docker("image", "inspect", "--format", "{{.Id}}", name).strip()


def running_image(host: Host) -> str:
    return host.docker("inspect", "--format", "{{.Config.Image}}", "kamal-proxy").strip()
