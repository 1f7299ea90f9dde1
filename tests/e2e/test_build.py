"""Images built by a real engine and pushed to a real registry (spec/cli.md 15)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.application import Application
from tests.parity.server_state import published

pytestmark = pytest.mark.e2e


@pytest.fixture
def logged_out(application: Application) -> Application:
    """The example application, on a machine that has no images of it and is logged in to no registry."""
    docker(application, "logout", application.sandbox.manifest.registry_server)
    for image in images(application):
        docker(application, "image", "rm", "--force", image)
    return application


def docker(application: Application, *arguments: str) -> str:
    return application.sandbox.docker(*arguments)


def images(application: Application) -> list[str]:
    """List the application's images on the operator's engine, as `REPOSITORY:TAG`."""
    reference = f"{application.sandbox.manifest.registry_server}/hello/app"
    return sorted(docker(application, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", reference).split())


def logins(application: Application) -> dict[str, Any]:
    path = Path(application.environment["DOCKER_CONFIG"]) / "config.json"
    found: dict[str, Any] = json.loads(path.read_text()).get("auths", {})
    return found


def lines(text: str, *, but: str = "DEBUG") -> list[str]:
    """Without the levels below, and without what is different in every run."""
    return [line for line in text.splitlines() if not line.strip().startswith(but)]


# -- push and deliver


def test_push(logged_out: Application) -> None:
    """spec/cli.md 15.3: logged in, the hook run, the commit cloned and built, both tags in the registry, labelled."""
    application = logged_out
    application.hook("pre-build", "echo $KAMAL_VERSION $KAMAL_COMMAND $KAMAL_SUBCOMMAND > hooked; rm -f BROKEN")
    version = application.commit("to be pushed")
    (application.folder / "BROKEN").write_text("not committed; the hook removes it\n")
    (application.folder / "app.py").write_text("raise SystemExit('not committed')\n")
    outcome = application.kamal("build", "push")
    told = " M app.py".strip()
    assert (
        f"Building from a local git clone, so ignoring these uncommitted changes:\n {told}\n?? hooked\n"
        in outcome.stdout
    )
    assert (application.folder / "hooked").read_text() == f"{version} build push\n"
    assert list(logins(application)) == [application.sandbox.manifest.registry_server]
    digests = published(application.sandbox, "hello/app", [version, "latest"])
    assert digests[version] is not None
    assert digests[version] == digests["latest"]
    inspected = docker(application, "image", "inspect", "--format", "{{json .Config.Labels}}", images(application)[0])
    assert json.loads(inspected) == {"service": "hello"}
    assert " DEBUG" in outcome.stdout, "the build is shown as it runs"


def test_push_elsewhere(logged_out: Application) -> None:
    """spec/cli.md 12.5: with `--output docker` the image stays here. 15.3: the hook may write the Dockerfile."""
    application = logged_out
    builder = {"arch": "amd64", "driver": "docker", "context": ".", "dockerfile": "Dockerfile.made"}
    application.configure(builder={**builder, "args": {"REGISTRY": application.sandbox.manifest.registry_server}})
    application.hook("pre-build", "cp Dockerfile Dockerfile.made")
    version = application.commit("to be kept")
    outcome = application.kamal("build", "push", "--output", "docker", "--version", version)
    assert "Building with uncommitted changes:\n ?? Dockerfile.made\n" in outcome.stdout
    assert [image.rpartition(":")[2] for image in images(application)] == sorted([version, "latest"])
    assert published(application.sandbox, "hello/app", [version]) == {version: None}


def test_deliver(logged_out: Application) -> None:
    """spec/cli.md 15.5: pushed and pulled on every app host; it takes no options of its own."""
    application = logged_out
    version = application.commit("to be delivered")
    application.kamal("build", "deliver")
    reference = f"{application.sandbox.manifest.registry_server}/hello/app:{version}"
    for host in application.hosts:
        assert reference in host.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        assert f"Pulled image with version {version}" in host.read("/root/.kamal/hello-audit.log")
    assert application.kamal("build", "deliver", "--no-cache", expect=2).stdout == ""


def test_an_image_of_another_service_is_refused(deployed: Application) -> None:
    """spec/cli.md 15.4, step 4: the label names the service of the image."""
    reference = f"{deployed.sandbox.manifest.registry_server}/hello/app:stranger"
    deployed.sandbox.login()
    context = deployed.folder / "stranger"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    docker(deployed, "build", "--quiet", "--tag", reference, str(context))
    docker(deployed, "push", "--quiet", reference)
    outcome = deployed.kamal("build", "pull", "--version", "stranger", expect=1)
    assert f"Image {reference} is missing the 'service' label" in outcome.text


# -- what has to be there


def test_no_dockerfile(application: Application) -> None:
    """spec/cli.md 15.3, step 8: looked for in the working directory, before anything is begun."""
    application.configure(builder={"arch": "amd64", "driver": "docker", "dockerfile": "docker/Dockerfile"})
    for command in ("push", "dev"):
        outcome = application.kamal("build", command, expect=1)
        assert "ERROR (Kamal::Commands::Builder::Base::BuilderError): Missing docker/Dockerfile" in outcome.stdout
        assert "docker buildx build" not in outcome.stdout


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        (("sh", "git"), "Docker is not installed locally"),
        (("sh", "git", "docker"), "Docker buildx plugin is not installed locally"),
    ],
)
def test_no_docker_here(application: Application, tmp_path: Path, programs: tuple[str, ...], message: str) -> None:
    """spec/cli.md 15.3, step 2: by name, and by dash's words too; `registry login` looks as well, but not with -L."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    if "docker" in programs:  # a client without plug-ins
        (folder / "docker").unlink()
        _program(folder / "docker", """[ "$1" = --version ] || { echo "docker: 'buildx' is unknown." >&2; exit 1; }""")
    environment = {"PATH": str(folder)}
    for command in (("build", "push"), ("build", "dev"), ("registry", "setup", "-R")):
        outcome = application.kamal(*command, expect=1, environment=environment)
        assert f"ERROR (Kamal::Cli::DependencyError): {message}\n" in outcome.stdout
    outcome = application.kamal("registry", "setup", "-L", "-R", expect=2, environment=environment)
    assert "--skip-local and --skip-remote together leave nothing to do" in outcome.text


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


