"""Lines about containers of the application."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import app
from pykamal.commands.command import Command, Effect
from pykamal.commands.logs import LogSelection
from pykamal.config.models import AssetPath, Config, Env, Logging, Registry, Role, RoleHost
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

WEB = role("web", "10.0.0.1")
JOBS = role("jobs", "10.0.0.2", stop_timeout=30, cmd="bin/jobs --fast")
CONFIG = config(WEB, JOBS, registry=Registry("ghcr.io"))
STAGING = replace(CONFIG, destination="staging")
STAGING_WEB = replace(WEB, destination="staging")

FILTERS = "--filter label=service=app --filter label=destination= --filter label=role=web"
ID = "docker container ls --all --filter 'name=^app-web-v1$' --quiet"
STATES = "--filter status=running --filter status=restarting"


def running(format_flags: str, filters: str = FILTERS, latest: str = "ghcr.io/acme/app:latest") -> str:
    newest = f"docker ps --latest {format_flags} {filters} {STATES}"
    image = f"$(docker image ls --filter reference={latest} --format '\\''{{{{.ID}}}}'\\'')"
    return f"sh -c '{newest} --filter ancestor={image} ; {newest}' | head -1"


NAMES = running("--format '\\''{{.Names}}'\\''")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (app.start(WEB, "v1"), "docker start app-web-v1"),
        (app.stop(WEB, "v1"), f"{ID} | xargs docker stop"),
        (
            app.stop(JOBS, "v1"),
            "docker container ls --all --filter 'name=^app-jobs-v1$' --quiet | xargs docker stop -t 30",
        ),
        (app.stop_current(CONFIG, WEB), f"{running('--quiet')} | xargs docker stop"),
        (app.details(CONFIG, WEB), f"docker ps {FILTERS}"),
        (app.container_id(WEB, "v1"), ID),
        (app.current_version(CONFIG, WEB), f"{NAMES} | while read line; do echo ${{line#app-web-}}; done"),
        (app.stop_known(WEB, "v1"), "docker stop app-web-v1"),
        (app.stop_known(JOBS, "v1"), "docker stop -t 30 app-jobs-v1"),
        (app.rename(WEB, "v1", "v1_replaced_ab"), "docker rename app-web-v1 app-web-v1_replaced_ab"),
        (app.remove_container(WEB, "v1"), f"{ID} | xargs docker container rm"),
        (app.remove_containers(CONFIG, WEB), f"docker container prune --force {FILTERS}"),
        (
            app.list_containers(CONFIG),
            "docker container ls --all --filter label=service=app --filter label=destination=",
        ),
        (app.list_images(CONFIG), "docker image ls ghcr.io/acme/app"),
        (app.tag_latest(CONFIG, "v1"), "docker tag ghcr.io/acme/app:v1 ghcr.io/acme/app:latest"),
        (app.tag_latest(STAGING, "v1"), "docker tag ghcr.io/acme/app:v1 ghcr.io/acme/app:latest-staging"),
    ],
)
def test_lines(line: Command, expected: str) -> None:
    """spec/cli.md 13.5.1 and 14.2: purposes and commands."""
    assert line.display_text() == expected


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("state", "status", "done"),
    [("running", 1, ["rename"]), ("restarting", 0, ["rename", "stop", "rename"])],
)
def test_a_container_that_waits_to_be_restarted_is_renamed(
    shell: str, tmp_path: Path, state: str, status: int, done: list[str]
) -> None:
    """Docker's own rename fails in that state; one that runs is not stopped for another failure."""
    docker = f"""docker() {{
      case "$1" in
        container) echo {state}; return ;;
        rename) echo rename >> {tmp_path}/done; [ -e {tmp_path}/stopped ] ;;
        stop) echo stop >> {tmp_path}/done; touch {tmp_path}/stopped ;;
      esac
    }}
    """
    result = run(docker + app.rename(WEB, "v1", "v1_replaced_ab").shell_text(), shell=shell)
    assert result.returncode == status
    assert (tmp_path / "done").read_text().split() == done


def test_destination_is_part_of_names_and_filters() -> None:
    """spec/cli.md 14.2: the destination filter is always there."""
    filters = "--filter label=service=app --filter label=destination=staging --filter label=role=web"
    assert app.details(STAGING, STAGING_WEB).display_text() == f"docker ps {filters}"
    assert "'name=^app-web-staging-v1$'" in app.container_id(STAGING_WEB, "v1").display_text()
    names = running("--format '\\''{{.Names}}'\\''", filters, "ghcr.io/acme/app:latest-staging")
    expected = f"{names} | while read line; do echo ${{line#app-web-staging-}}; done"
    assert app.current_version(STAGING, STAGING_WEB).display_text() == expected


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_current_version_is_what_follows_the_prefix(shell: str) -> None:
    """spec/cli.md 14.2: the newest container of the latest image wins over any newer one."""
    docker = """docker() {
      case "$1 $*" in
        "image "*) echo abc ;;
        *ancestor=abc*) echo app-web-v1 ;;
        *) echo app-web-v2 ;;
      esac
    }
    sh() { eval "$2"; }
    """
    result = run(docker + app.current_version(CONFIG, WEB).shell_text(), shell=shell)
    assert result.stdout == b"v1\n"


