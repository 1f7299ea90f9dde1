"""Commands for the application's containers (spec/cli.md 14.2, 14.4 and 14.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from pykamal.commands import docker, evidence, exec_env, secret_delivery, stopping
from pykamal.commands.command import Command, command, query
from pykamal.commands.flags import (
    Interactive,
    label_filters,
    log_flags,
    terminal_flags,
)
from pykamal.commands.logs import ALL_LINES, LogSelection, checks, matching, no_lines
from pykamal.commands.words import (
    HostValue,
    Output,
    Raw,
    SingleQuoted,
    SplitOutput,
    Syntax,
    Word,
    joined,
    key_values,
    options,
)
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config

# -- the life of a container


def run(config: Config, role: Role, host: str, version: str, *, hostname_suffix: str) -> Command:
    """Start a new container; prints its id. `hostname_suffix` is 12 hex digits that make host names unique."""
    name = role.container_name(version)
    hostname = host[:51].removesuffix(".")  # Docker's limit is 64
    line = command(
        *("docker", "run", "--detach", "--restart", role.restart, "--name", name, "--network", "kamal"),
        *("--hostname", f"{hostname}-{hostname_suffix}"),
        *key_values("--env", _own_environment(role, host, version)),
        *_environment(config, role, host),
        *log_flags(role.logging),
        *key_values("--volume", config.volumes),
        *_asset_volume(config, role, version),
        *key_values("--label", _labels(role)),
        *options(role.options),
        config.absolute_image(version),
        *([Raw(role.cmd)] if role.cmd else []),
    )
    return secret_delivery.opened(config, config.role_env_file(role), line)


def start(role: Role, version: str) -> Command:
    return command("docker", "start", role.container_name(version))


def stop(role: Role, version: str) -> Command:
    """Stop the container of a version if there is one."""
    return (container_id(role, version) | command("xargs", "docker", "stop", *_stop_flags(role))).failing_allowed()


def stop_known(role: Role, version: str) -> Command:
    """Stop the container of a version that was seen on the host; one that is gone by now counts as stopped."""
    return stopping.stop(role.container_name(version), *_stop_flags(role))


def stop_current(config: Config, role: Role) -> Command:
    """Stop the running container, whichever version it is."""
    return stopping.stop_found(_running(config, role, "--quiet"), *_stop_flags(role))


def rename(role: Role, version: str, new_version: str) -> Command:
    """Rename a container; one that waits to be restarted, which Docker cannot rename, is stopped first."""
    name = role.container_name(version)
    renamed = command("docker", "rename", name, role.container_name(new_version))
    status = query("docker", "container", "inspect", "--format", "{{.State.Status}}", name)
    waits = query("test", Output(status), "=", "restarting")
    stopped = command("docker", "stop", name)
    return replace(renamed.or_(waits.and_(stopped).and_(renamed).grouped()), summary=renamed.display_text())


def remove_container(role: Role, version: str) -> Command:
    return container_id(role, version) | command("xargs", "docker", "container", "rm")


def remove_containers(config: Config, role: Role) -> Command:
    """Remove all stopped containers of the role."""
    return command("docker", "container", "prune", "--force", *label_filters(config, role))


# -- what is there


def container_id(role: Role, version: str) -> Command:
    """Print the identifier of a version's container, running or not; nothing when there is none."""
    return evidence.identifier(role.container_name(version))


def current_version(config: Config, role: Role) -> Command:
    """Print the version of the newest running container, preferably of the latest image; nothing without one."""
    names = _running(config, role, "--format", "{{.Names}}")
    version = joined(Syntax("${line#"), f"{role.container_prefix}-", Syntax("};"))
    return (names | query("while", Syntax("read line; do echo"), version, Syntax("done"))).failing_allowed()


def details(config: Config, role: Role) -> Command:
    return query("docker", "ps", *label_filters(config, role))


def list_containers(config: Config) -> Command:
    return query("docker", "container", "ls", "--all", *label_filters(config))


# -- images


def list_images(config: Config) -> Command:
    return query("docker", "image", "ls", config.repository)


def tag_latest(config: Config, version: str) -> Command:
    return docker.tag(config.absolute_image(version), config.latest_image)


# -- commands and logs


