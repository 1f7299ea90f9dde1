"""Lines of builds and builders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pykamal.commands import builder
from pykamal.commands.builder import Kind
from pykamal.commands.command import Command, Effect
from pykamal.config.models import BuildCache, Builder, Buildpacks, Config, Registry
from pykamal.core.sensitive import Sensitive
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

BOTH = ("amd64", "arm64")
REMOTE = "ssh://root@10.0.0.2:22"


def of(given: Builder, server: str = "ghcr.io") -> Config:
    return config(role("web", "10.0.0.1"), registry=Registry(server), builder=given)


LOCAL = of(Builder(("amd64",)))
LOCAL_REGISTRY = of(Builder(("amd64",)), "localhost:5555")
ENGINE = of(Builder((), driver="docker"))
CLOUD = of(Builder(BOTH, driver="cloud org/builder"))
HYBRID = of(Builder(BOTH, remote=REMOTE))
ONLY_REMOTE = of(Builder(BOTH, remote=REMOTE, local=False))
PACK = of(Builder(("amd64",), pack=Buildpacks("heroku/builder:24", ("a", "b"))))


def shown(line: Command | None) -> str:
    return line.display_text() if line else "None"


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [
        (LOCAL, Kind.LOCAL, "kamal-local-docker-container"),
        (LOCAL_REGISTRY, Kind.LOCAL, "kamal-local-registry-docker-container"),
        (ENGINE, Kind.LOCAL, None),
        (CLOUD, Kind.CLOUD, "cloud-org-builder"),
        (HYBRID, Kind.HYBRID, "kamal-hybrid-docker-container-ssh---root-10-0-0-2-22"),
        (ONLY_REMOTE, Kind.REMOTE, "kamal-remote-ssh---root-10-0-0-2-22"),
        (of(Builder(("arm64",), remote="tcp://Foo.Bar:2375")), Kind.REMOTE, "kamal-remote-tcp----oo--ar-2375"),
        (of(Builder(("amd64",), remote=REMOTE)), Kind.LOCAL, "kamal-local-docker-container"),
        (
            of(Builder(BOTH, remote=REMOTE), "localhost:5555"),
            Kind.HYBRID,
            "kamal-hybrid-docker-container-ssh---root-10-0-0-2-22-local-registry",
        ),
        (PACK, Kind.PACK, None),
        (
            of(Builder(("arm64",), remote=REMOTE, pack=Buildpacks("b"))),
            Kind.REMOTE,
            "kamal-remote-ssh---root-10-0-0-2-22",
        ),
    ],
)
def test_kinds_and_names(service: Config, kind: Kind, name: str | None) -> None:
    """spec/cli.md 15.1, spec/config.md 7.2 and 7.3, on an amd64 machine: first match wins."""
    assert builder.kind(service, "amd64") is kind
    assert builder.builder_name(service, "amd64") == name


def test_local_architecture() -> None:
    """spec/cli.md 15.1: `aarch64` is arm64, `x86_64` is amd64."""
    assert builder.local_architecture().display_text() == "docker info --format '{{.Architecture}}'"
    assert [builder.architecture(text) for text in ("aarch64\n", "x86_64", "riscv64")] == ["arm64", "amd64", "riscv64"]


N, C = "kamal-remote-ssh---root-10-0-0-2-22", "kamal-remote-ssh---root-10-0-0-2-22-context"
H, HC = "kamal-hybrid-docker-container-ssh---root-10-0-0-2-22", "kamal-hybrid-docker-container-ssh---root-10-0-0-2-22-context"  # fmt: skip  # noqa: E501


def described(name: str, context: str) -> str:
    return (
        f"docker buildx inspect {name} | grep -q Endpoint:.*{context} "
        f"&& docker context inspect {context} --format '{{{{.Endpoints.docker.Host}}}}' | grep -xq {REMOTE} "
        "|| (echo no compatible builder && exit 1)"
    )


def made(name: str, context: str) -> str:
    return f"docker context create {context} --description '{name} host' --docker 'host={REMOTE}'"


LISTS = "docker context ls && docker buildx ls"


@pytest.mark.parametrize(
    ("service", "inspect", "create", "remove", "info"),
    [
        (
            LOCAL,
            "docker buildx inspect kamal-local-docker-container",
            "docker buildx create --name kamal-local-docker-container --driver=docker-container",
            "docker buildx rm kamal-local-docker-container",
            LISTS,
        ),
        (
            LOCAL_REGISTRY,
            "docker buildx inspect kamal-local-registry-docker-container",
            (
                "docker buildx create --name kamal-local-registry-docker-container --driver=docker-container "
                "--driver-opt network=host"
            ),
            "docker buildx rm kamal-local-registry-docker-container",
            LISTS,
        ),
        (ENGINE, "None", "None", "None", LISTS),
        (
            CLOUD,
            "docker buildx inspect cloud-org-builder",
            "docker buildx create --driver cloud org/builder",
            "docker buildx rm cloud-org-builder",
            LISTS,
        ),
        (
            ONLY_REMOTE,
            described(N, C),
            f"{made(N, C)} ; docker buildx create --name {N} {C}",
            f"docker context rm {C} ; docker buildx rm {N}",
            "docker context ls ; docker buildx ls",
        ),
        (
            HYBRID,
            described(H, HC),
            (
                f"docker buildx create --platform linux/amd64 --name {H} --driver=docker-container && {made(H, HC)} "
                f"&& docker buildx create --platform linux/arm64 --append --name {H} {HC}"
            ),
            f"docker context rm {HC} ; docker buildx rm {H}",
            "docker context ls ; docker buildx ls",
        ),
    ],
)
def test_builders(service: Config, inspect: str, create: str, remove: str, info: str) -> None:
    """spec/cli.md 15.1: the table of kinds; driver `docker` has no builder to look after."""
    assert shown(builder.inspect(service, "amd64")) == inspect
    assert shown(builder.create(service, "amd64")) == create
    assert shown(builder.remove(service, "amd64")) == remove
    assert shown(builder.info(service, "amd64")) == info
    assert builder.info(service, "amd64").effect is Effect.READ


def test_builder_of_buildpacks() -> None:
    """spec/cli.md 15.1: pack."""
    assert shown(builder.inspect(PACK)) == shown(builder.info(PACK)) == "pack builder inspect heroku/builder:24"
    assert builder.remove(PACK) is None
    with pytest.raises(ValueError, match="buildpacks"):
        builder.create(PACK)


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("endpoint", "host", "status"),
    [(C, REMOTE, 0), (C, "ssh://other", 1), ("unix:///var/run/docker.sock", REMOTE, 1)],
)
def test_builder_is_compared_with_the_configuration(shell: str, endpoint: str, host: str, status: int) -> None:
    """spec/cli.md 15.1: a builder for another host is not compatible."""
    line = builder.inspect(ONLY_REMOTE, "amd64")
    assert line is not None
    docker = f'docker() {{ [ "$1" = buildx ] && echo "Endpoint:   {endpoint}" || echo "{host}"; }}\n'
    result = run(docker + line.shell_text(), shell=shell)
    assert result.returncode == status
    assert (result.stdout == b"no compatible builder\n") is (status == 1)


TAGS = "-t ghcr.io/acme/app:v1 -t ghcr.io/acme/app:latest"


def test_push() -> None:
    """spec/cli.md 15.3: the smallest build."""
    assert builder.push(LOCAL, "v1").display_text() == (
        "docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-local-docker-container "
        f'{TAGS} --label service="app" --file Dockerfile . 2>&1'
    )
    assert builder.push(ENGINE, "v1", output="docker", dirty=True).display_text() == (
        "docker buildx build --output=type=docker -t ghcr.io/acme/app:v1-dirty -t ghcr.io/acme/app:latest-dirty "
        '--label service="app" --file Dockerfile . 2>&1'
    )


def test_push_with_everything() -> None:
    """spec/config.md 7.3: flags in this order; arguments and secrets are named, their values are in the environment."""
    full = Builder(
        BOTH,
        context="./app",
        dockerfile="docker/Dockerfile.prod",
        target="prod",
        args={"TOKEN": "s3cr3t", "EMPTY": None, "OFF": False},
        secrets=("A", "B"),
        ssh="default=$SSH_AUTH_SOCK",
        cache=BuildCache("registry", "mode=max"),
        provenance="mode=max",
        sbom=False,
    )
    line = builder.push(of(full), "v1", no_cache=True)
    expected = (
        "docker buildx build --output=type=registry --platform linux/amd64,linux/arm64 "
        f"--builder kamal-local-docker-container {TAGS} "
        "--cache-to type=registry,ref=ghcr.io/acme/app-build-cache,mode=max "
        '--cache-from type=registry,ref=ghcr.io/acme/app-build-cache --label service="app" '
        '--build-arg TOKEN --build-arg EMPTY --build-arg OFF=false --secret id="A" --secret id="B" '
        "--file docker/Dockerfile.prod --target prod --ssh default=$SSH_AUTH_SOCK --provenance mode=max --sbom false "
        "--no-cache ./app 2>&1"
    )
    assert line.display_text() == expected
    assert line.shell_text() == f'TOKEN="s3cr3t" {expected}'


@pytest.mark.parametrize(
    ("cache", "flags"),
    [
        (BuildCache("gha"), "--cache-to type=gha --cache-from type=gha"),
        (
            BuildCache("gha", "mode=max,scope=x,token=hush"),
            "--cache-to type=gha,mode=max,scope=x --cache-from type=gha,scope=x",
        ),
        (
            BuildCache("registry", image="me/cache"),
            "--cache-to type=registry,ref=ghcr.io/me/cache --cache-from type=registry,ref=ghcr.io/me/cache",
        ),
    ],
)
def test_cache(cache: BuildCache, flags: str) -> None:
    """spec/config.md 7.3: the table of caches."""
    assert f"{TAGS} {flags} --label" in builder.push(of(Builder(("amd64",), cache=cache)), "v1").display_text()


def test_the_token_of_a_cache_is_in_the_environment() -> None:
    """The token of GitHub's cache is no option of Docker's; `$NAME` is read on the machine."""
    line = builder.push(of(Builder(("amd64",), cache=BuildCache("gha", "token=$A-b,mode=max"))), "v1")
    assert line.shell_text() == f'ACTIONS_RUNTIME_TOKEN="$A"-b {line.display_text()}'
    assert "token" not in line.display_text()


def test_environment_of_remote_builds() -> None:
    """spec/cli.md 15.3: remote and hybrid builds run with BUILDKIT_NO_CLIENT_TOKEN."""
    token = {"BUILDKIT_NO_CLIENT_TOKEN": "1"}
    assert builder.push_environment(HYBRID, {}, "amd64") == builder.push_environment(ONLY_REMOTE, {}, "amd64") == token
    assert builder.push_environment(LOCAL, {}) == builder.push_environment(PACK, {}) == {}


def test_a_secret_with_the_name_of_a_build_argument() -> None:
    """Each has its value: Docker finds the secret under another name, buildpacks get it alone, as in Ruby Kamal."""
    both = Builder(("amd64",), args={"TOKEN": "argument"}, secrets=("TOKEN", "OTHER"))
    secrets = {name: Sensitive("secret") for name in both.secrets}
    line = builder.push(of(both), "v1").shell_text()
    assert line.startswith('TOKEN="argument" docker ')
    assert '--build-arg TOKEN --secret id="TOKEN",env="KAMAL_SECRET_TOKEN" --secret id="OTHER" ' in line
    assert list(builder.push_environment(of(both), secrets)) == ["KAMAL_SECRET_TOKEN", "OTHER"]

    packed = replace(both, pack=Buildpacks("heroku/builder:24"))
    assert "argument" not in builder.push(of(packed), "v1").shell_text()
    assert builder.push_environment(of(packed), secrets) == secrets


def test_buildpacks() -> None:
    """spec/cli.md 15.3: pack; pushed only with output `registry`."""
    given = Builder(("amd64",), pack=Buildpacks("heroku/builder:24", ("a", "b")), args={"ARG": "v"}, secrets=("S",))
    build = (
        "pack build ghcr.io/acme/app --platform linux/amd64 --creation-time now --builder heroku/builder:24 "
        f"--buildpack a --buildpack b --buildpack paketo-buildpacks/image-labels {TAGS} "
        "--env BP_IMAGE_LABELS=service=app --env ARG --env S --path ."
    )
    pushes = "docker push ghcr.io/acme/app:v1 && docker push ghcr.io/acme/app:latest"
    line = builder.push(of(given), "v1")
    assert line.display_text() == f"{build} && {pushes}"
    assert line.shell_text() == f'ARG="v" {line.display_text()}'
    local = builder.push(of(given), "v1", output="docker", no_cache=True)
    assert local.display_text() == build.replace("latest --env", "latest --clear-cache --env")


def test_docker_check() -> None:
    """spec/cli.md 15.3, step 2."""
    assert builder.check_docker().display_text() == "docker --version && docker buildx version"


def test_empty_server_keeps_its_slash() -> None:
    """spec/config.md 18.3: a server of `""` still adds the slash."""
    service = replace(LOCAL, registry=Registry(""))
    assert " -t /acme/app:v1 " in builder.push(service, "v1").display_text()


@pytest.mark.process
def test_files_of_a_build() -> None:
    """spec/cli.md 15.5: `build dev` asks Docker which files it would get, the ignore rules applied."""
    line = builder.list_context()
    assert line.display_text() == (
        "printf '%s' [REDACTED] | docker buildx build --quiet --file - --output type=tar,dest=- . "
        "| tar --list --quoting-style=literal"
    )
    docker = "docker() { cat >&2; tar -C /etc -c hostname; }\n"
    result = run(docker + line.shell_text())
    assert result.stdout == b"hostname\n"
    assert result.stderr == b"FROM scratch\nCOPY . /\n"


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("ssh://root@10.0.0.2:22", "root@10.0.0.2:22"),
        ("ssh://builder", "builder"),
        ("ssh://me@builder/run/docker.sock", "me@builder"),
        ("tcp://10.0.0.2:2375", None),
        ("ssh://", None),
        (None, None),
    ],
)
def test_machine_of_a_remote_builder(remote: str | None, host: str | None) -> None:
    """spec/cli.md 15.3, step 7: user and port of the URL, as a host string of deploy.yml."""
    assert Builder(("amd64",), remote=remote).remote_host == host