RUN = (
    "docker run --detach --restart unless-stopped --name app-web-v1 --network kamal --hostname 10.0.0.1-0123456789ab "
    '--env KAMAL_CONTAINER_NAME="app-web-v1" --env KAMAL_VERSION="v1" --env KAMAL_HOST="10.0.0.1" '
    '--env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" '
    '--label service="app" --label role="web" --label destination ghcr.io/acme/app:v1'
)


def line_of(config: Config, role: Role, host: str = "10.0.0.1", version: str = "v1") -> str:
    return app.run(config, role, host, version, hostname_suffix="0123456789ab").display_text()


def test_run() -> None:
    """spec/cli.md 14.2: the smallest role; the env file is always there."""
    assert line_of(CONFIG, WEB) == RUN


def test_run_with_everything() -> None:
    """spec/config.md 18.5: the example, in the order given."""
    full = replace(
        STAGING_WEB,
        service="shop",
        hosts=(RoleHost("10.1.0.1", ("first", "second")),),
        env=Env({"TOP": "staging", "KEEP": "staging", "A": "0"}, ("SECRET",)),
        tag_envs={"first": Env({"A": "1"}), "second": Env({"B": 3})},
        labels={"x": "base"},
        options={"cpus": "2", "init": True, "cap-add": ("A", "B")},
        asset_path=AssetPath("/x", "ro"),
        cmd="bin/start $PORT",
        restart="always",
        logging=Logging("json-file", {"max-size": "5m"}),
    )
    service = replace(STAGING, service="shop", image="acme/shop", registry=Registry("localhost:5555"))
    service = replace(service, volumes=("/c:/c",), roles=(full,))
    assert line_of(service, full, "10.1.0.1", "v9") == (
        "docker run --detach --restart always --name shop-web-staging-v9 --network kamal "
        '--hostname 10.1.0.1-0123456789ab --env KAMAL_CONTAINER_NAME="shop-web-staging-v9" --env KAMAL_VERSION="v9" '
        '--env KAMAL_HOST="10.1.0.1" --env KAMAL_DESTINATION="staging" --env TOP="staging" --env KEEP="staging" '
        '--env A="1" --env B="3" --env-file .kamal/apps/shop-staging/env/roles/web.env '
        '--log-driver "json-file" --log-opt max-size="5m" '
        "--volume /c:/c --volume $PWD/.kamal/apps/shop-staging/assets/volumes/web-v9:/x:ro "
        '--label service="shop" --label role="web" --label destination="staging" --label x="base" '
        '--cpus "2" --init --cap-add "A" --cap-add "B" localhost:5555/acme/shop:v9 bin/start $PORT'
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": {"service": "other"}}, '--label service="other" --label role="web"'),
        ({"logging": Logging("syslog")}, '.env --log-driver "syslog" --label'),
        ({"logging": Logging(None, {"a": 1})}, '.env --log-opt a="1" --label'),
        ({"env": Env({"E": "", "F": False})}, "--env E --env F=false --env-file"),
    ],
)
def test_run_details(change: dict[str, object], expected: str) -> None:
    """spec/config.md 5, 13 and 18.4: labels replaced in place, log settings, empty and false values."""
    assert expected in line_of(CONFIG, replace(WEB, **change))  # type: ignore[arg-type]


def test_assets_are_mounted_behind_the_proxy_only() -> None:
    """spec/config.md 18.12: roles without proxy have no asset volume."""
    assert "--volume" not in line_of(CONFIG, replace(WEB, proxy=None, asset_path=AssetPath("/x")))


@pytest.mark.parametrize(
    ("host", "hostname"),
    [("a" * 60, "a" * 51), ("a" * 50 + ".b", "a" * 50), ("app.example.com", "app.example.com")],
)
def test_hostname(host: str, hostname: str) -> None:
    """spec/cli.md 14.2: first 51 characters, one trailing dot removed, then the suffix."""
    assert f"--hostname {hostname}-0123456789ab " in line_of(CONFIG, WEB, host)


EXEC = (
    "docker run --rm --name app-web-exec-v1-abcdef --network kamal --env A=\"1\" "
    "--env-file .kamal/apps/app/env/roles/web.env --log-opt max-size=\"10m\" --volume /c:/c --cpus \"2\" "
    "ghcr.io/acme/app:v1 bin/rails c"
)  # fmt: skip