def exec_new(
    config: Config,
    role: Role,
    host: str,
    version: str,
    cmd: str,
    *,
    suffix: str,
    env: Mapping[str, str] | None = None,
    interactive: Interactive | None = None,
    detach: bool = False,
) -> Command:
    """Run `cmd`, a command line as the user wrote it, in a container of its own. `suffix` is 6 hex digits.

    Where `env` has values, it is for `exec_env.from_stdin` or, if it is interactive, for `exec_env.from_file`; then for
    `secret_delivery.opened` or `opened_by_login`.
    """
    env = env or {}
    return command(
        *("docker", "run", *terminal_flags(interactive), "--detach" if detach else "--rm"),
        *("--name", _exec_name(role, version, suffix), "--network", "kamal"),
        *_environment(config, role, host, without=env),
        *exec_env.flags(env, interactive),
        *log_flags(role.logging),
        *key_values("--volume", config.volumes),
        *options(role.options),
        config.absolute_image(version),
        Raw(cmd),
    )


def remove_exec(role: Role, version: str, suffix: str) -> Command:
    """Remove the container of `exec_new` by force."""
    return command("docker", "rm", "--force", _exec_name(role, version, suffix)).failing_allowed()


def exec_existing(
    role: Role,
    version: str,
    cmd: str,
    *,
    env: Mapping[str, str] | None = None,
    interactive: Interactive | None = None,
) -> Command:
    """Run `cmd`, a command line as the user wrote it, in the container of a version; `env` as for `exec_new`."""
    return command(
        *("docker", "exec", *terminal_flags(interactive)),
        *exec_env.flags(env or {}, interactive),
        role.container_name(version),
        Raw(cmd),
    )


def logs(
    config: Config,
    role: Role,
    selection: LogSelection = ALL_LINES,
    *,
    container_id: str | None = None,
    follow: bool = False,
) -> Command:
    """Print log lines of the running container, or of `container_id`; both output streams in one."""
    source = _log_source(config, role, container_id)
    words: list[Word] = ["xargs", "docker", "logs"]
    words += ["--timestamps"] if selection.timestamps else []
    words += ["--since", selection.since] if selection.since else []
    words += ["--tail", str(selection.lines)] if selection.lines is not None else []
    words += ["--follow"] if follow else []
    return matching(source | query(*words).redirected("2>&1"), selection, follow=follow)


def log_checks(
    config: Config, role: Role, selection: LogSelection, container_id: str | None
) -> list[tuple[str, Command]]:
    """Named commands that have to succeed before `logs`."""
    source = _log_source(config, role, container_id)
    return checks(source | query("xargs", "-r", "docker", "logs", *no_lines(selection)), selection)


# -- parts


def _log_source(config: Config, role: Role, container_id: str | None) -> Command:
    given = query("sh", "-c", SingleQuoted(query("echo", container_id))) if container_id else None
    return given or _running(config, role, "--quiet")


def _exec_name(role: Role, version: str, suffix: str) -> str:
    return f"{role.container_prefix}-exec-{version}-{suffix}"


def _own_environment(role: Role, host: str, version: str) -> dict[str, str]:
    values = {"KAMAL_CONTAINER_NAME": role.container_name(version), "KAMAL_VERSION": version, "KAMAL_HOST": host}
    return values | ({"KAMAL_DESTINATION": role.destination} if role.destination else {})


def _environment(config: Config, role: Role, host: str, *, without: Collection[str] = ()) -> list[Word]:
    """Return the flags of deploy.yml's variables but those in `without`: Docker prefers arguments to every env file."""
    clear = {name: value for name, value in role.env_on(host).clear.items() if name not in without}
    return [*key_values("--env", clear), *secret_delivery.env_flags(config, config.role_env_file(role))]


def _asset_volume(config: Config, role: Role, version: str) -> list[Word]:
    if role.asset_path is None or not role.running_proxy:
        return []
    mount = ":".join(filter(None, (role.asset_path.path, role.asset_path.options)))
    source = f"/{config.app_directory}/assets/volumes/{role.name}-{version}:"
    return ["--volume", joined(Syntax("$PWD"), source, HostValue(mount))]


def _labels(role: Role) -> dict[str, object]:
    return {"service": role.service, "role": role.name, "destination": role.destination, **role.labels}


def _stop_flags(role: Role) -> list[str]:
    return [] if role.stop_timeout is None else ["-t", str(role.stop_timeout)]


def _running(config: Config, role: Role, *format_flags: Word) -> Command:
    """Print identifier or name of the newest running container: of the image tagged latest, else of any image."""
    states = ["--filter", "status=running", "--filter", "status=restarting"]
    newest = query("docker", "ps", "--latest", *format_flags, *label_filters(config, role), *states)
    latest = query(
        *("docker", "image", "ls", "--filter", f"reference={config.latest_image}"),
        *("--format", "{{.ID}}"),
    )
    of_latest = query(
        *("docker", "ps", "--latest", *format_flags, *label_filters(config, role), *states),
        *("--filter", joined("ancestor=", SplitOutput(latest))),
    )
    return query("sh", "-c", SingleQuoted(of_latest.then(newest))) | query("head", "-1")
