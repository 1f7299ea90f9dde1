"""Pruning on a host that several destinations share, by a real shell and awk (spec/cli.md 14.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import prune
from pykamal.commands.command import Command, Effect
from pykamal.config.models import Config, Registry
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = [pytest.mark.unit, pytest.mark.process]

REPOSITORY = "ghcr.io/acme/app"
PLAIN = config(role("web", "10.0.0.1"), role("worker", "10.0.0.1"), registry=Registry("ghcr.io"))


def at(destination: str) -> Config:
    roles = tuple(replace(each, destination=destination) for each in PLAIN.roles)
    return replace(PLAIN, destination=destination, roles=roles)


DOCKER = r"""
docker() {
  case "$1 $2" in
    "ps --all"|"image ls"|"container ls") cat "$1" 2> /dev/null ;;
    "image rm"|"container rm") test "$3" != stuck && test "$3" != gone && echo "$3" >> removed ;;
    "image inspect"|"container inspect") test "$3" != gone ;;
    "image prune") echo dangling >> removed ;;
  esac
}
"""
"""An engine that prints what files say and notes what is removed; `stuck` stays there and `gone` is gone already."""


def removed(
    line: Command, folder: Path, *, containers: Sequence[str] = (), images: Sequence[str] = (), used: Sequence[str] = ()
) -> list[str]:
    for name, lines in (("ps", containers), ("image", images), ("container", used)):
        (folder / name).write_text("".join(f"{each}\n" for each in lines))
    result = run(DOCKER + line.shell_text(), directory=folder)
    assert result.returncode == 0, result.stderr
    notes = folder / "removed"
    return sorted(notes.read_text().split()) if notes.exists() else []


# -- containers

CONTAINERS = (
    "\tweb\tapp-web-4\tplain-web-4",
    "staging\tweb\tapp-web-staging-4\tstaging-web-4",
    "\tworker\tapp-worker-4\tplain-worker-4",
    "\tweb\tapp-web-3\tplain-web-3",
    "\tworker\tapp-worker-3\tplain-worker-3",
    "staging\tweb\tapp-web-staging-3\tstaging-web-3",
    "\t\tapp-web-exec-4-0a1b2c\tplain-exec-2",
    "\t\tapp-web-exec-4-9a1b2c\tplain-exec-1",
    "\t\tapp-web-staging-exec-4-0a1b2c\tstaging-exec-2",
    "\t\tapp-web-staging-exec-4-9a1b2c\tstaging-exec-1",
    "exec\tweb\tapp-web-exec-3\texec-web-3",
    "exec\tweb\tapp-web-exec-2\texec-web-2",
    "\t\tsomething-of-the-image\tforeign-1",
    "\told\tapp-old-2\tplain-old-2",
    "\told\tapp-old-1\tplain-old-1",
)


@pytest.mark.parametrize(
    ("configuration", "surplus"),
    [
        (PLAIN, ["plain-exec-1", "plain-old-1", "plain-web-3", "plain-worker-3"]),
        (at("staging"), ["staging-exec-1", "staging-web-3"]),
        (at("exec"), ["exec-web-2"]),
        (at("production"), []),
    ],
)
def test_the_newest_of_each_role_at_the_destination_stay(
    configuration: Config, surplus: list[str], tmp_path: Path
) -> None:
    """The number to retain counts a role's containers at one destination; an empty destination is one too."""
    assert removed(prune.containers(configuration, 1), tmp_path, containers=CONTAINERS) == surplus


def test_nothing_to_prune_is_no_failure(tmp_path: Path) -> None:
    """spec/cli.md 14.10: the exit status of nothing to prune is 0."""
    assert removed(prune.containers(PLAIN, 99), tmp_path, containers=CONTAINERS) == []
    assert removed(prune.containers(PLAIN, 1), tmp_path) == []
    assert removed(prune.tagged_images(PLAIN), tmp_path) == []


# -- images

IMAGES = tuple(
    line.replace("R:", f"{REPOSITORY}:")
    for line in (
        *("i1 R:1", "i2 R:2", "i3 R:3", "i3 R:latest", "i4 R:4", "i4 R:latest-staging", "i5 R:5"),
        *("i6 R:6", "i6 R:again", "i7 R:latest-production", "i8 R:<none>"),
    )
)
USED = (f"{REPOSITORY}:2", "i5", "postgres:16", f"docker.io/{REPOSITORY}:6", f"{REPOSITORY}:6")


@pytest.mark.parametrize(
    ("configuration", "unused"),
    [
        (PLAIN, ["1", "3", "again"]),
        (at("staging"), ["1", "4", "again"]),
        (at("production"), ["1", "again"]),
    ],
)
def test_images_that_nobody_needs_are_removed(configuration: Config, unused: list[str], tmp_path: Path) -> None:
    """Names that containers have stay, the own latest, and all names of what is another destination's latest."""
    assert removed(prune.tagged_images(configuration), tmp_path, images=IMAGES, used=USED) == [
        f"{REPOSITORY}:{tag}" for tag in unused
    ]


def test_removing_the_app_leaves_what_other_destinations_start_next(tmp_path: Path) -> None:
    """`app remove` of one destination takes its latest tag along, and no other's."""
    names = [f"{REPOSITORY}:{tag}" for tag in ("1", "4", "again", "latest-staging")]
    assert removed(prune.all_images(at("staging")), tmp_path, images=IMAGES, used=USED) == ["dangling", *names]


def test_removing_the_app_of_one_of_two_destinations_at_the_same_version(tmp_path: Path) -> None:
    """The image stays by the other's names; the own latest tag goes."""
    images = [f"i1 {REPOSITORY}:{tag}" for tag in ("1", "latest-staging", "latest-production")]
    line = prune.all_images(at("staging"))
    assert removed(line, tmp_path, images=images, used=[f"{REPOSITORY}:1"]) == [
        "dangling",
        f"{REPOSITORY}:latest-staging",
    ]


def test_a_name_that_docker_hub_is_left_out_of(tmp_path: Path) -> None:
    """`docker ps` shows an image as it was named, `docker image ls` without Docker Hub's host."""
    hub = replace(PLAIN, registry=Registry("docker.io"), image="acme/app")
    images, used = ["i1 acme/app:1", "i2 acme/app:2"], ["docker.io/acme/app:1"]
    assert removed(prune.tagged_images(hub), tmp_path, images=images, used=used) == ["acme/app:2"]


# -- failures


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("rows", "status"), [(["gone", "c1"], 0), (["stuck", "c1"], 1), (["c1", "stuck"], 1), (["c1", "c2"], 0)]
)
def test_what_cannot_be_removed_is_a_failure(shell: str, rows: list[str], status: int, tmp_path: Path) -> None:
    """Whichever it is, and the others are removed all the same; what is gone by then has been removed."""
    (tmp_path / "ps").write_text("".join(f"\tweb\tapp-web-{number}\t{name}\n" for number, name in enumerate(rows)))
    result = run(DOCKER + prune.containers(PLAIN, 0).shell_text(), directory=tmp_path, shell=shell)
    assert result.returncode == status
    assert (tmp_path / "removed").read_text().split() == [name for name in rows if name.startswith("c")]


@pytest.mark.parametrize("line", [prune.containers(PLAIN, 1), prune.tagged_images(PLAIN), prune.all_images(PLAIN)])
def test_an_engine_that_does_not_answer_is_a_failure(line: Command) -> None:
    """The list is not the beginning of a pipe, which would hide how it ended."""
    assert run("docker() { return 1; }\n" + line.shell_text()).returncode == 1
    assert line.effect is Effect.CHANGE
