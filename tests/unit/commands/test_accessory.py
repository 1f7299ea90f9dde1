"""Lines about accessories."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pykamal.commands import accessory
from pykamal.commands.command import Command, Effect
from pykamal.commands.logs import LogSelection
from pykamal.config.models import Accessory, Directory, Env, File, Logging, Registry
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

CONFIG = config(role("web", "10.0.0.1"))
DB = Accessory("db", "shop-db", "mysql:8.0", ("10.0.0.9",))
FULL = replace(
    DB,
    restart="always",
    port="3306",
    env=Env({"MYSQL_ROOT_HOST": "%"}, ("MYSQL_ROOT_PASSWORD",)),
    volumes=("/var/x:/x",),
    files=(File("config/my.cnf", "/etc/mysql/my.cnf", "0644", "999:999"),),
    directories=(
        Directory("data", "/var/lib/mysql", options="z"),
        Directory("/srv/log", "/log", mode="0755", owner="mysql"),
    ),
    labels={"app": "shop"},
    options={"cpus": "2"},
    cmd="--foo",
)
ENVIRONMENT = '--env MYSQL_ROOT_HOST="%" --env-file .kamal/apps/app/env/accessories/db.env'
VOLUMES = (
    "--volume /var/x:/x --volume $PWD/shop-db/etc/mysql/my.cnf:/etc/mysql/my.cnf "
    "--volume $PWD/shop-db/data:/var/lib/mysql:z --volume /srv/log:/log"
)


def test_run() -> None:
    """spec/config.md 9.3: the smallest accessory."""
    assert accessory.run(CONFIG, DB, "10.0.0.9").display_text() == (
        "docker run --name shop-db --detach --restart unless-stopped --network kamal "
        '--log-opt max-size="10m" --env KAMAL_HOST="10.0.0.9" --env-file .kamal/apps/app/env/accessories/db.env '
        '--label service="shop-db" mysql:8.0'
    )


def test_run_with_everything() -> None:
    """spec/config.md 9.3: the example, in the order given."""
    assert accessory.run(CONFIG, FULL, "10.0.0.9").display_text() == (
        "docker run --name shop-db --detach --restart always --network kamal "
        f'--log-opt max-size="10m" --publish 3306:3306 --env KAMAL_HOST="10.0.0.9" {ENVIRONMENT} '
        f'{VOLUMES} --label service="shop-db" --label app="shop" --cpus "2" mysql:8.0 --foo'
    )


def test_log_settings_are_the_roots() -> None:
    """spec/config.md 13: accessories use root logging only."""
    line = accessory.run(replace(CONFIG, logging=Logging("syslog")), DB, "10.0.0.9")
    assert '--network kamal --log-driver "syslog" --env' in line.display_text()


def test_own_registry_and_network() -> None:
    """spec/cli.md 14.8: the accessory's registry in front of its image, never the root's."""
    own = replace(DB, registry=Registry("ghcr.io"), network="backend", port="127.0.0.1:3306:3306")
    line = accessory.run(CONFIG, own, "10.0.0.9").display_text()
    assert line.endswith(" ghcr.io/mysql:8.0")
    assert " --network backend " in line
    assert " --publish 127.0.0.1:3306:3306 " in line


@pytest.mark.parametrize(
    ("line", "expected", "may_fail"),
    [
        (accessory.start(DB), "docker container start shop-db", False),
        (accessory.stop(DB), "docker container stop shop-db", False),
        (accessory.container_id(DB), "docker container ls --filter 'name=^shop-db$' --quiet", False),
        (accessory.details(DB), "docker ps --filter label=service=shop-db", False),
        (accessory.logs(DB), "docker logs shop-db --timestamps 2>&1", False),
        (
            accessory.logs(DB, LogSelection(since="1h", lines=5, grep="x", grep_options="-i")),
            "docker logs shop-db --since 1h --tail 5 --timestamps 2>&1 | grep 'x' -i",
            False,
        ),
        (
            accessory.logs(DB, LogSelection(timestamps=False, grep="x"), follow=True),
            'docker logs shop-db --tail 10 --follow 2>&1 | grep "x"',
            False,
        ),
        (
            accessory.exec_new(CONFIG, FULL, "mysql -u root", suffix="abcdef"),
            (
                "docker run --rm --name shop-db-exec-abcdef --network kamal "
                f'{ENVIRONMENT} {VOLUMES} --cpus "2" mysql:8.0 mysql -u root'
            ),
            False,
        ),
        (
            accessory.exec_new(CONFIG, DB, "sh", suffix="abcdef", interactive="tty"),
            (
                "docker run -it --rm --name shop-db-exec-abcdef --network kamal "
                "--env-file .kamal/apps/app/env/accessories/db.env mysql:8.0 sh"
            ),
            False,
        ),
        (accessory.remove_exec(DB, "abcdef"), "docker rm --force shop-db-exec-abcdef", True),
        (accessory.exec_existing(DB, "ls | wc"), "docker exec shop-db ls | wc", False),
        (accessory.exec_existing(DB, "sh", interactive="stdin"), "docker exec -i shop-db sh", False),
        (accessory.remove_containers(DB), "docker container prune --force --filter label=service=shop-db", False),
        (accessory.pull_image(DB), "docker image pull mysql:8.0", False),
        (
            accessory.remove_image(DB),
            (
                "docker ps --all --filter ancestor=mysql:8.0 --format '{{.Names}}' | grep -v -x -F shop-db > /dev/null "
                "|| docker image rm --force mysql:8.0"
            ),
            False,
        ),
        (accessory.remove_directory(DB), "rm -rf shop-db", False),
    ],
)
def test_lines(line: Command, expected: str, may_fail: bool) -> None:
    """spec/cli.md 14.8: lines and marks F."""
    assert (line.display_text(), line.may_fail) == (expected, may_fail)


def test_directories() -> None:
    """spec/cli.md 14.8, step 3: made, then mode and owner where they are given."""
    assert [line.display_text() for line in accessory.make_directories(FULL)] == [
        "mkdir -p $PWD/shop-db/data",
        "mkdir -p /srv/log",
        "chmod 0755 /srv/log",
        "chown mysql /srv/log",
    ]


def test_files() -> None:
    """spec/cli.md 14.8, step 4: parent, upload, mode (755 by default), owner."""
    (file,) = FULL.files
    assert accessory.make_file_directory(FULL, file).display_text() == "mkdir -p shop-db/etc/mysql"
    assert accessory.file_path(FULL, file) == "shop-db/etc/mysql/my.cnf"
    assert [line.display_text() for line in accessory.file_permissions(FULL, file)] == [
        "chmod 0644 shop-db/etc/mysql/my.cnf",
        "chown 999:999 shop-db/etc/mysql/my.cnf",
    ]
    assert [line.display_text() for line in accessory.file_permissions(FULL, File("a", "/b"))] == [
        "chmod 755 shop-db/b"
    ]


@pytest.mark.parametrize(("file", "mode"), [(File("a", "/b"), "600"), (File("a", "/b", "0640"), "0640")])
def test_files_with_secrets(file: File, mode: str) -> None:
    """The owner's alone, and in a directory of the owner's alone, unless `mode` says more (docs/differences.md)."""
    (line,) = accessory.file_permissions(DB, file, holds_secrets=True)
    assert line.display_text() == f"chmod {mode} shop-db/b"
    assert accessory.close_directory(DB).display_text() == "chmod 0700 shop-db"


def test_what_only_reads() -> None:
    """design.md, rule 2: reads are known from changes."""
    reads = [
        accessory.container_id(DB),
        accessory.details(DB),
        accessory.logs(DB, LogSelection(grep="x")),
    ]
    changes = [accessory.stop(DB), accessory.exec_existing(DB, "ls"), accessory.pull_image(DB)]
    assert all(line.effect is Effect.READ for line in reads)
    assert all(line.effect is Effect.CHANGE for line in changes)
