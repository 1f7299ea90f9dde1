"""Lines about the proxy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pykamal.commands import proxy, proxy_boot_config
from pykamal.commands.command import Command, Effect
from pykamal.commands.logs import LogSelection
from pykamal.commands.words import Raw
from pykamal.config.models import (
    Accessory,
    Buffering,
    Extension,
    Healthcheck,
    Proxy,
    ProxyEngine,
    ProxyExtension,
    ProxyRun,
    Registry,
    Ssl,
)
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

WEB = role("web", "10.0.0.1")
CONFIG = config(WEB, registry=Registry("ghcr.io"))
DB = Accessory("db", "app-db", "mysql:8", ("10.0.0.9",), proxy=Proxy(app_port=8080))

BASE = (
    "docker run --name kamal-proxy --network kamal --detach --restart unless-stopped "
    "--volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy "
    "--volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config"
)
LEGACY = (
    'echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") '
    '$(cat .kamal/proxy/image 2> /dev/null || echo "basecamp/kamal-proxy"):'
    '$(cat .kamal/proxy/image_version 2> /dev/null || echo "v0.9.2") '
    '$(cat .kamal/proxy/run_command 2> /dev/null || echo "")'
)


def with_run(settings: ProxyRun) -> str:
    return proxy.run(config(replace(WEB, proxy=Proxy(run=settings))), "10.0.0.1").display_text()


def test_legacy_run() -> None:
    """spec/cli.md 14.7: without `proxy/run` the files of boot_config count."""
    assert proxy.run(CONFIG, "10.0.0.1").display_text() == f"{LEGACY} | xargs {BASE}"
    assert proxy.start_or_run(CONFIG, "10.0.0.1").display_text() == (
        f"docker container start kamal-proxy || {LEGACY} | xargs {BASE}"
    )


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_legacy_settings_are_read_from_files(shell: str, tmp_path: Path) -> None:
    """spec/cli.md 14.7: `proxy boot_config get` prints what the echo makes of the files."""
    defaults = b"--publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2\n"
    assert run(proxy.legacy_settings(), directory=tmp_path, shell=shell).stdout == defaults
    (tmp_path / ".kamal/proxy").mkdir(parents=True)
    (tmp_path / ".kamal/proxy/options").write_text("--publish 8080:80\n")
    (tmp_path / ".kamal/proxy/run_command").write_text("kamal-proxy run --debug")
    changed = b"--publish 8080:80 basecamp/kamal-proxy:v0.9.2 kamal-proxy run --debug\n"
    assert run(proxy.legacy_settings(), directory=tmp_path, shell=shell).stdout == changed


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            ProxyRun(),
            "--publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2 kamal-proxy run",
        ),
        (
            ProxyRun(http_port=8080, https_port=8443, bind_ips=("1.2.3.4", "::1", "[::2]"), log_max_size=""),
            (
                "--publish 1.2.3.4:8080:80 --publish 1.2.3.4:8443:443 --publish [::1]:8080:80 "
                "--publish [::1]:8443:443 --publish [::2]:8080:80 --publish [::2]:8443:443 "
                "basecamp/kamal-proxy:v0.9.2 kamal-proxy run"
            ),
        ),
        (
            ProxyRun(publish=False, metrics_port=9090, debug=True, options={"cpus": 1, "init": True}),
            (
                '--log-opt max-size=10m --expose=9090 --cpus "1" --init basecamp/kamal-proxy:v0.9.2 '
                'kamal-proxy run --debug --metrics-port "9090"'
            ),
        ),
        (
            ProxyRun(registry="ghcr.io", repository="me/proxy", version="v1", log_max_size="5m"),
            "--publish 80:80 --publish 443:443 --log-opt max-size=5m ghcr.io/me/proxy:v1 kamal-proxy run",
        ),
    ],
)
def test_run(settings: ProxyRun, expected: str) -> None:
    """spec/cli.md 14.7, spec/config.md 8.3: RUNPROXY in the order given."""
    assert with_run(settings) == f"{BASE} {expected}"


@pytest.mark.parametrize(
    ("line", "expected", "may_fail"),
    [
        (proxy.container_start(), "docker container start kamal-proxy", False),
        (proxy.container_stop(), "docker container stop kamal-proxy", False),
        (
            proxy.remove_container(),
            "docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy",
            False,
        ),
        (
            proxy.remove_image(),
            "docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy",
            False,
        ),
        (
            proxy.remove_traefik(),
            (
                "docker container stop traefik ; "
                "docker container prune --force --filter label=org.opencontainers.image.title=Traefik && "
                "docker image prune --all --force --filter label=org.opencontainers.image.title=Traefik"
            ),
            False,
        ),
        (
            proxy.make_apps_directory(),
            "mkdir -p .kamal/proxy/apps-config && { test ! -O .kamal || chmod 0700 .kamal; }",
            False,
        ),
        (proxy.remove_directory(), "rm -r .kamal/proxy", True),
        (proxy.remove_app_directory(CONFIG), "rm -r .kamal/proxy/apps-config/app", True),
        (proxy.version(), "docker inspect kamal-proxy --format '{{.Config.Image}}' | awk -F: '{print $NF}'", False),
        (proxy.details(), "docker ps --filter 'name=^kamal-proxy$'", False),
        (proxy.logs(), "docker logs kamal-proxy --timestamps 2>&1", False),
        (
            proxy.logs(LogSelection(since="5m", lines=100, grep="a b", timestamps=False)),
            "docker logs kamal-proxy --since 5m --tail 100 2>&1 | grep 'a b'",
            False,
        ),
        (
            proxy.logs(LogSelection(grep="x"), follow=True),
            'docker logs kamal-proxy --timestamps --tail 10 --follow 2>&1 | grep "x"',
            False,
        ),
        (proxy.remove("app-web"), "docker exec kamal-proxy kamal-proxy remove app-web", True),
        (proxy.resume("app-web"), "docker exec kamal-proxy kamal-proxy resume app-web", False),
        (
            proxy.stop("app-web", drain_timeout=30),
            'docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="30s"',
            False,
        ),
        (
            proxy.stop("app-web", drain_timeout=5, message="Back `soon`"),
            ('docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="5s" --message="Back \\`soon\\`"'),
            False,
        ),
        (proxy.list_services(), "docker exec kamal-proxy kamal-proxy list", False),
    ],
)
def test_lines(line: Command, expected: str, may_fail: bool) -> None:
    """spec/cli.md 14.3, 14.6 and 14.7: lines and marks F."""
    assert (line.display_text(), line.may_fail) == (expected, may_fail)


REQUEST_HEADERS = (
    '--log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"'
)


def told(settings: Proxy, **more: Any) -> str:
    line = proxy.deploy(
        "app-web",
        target=Raw('"ID:80"'),
        proxy=settings,
        config=replace(CONFIG, **more),
        tls_directory="/tls",
    )
    return line.display_text().removeprefix("docker exec kamal-proxy kamal-proxy deploy app-web ")


def test_deploy_of_a_minimal_role() -> None:
    """spec/config.md 8.2: the minimal role."""
    assert told(Proxy()) == (
        '--target="ID:80" --deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses '
        + REQUEST_HEADERS
    )


def test_deploy_with_everything() -> None:
    """spec/cli.md 14.7: exact flag order."""
    settings = Proxy(
        hosts=("a.example", "b.example"),
        ssl=Ssl("CERT", "KEY"),
        ssl_redirect=True,
        forward_headers=True,
        response_timeout=10,
        path_prefixes=("/api", "/v2"),
        strip_path_prefix=False,
        healthcheck=Healthcheck("/health", 3, 4),
        buffering=Buffering(False, False, 1, 2, 3),
        log_request_headers=("A",),
        log_response_headers=("B", "C"),
    )
    assert told(settings, deploy_timeout=60, drain_timeout=15) == (
        '--target="ID:80" --host="a.example" --host="b.example" --tls --tls-certificate-path="/tls/cert.pem" '
        '--tls-private-key-path="/tls/key.pem" --deploy-timeout="60s" --drain-timeout="15s" '
        '--health-check-interval="3s" --health-check-timeout="4s" --health-check-path="/health" '
        '--target-timeout="10s" --buffer-requests="false" --buffer-responses="false" --buffer-memory="1" '
        '--max-request-body="2" --max-response-body="3" --path-prefix="/api" --path-prefix="/v2" '
        '--strip-path-prefix="false" --forward-headers --tls-redirect --log-request-header="A" '
        '--log-response-header="B" --log-response-header="C"'
    )


def test_automatic_certificate() -> None:
    """spec/config.md 8.1: TLS without files of its own."""
    assert '--host="a.example" --tls --deploy-timeout' in told(Proxy(hosts=("a.example",), ssl=Ssl()))


ROLE_ID = "docker container ls --all --filter 'name=^app-web-v1$' --quiet"


def test_deploy_of_a_role() -> None:
    """spec/cli.md 13.5.1, step 8: the container's id first, the role's own certificate, error pages of the version."""
    web = replace(WEB, proxy=Proxy(app_port=3000, ssl=Ssl("CERT", "KEY")))
    line = proxy.deploy_role(replace(CONFIG, destination="eu", error_pages_path="public"), web, "v1")
    inside = "/home/kamal-proxy/.apps-config/app-eu"
    assert line.display_text() == (
        f'{{ id="$({ROLE_ID})" && test -n "$id"; }} '
        "|| { echo 'Failed to get endpoint for web, did the container boot?' >&2 ; exit 69; } "
        '&& docker exec kamal-proxy kamal-proxy deploy app-web --target="$id:3000" --tls '
        f'--tls-certificate-path="{inside}/tls/web/cert.pem" --tls-private-key-path="{inside}/tls/web/key.pem" '
        '--deploy-timeout="30s" --drain-timeout="30s" --buffer-requests --buffer-responses '
        f'{REQUEST_HEADERS} --error-pages="{inside}/error_pages/v1"'
    )
    assert (line.effect, line.may_fail) == (Effect.CHANGE, False)


def test_deploy_with_protections() -> None:
    """docs/proxy.md, protections: for roles, after the flags of Ruby Kamal; an accessory gets none."""
    settings = {
        "trusted_proxies": ("10.0.0.0/8",),
        "allow": ("192.0.2.0/24", "::1"),
        "deny": ("192.0.2.7",),
        "rate_limit": 0.5,
        "rate_limit_burst": 3,
        "connection_limit": 4,
        "body_limit": 1000,
        "basic_auth_realm": "The ${HOME}",
        "basic_auth_except": ("/up", "/a,b"),
        "security_headers": ("X-Frame-Options: DENY",),
    }
    extension = Extension(proxy=ProxyExtension(ProxyEngine.PYKAMAL, settings, {"alice": "SECRET"}))
    line = proxy.deploy_role(replace(CONFIG, extension=extension), WEB, "v1").display_text()
    assert line.endswith(
        f"{REQUEST_HEADERS} --trusted-proxy=10.0.0.0/8 --allow=192.0.2.0/24 --allow=::1 --deny=192.0.2.7 "
        "--rate-limit=0.5 --rate-limit-burst=3 --connection-limit=4 --body-limit=1000 "
        "--basic-auth-file=/home/kamal-proxy/.apps-config/app/auth/users '--basic-auth-realm=The ${HOME}' "
        "--basic-auth-except=/up '--basic-auth-except=\"/a,b\"' '--security-header=X-Frame-Options: DENY'"
    )
    assert "--allow" not in proxy.deploy_accessory(replace(CONFIG, extension=extension), DB, "v1").display_text()


def test_deploy_of_an_accessory() -> None:
    """spec/cli.md 14.7: the accessory's service name, its running container, error pages too (quirk 19)."""
    line = proxy.deploy_accessory(replace(CONFIG, error_pages_path="public"), DB, "v1").display_text()
    assert line.startswith("{ id=\"$(docker container ls --filter 'name=^app-db$' --quiet)\" && ")
    assert ' deploy app-db --target="$id:8080" --deploy-timeout' in line
    assert line.endswith('--error-pages="/home/kamal-proxy/.apps-config/app/error_pages/v1"')


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_deploy_needs_a_container(shell: str) -> None:
    """spec/cli.md 13.5.1, step 8: without an id the proxy is not told anything."""
    line = proxy.deploy_role(CONFIG, WEB, "v1").shell_text()
    missing = run(f'docker() {{ [ "$1" = container ] || echo "$*"; }}\n{line}', shell=shell)
    assert (missing.returncode, missing.stdout) == (proxy.ENDPOINT_MISSING_STATUS, b"")
    assert missing.stderr == b"Failed to get endpoint for web, did the container boot?\n"
    there = run(f'docker() {{ [ "$1" = container ] && echo abc || echo "$*"; }}\n{line}', shell=shell)
    assert b"kamal-proxy deploy app-web --target=abc:80 " in there.stdout
    refused = run(f'docker() {{ [ "$1" = container ] && echo abc || return 1; }}\n{line}', shell=shell)
    assert refused.returncode == 1