def test_exec_in_a_new_container() -> None:
    """spec/cli.md 14.4: NEW, with no labels, host name or KAMAL_ variables."""
    web = replace(WEB, env=Env({"A": "1"}), options={"cpus": "2"}, labels={"x": "y"})
    service = replace(CONFIG, volumes=("/c:/c",))
    line = app.exec_new(service, web, "10.0.0.1", "v1", "bin/rails c", suffix="abcdef")
    assert line.display_text() == EXEC
    detached = app.exec_new(service, web, "10.0.0.1", "v1", "bin/rails c", suffix="abcdef", detach=True)
    assert detached.display_text() == EXEC.replace("--rm", "--detach")
    terminal = app.exec_new(
        service, web, "10.0.0.1", "v1", "bin/rails c", suffix="abcdef", env={"B": "x y"}, interactive="tty"
    )
    expected = EXEC.replace("run --rm", "run -it --rm").replace("web.env", "web.env --env-file /dev/fd/3")
    assert terminal.shell_text() == expected


def test_what_runs_in_a_new_container_can_be_ended_by_its_name() -> None:
    """Ctrl-C leaves no container of `app exec` behind, even one whose command is deaf to signals."""
    assert app.remove_exec(WEB, "v1", "abcdef").display_text() == "docker rm --force app-web-exec-v1-abcdef"


def test_exec_in_the_running_container() -> None:
    """spec/cli.md 14.4: EXISTING; the command line is passed unquoted."""
    assert app.exec_existing(WEB, "v1", "ls | wc").display_text() == "docker exec app-web-v1 ls | wc"
    line = app.exec_existing(WEB, "v1", "sh", env={"A": "1"}, interactive="stdin")
    assert line.shell_text() == "docker exec -i --env-file /dev/fd/3 app-web-v1 sh"


def test_variables_of_exec_win_over_those_of_deploy_yml() -> None:
    """spec/cli.md 14.4: as the last `--env` does in Ruby Kamal; one without a value is unset in the container."""
    web = replace(WEB, env=Env({"A": "1", "B": "2", "C": "3"}))
    line = app.exec_new(CONFIG, web, "10.0.0.1", "v1", "env", suffix="abcdef", env={"A": "x", "B": ""}).shell_text()
    assert '--env C="3" --env-file .kamal/apps/app/env/roles/web.env --env-file /dev/stdin --env B --log-opt' in line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (app.logs(CONFIG, WEB), f"{running('--quiet')} | xargs docker logs --timestamps 2>&1"),
        (
            app.logs(CONFIG, WEB, LogSelection(since="5m", lines=100, timestamps=False)),
            f"{running('--quiet')} | xargs docker logs --since 5m --tail 100 2>&1",
        ),
        (
            app.logs(CONFIG, WEB, LogSelection(grep="it's", grep_options="-C 2 -i")),
            f"{running('--quiet')} | xargs docker logs --timestamps 2>&1 | grep 'it'\\''s' -C 2 -i",
        ),
        (
            app.logs(CONFIG, WEB, container_id="abc"),
            "sh -c 'echo abc' | xargs docker logs --timestamps 2>&1",
        ),
        (
            app.logs(CONFIG, WEB, LogSelection(lines=10, grep="GET"), follow=True),
            f'{running("--quiet")} | xargs docker logs --timestamps --tail 10 --follow 2>&1 | grep "GET"',
        ),
    ],
)
def test_logs(line: Command, expected: str) -> None:
    """spec/cli.md 14.5: sources, flags and grep, in single quotes once and in double quotes when following."""
    assert line.display_text() == expected
    assert line.effect is Effect.READ


def test_what_may_fail() -> None:
    """spec/cli.md 13.5.1 and 14.3: marks F."""
    allowed = [app.stop(WEB, "v1"), app.current_version(CONFIG, WEB)]
    required = [
        app.start(WEB, "v1"),
        app.stop_current(CONFIG, WEB),
        app.rename(WEB, "v1", "v2"),
        app.remove_containers(CONFIG, WEB),
    ]
    assert all(line.may_fail for line in allowed)
    assert not any(line.may_fail for line in required)


def test_what_only_reads() -> None:
    """design.md, rule 2: reads are known from changes."""
    reads = [
        app.details(CONFIG, WEB),
        app.container_id(WEB, "v1"),
        app.current_version(CONFIG, WEB),
        app.list_containers(CONFIG),
        app.list_images(CONFIG),
    ]
    changes = [
        app.stop(WEB, "v1"),
        app.stop_current(CONFIG, WEB),
        app.remove_container(WEB, "v1"),
        app.exec_existing(WEB, "v1", "ls"),
        app.run(CONFIG, WEB, "10.0.0.1", "v1", hostname_suffix="00"),
    ]
    assert all(line.effect is Effect.READ for line in reads)
    assert all(line.effect is Effect.CHANGE for line in changes)