# -- builders


def test_builders(application: Application) -> None:
    """spec/cli.md 15.1, 15.5: made by name, once; shown; removed, once."""
    application.configure(builder={"arch": "amd64"})
    name = "kamal-local-docker-container"
    created = application.kamal("build", "create", "-v").stdout
    assert created.startswith(" DEBUG Using builder: local\n")
    assert f"docker buildx create --name {name} --driver=docker-container" in created
    again = application.kamal("build", "create", expect=1).stdout
    assert "existing instance" in again
    assert "kamal build remove" in again
    shown = application.kamal("build", "details").stdout
    assert shown.startswith("Builder: local\nNAME ")
    assert name in shown
    application.kamal("build", "remove")
    assert name not in docker(application, "buildx", "ls")
    assert f'no builder "{name}" found' in application.kamal("build", "remove", expect=1).stdout


def test_the_engine_itself_needs_no_builder(application: Application) -> None:
    """spec/cli.md 15.1 and 22, 7: nothing is made or removed, and no empty command is run."""
    for command in ("create", "remove"):
        outcome = application.kamal("build", command)
        assert outcome.stdout.startswith("  INFO Nothing to ")
        assert "Running" not in outcome.stdout
    assert application.kamal("build", "details").stdout.startswith("Builder: local\nNAME ")


def test_a_missing_builder_is_made_first(application: Application) -> None:
    """spec/cli.md 15.3, step 7. The builder itself cannot run here: its image is in no registry in reach."""
    application.configure(builder={"arch": "amd64"})
    application.commit("with a builder of its own")
    outcome = application.kamal("build", "push", expect=1)
    try:
        assert "  WARN Missing compatible builder, so creating a new one first\n" in outcome.stdout
        assert outcome.stdout.index("git -C") < outcome.stdout.index("Missing compatible builder")
        assert 'building with "kamal-local-docker-container" instance' in outcome.stdout
        again = application.kamal("build", "push", expect=1)
        assert "Missing compatible builder" not in again.stdout
    finally:
        application.kamal("build", "remove")