def test_roles_without_proxy_are_refused() -> None:
    """A caller's mistake is an exception, not a line."""
    with pytest.raises(ValueError, match="web does not run behind"):
        proxy.deploy_role(CONFIG, replace(WEB, proxy=None), "v1")
    with pytest.raises(ValueError, match="db does not run behind"):
        proxy.deploy_accessory(CONFIG, replace(DB, proxy=None), "v1")


def test_paths() -> None:
    """spec/cli.md 0.3: certificates of a role."""
    assert proxy.certificates_directory(CONFIG, WEB) == ".kamal/proxy/apps-config/app/tls/web"


def stored(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (home / ".kamal/proxy").iterdir()}


@pytest.mark.process
def test_boot_config(tmp_path: Path) -> None:
    """spec/cli.md 14.7: `boot_config set` writes what differs from the defaults, `reset` removes it."""
    settings = ProxyRun(
        http_port=8080, bind_ips=("::1",), metrics_port=9, debug=True, registry="ghcr.io", repository="me/kamal-proxy"
    )
    for step in proxy_boot_config.store(settings, ["cpus=1"]):
        assert run(step, directory=tmp_path).returncode == 0 or step.may_fail
    assert stored(tmp_path) == {
        "options": ("--publish [::1]:8080:80 --publish [::1]:443:443 --log-opt max-size=10m --expose=9 --cpus=1"),
        "image": "ghcr.io/me/kamal-proxy",
        "run_command": 'kamal-proxy run --debug --metrics-port "9"',
    }
    for step in proxy_boot_config.store(ProxyRun(version="v1.0.0", log_max_size="")):
        assert run(step, directory=tmp_path).returncode == 0 or step.may_fail
    assert stored(tmp_path) == {"options": "--publish 80:80 --publish 443:443", "image_version": "v1.0.0"}
    for step in proxy_boot_config.reset():
        run(step, directory=tmp_path)
    assert stored(tmp_path) == {}


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Error: service not found", 0),
        ("Error response from daemon: No such container: kamal-proxy", 0),
        ("Error response from daemon: container 4f5e is not running", 0),
        ("Error: dial unix /tmp/kamal-proxy.sock: connect: connection refused", 1),
    ],
)
def test_removing_a_service_fails_where_the_proxy_may_still_route_to_it(shell: str, said: str, status: int) -> None:
    """spec/cli.md 14.3 ignores how it ends; one that the proxy does not know is as good as removed."""
    line = proxy.remove("app-web")
    assert line.display_text() == "docker exec kamal-proxy kamal-proxy remove app-web"
    assert line.may_fail
    done = run(f"docker() {{ echo '{said}' >&2; return 1; }}\n{line.shell_text()}", shell=shell)
    assert (done.returncode, done.stdout.decode() + done.stderr.decode()) == (status, f"{said}\n")