def test_a_builder_for_another_machine_is_replaced(application: Application, tmp_path: Path) -> None:
    """spec/cli.md 15.1, 15.3: the context of a remote builder has to lead where deploy.yml says.

    Docker's client goes there with the operator's own ssh, which knows the sandbox's keys by its configuration.
    """
    _program(tmp_path / "ssh", f'exec /usr/bin/ssh -F {application.sandbox.paths.ssh_config} "$@"')
    application.environment["PATH"] = f"{tmp_path}:{application.environment['PATH']}"
    first, second = (host.address for host in application.hosts)
    application.configure(builder={"arch": "arm64", "remote": f"ssh://root@{first}", "local": False})
    name = f"kamal-remote-ssh---root-{first.replace('.', '-')}"
    application.kamal("build", "create")
    try:
        assert f"ssh://root@{first}" in context_of(application, name)
        docker(application, "context", "update", f"{name}-context", "--docker", f"host=ssh://root@{second}")
        application.commit("with a remote builder")
        outcome = application.kamal("build", "push", expect=1)
        assert "Missing compatible builder, so creating a new one first" in outcome.stdout
        assert "docker login" not in outcome.stdout, "the builder does not use this machine's login"
        assert f"ssh://root@{first}" in context_of(application, name)
    finally:
        application.kamal("build", "remove")
    assert name not in docker(application, "context", "ls")


def context_of(application: Application, name: str) -> str:
    return docker(application, "context", "inspect", f"{name}-context", "--format", "{{.Endpoints.docker.Host}}")


# -- dev


def test_dev(logged_out: Application) -> None:
    """spec/cli.md 15.5: the working directory as it is, told file by file, with `-dirty` tags; no login, no hooks."""
    application = logged_out
    application.sandbox.login()  # for the base image
    application.hook("pre-build", "touch hooked")
    version = application.commit("before")
    source = application.folder / "app.py"
    source.write_text(f"{source.read_text()}# changed\n")
    (application.folder / "neu ü.py").write_text("# new\n")
    (application.folder / "config" / "new.yml").write_text("a: 1\n")  # .dockerignore keeps it out
    outcome = application.kamal("build", "dev")
    assert (
        "WARNING: Files with uncommitted changes will be present in the dev container:\n  app.py\n\n"
        "WARNING: Untracked files will be present in the dev container:\n  neu ü.py\n\n"
    ) in outcome.stdout
    assert [image.rpartition(":")[2] for image in images(application)] == sorted([f"{version}-dirty", "latest-dirty"])
    assert not (application.folder / "hooked").exists()
    assert "git -C" not in outcome.stdout
    assert "docker login" not in outcome.stdout
    assert published(application.sandbox, "hello/app", [f"{version}-dirty"]) == {f"{version}-dirty": None}
    content = docker(application, "run", "--rm", f"{images(application)[0]}", "cat", "app.py")
    assert content.endswith("# changed\n")


def test_dev_with_nothing_to_tell(application: Application) -> None:
    """spec/cli.md 15.5: no warning for a clean work tree."""
    application.sandbox.login()
    assert "WARNING: " not in application.kamal("build", "dev").stdout


# -- logging in


def test_logins(logged_out: Application) -> None:
    """spec/cli.md 14.9: here and on every host, or only here, or only there."""
    application = logged_out
    server = application.sandbox.manifest.registry_server

    def where() -> tuple[bool, list[bool]]:
        there = [host.run(["cat", "/root/.docker/config.json"], check=False) for host in application.hosts]
        return server in logins(application), [server in text for text in there]

    assert where() == (False, [False, False])
    application.kamal("registry", "login", "--skip-remote")
    assert where() == (True, [False, False])
    application.kamal("registry", "setup", "-L", "-h", application.hosts[1].address)
    assert where() == (True, [False, True])
    application.kamal("registry", "login")
    assert where() == (True, [True, True])
    application.kamal("registry", "logout", "-L")
    assert where() == (True, [False, False])
    application.kamal("registry", "remove")
    assert where() == (False, [False, False])


def test_wrong_credentials_are_found_here_first(logged_out: Application) -> None:
    """spec/cli.md 14.9: locally, then remotely; no password is shown or on a command line."""
    application = logged_out
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text("REGISTRY_PASSWORD='not the password'\n")
    outcome = application.kamal("registry", "login", "-v", expect=1)
    assert "registry/username and registry/password" in outcome.stdout
    assert "not the password" not in outcome.text
    assert application.hosts[0].address not in outcome.text
