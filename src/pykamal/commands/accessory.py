"""Commands for accessories, such as databases and caches, each one container on its hosts (spec/cli.md 14.8)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from pykamal.commands import secret_delivery, stopping
from pykamal.commands.command import Command, command, query
from pykamal.commands.flags import (
    Interactive,
    log_flags,
    name_filter,
    service_filter,
    terminal_flags,
)
from pykamal.commands.logs import ALL_LINES, LogSelection, container_logs
from pykamal.commands.words import HostValue, Raw, Syntax, Word, joined, key_values, options
from pykamal.config.models.accessory import Accessory, Directory, File
from pykamal.config.models.service import Config

FILE_MODE: Final = "755"
"""The mode of uploaded files without a `mode` in deploy.yml, as in Ruby Kamal."""

PRIVATE_FILE_MODE: Final = "600"

# -- the container


def run(config: Config, accessory: Accessory, host: str) -> Command:
    """Start the container; prints its id. Log settings are the root's (spec/config.md 13)."""
    published = accessory.published
    line = command(
        *("docker", "run", "--name", accessory.service, "--detach", "--restart", accessory.restart),
        *("--network", accessory.network),
        *log_flags(config.logging),
        *(["--publish", published] if published else []),
        *key_values("--env", {"KAMAL_HOST": host}),
        *_environment(config, accessory),
        *_volumes(accessory),
        *key_values("--label", {"service": accessory.service, **accessory.labels}),
        *options(accessory.options),
        accessory.image,
        *([Raw(accessory.cmd)] if accessory.cmd else []),
    )
    return secret_delivery.opened(config, config.accessory_env_file(accessory), line)


def start(accessory: Accessory) -> Command:
    return command("docker", "container", "start", accessory.service)


def stop(accessory: Accessory) -> Command:
    return stopping.stop(accessory.service, words=("docker", "container", "stop"))


def container_id(accessory: Accessory) -> Command:
    """Print the identifier of the running container; nothing when there is none."""
    return query("docker", "container", "ls", *name_filter(accessory.service), "--quiet")


def details(accessory: Accessory) -> Command:
    return query("docker", "ps", *service_filter(accessory.service))


def logs(accessory: Accessory, selection: LogSelection = ALL_LINES, *, follow: bool = False) -> Command:
    """Print the log, both streams in one. Following starts with the last lines unless the selection says otherwise."""
    return container_logs(accessory.service, selection, follow=follow)


def exec_new(
    config: Config, accessory: Accessory, cmd: str, *, suffix: str, interactive: Interactive | None = None
) -> Command:
    """Run `cmd`, a command line as the user wrote it, in a container of its own. `suffix` is 6 hex digits.

    It is for `secret_delivery.opened` or `opened_by_login`.
    """
    return command(
        *("docker", "run", *terminal_flags(interactive), "--rm", "--name", _exec_name(accessory, suffix)),
        *("--network", accessory.network),
        *_environment(config, accessory),
        *_volumes(accessory),
        *options(accessory.options),
        accessory.image,
        Raw(cmd),
    )


def remove_exec(accessory: Accessory, suffix: str) -> Command:
    """Remove the container of `exec_new` by force."""
    return command("docker", "rm", "--force", _exec_name(accessory, suffix)).failing_allowed()


def exec_existing(accessory: Accessory, cmd: str, *, interactive: Interactive | None = None) -> Command:
    """Run `cmd`, a command line as the user wrote it, in the running container."""
    return command("docker", "exec", *terminal_flags(interactive), accessory.service, Raw(cmd))


def remove_containers(accessory: Accessory) -> Command:
    return command("docker", "container", "prune", "--force", *service_filter(accessory.service))


# -- the image


def pull_image(accessory: Accessory) -> Command:
    return command("docker", "image", "pull", accessory.image)


def remove_image(accessory: Accessory) -> Command:
    """Remove the image, unless a foreign container uses it: removal by force would take its name away."""
    users = query("docker", "ps", "--all", "--filter", f"ancestor={accessory.image}", "--format", "{{.Names}}")
    others = users | query("grep", "-v", "-x", "-F", accessory.service).redirected("> /dev/null")
    return others.or_(command("docker", "image", "rm", "--force", accessory.image))


# -- its directories and files on the host


def make_directories(accessory: Accessory) -> list[Command]:
    """Make the directories that `directories` mounts, with mode and owner where they are given."""
    return [step for directory in accessory.directories for step in _make_directory(accessory, directory)]


def file_path(accessory: Accessory, file: File) -> str:
    """Return the path of an uploaded file on the host, relative to the login directory."""
    return accessory.service + file.remote


def make_file_directory(accessory: Accessory, file: File) -> Command:
    return command("mkdir", "-p", posixpath.dirname(file_path(accessory, file)))


def close_directory(accessory: Accessory) -> Command:
    """Close the accessory's directory to other users of the host; the container's mounts do not pass through it."""
    return command("chmod", "0700", accessory.service)


def file_permissions(accessory: Accessory, file: File, *, holds_secrets: bool = False) -> list[Command]:
    """Set mode and owner of an uploaded file, where they are given."""
    mode = file.mode or (PRIVATE_FILE_MODE if holds_secrets else FILE_MODE)
    return list(_permissions(file_path(accessory, file), mode, file.owner))


def environment_files(config: Config) -> Command:
    """Print the paths of the files that hold secrets of accessories, at every destination of the service.

    Of a destination whose secrets were in memory and are gone, print the path of the link to them.
    """
    service = f".kamal/apps/{config.service}"
    patterns = (joined(service, Syntax(f"*/env/accessories/*{suffix}")) for suffix in (".env", ".env.age"))
    gone = Syntax('do [ -L "$link" ] && [ ! -e "$link" ] && echo "$link"; done')
    links = query("for", "link", "in", joined(service, Syntax("*/env;")), gone)
    return query("ls", *patterns).redirected("2> /dev/null").then(links).failing_allowed().quietly()


def remove_directory(accessory: Accessory) -> Command:
    return command("rm", "-rf", accessory.service)


# -- parts


def _exec_name(accessory: Accessory, suffix: str) -> str:
    return f"{accessory.service}-exec-{suffix}"


def _environment(config: Config, accessory: Accessory) -> list[Word]:
    path = config.accessory_env_file(accessory)
    return [*key_values("--env", accessory.env.clear), *secret_delivery.env_flags(config, path)]


def _volumes(accessory: Accessory) -> list[Word]:
    files = (_mounted(joined(Syntax("$PWD"), f"/{file_path(accessory, file)}"), file) for file in accessory.files)
    directories = (_mounted(_host_directory(accessory, each), each) for each in accessory.directories)
    return key_values("--volume", [*accessory.volumes, *files, *directories])


def _mounted(source: Word, entry: File | Directory) -> Word:
    options = f":{entry.options}" if entry.options else ""
    return joined(source, ":", HostValue(f"{entry.remote}{options}"))


def _host_directory(accessory: Accessory, directory: Directory) -> Word:
    local = HostValue(directory.local)
    return local if directory.local.startswith("/") else joined(Syntax("$PWD"), f"/{accessory.service}/", local)


def _make_directory(accessory: Accessory, directory: Directory) -> Iterator[Command]:
    path = _host_directory(accessory, directory)
    yield command("mkdir", "-p", path)
    yield from _permissions(path, directory.mode, directory.owner)


def _permissions(path: Word, mode: str | None, owner: str | None) -> Iterator[Command]:
    if mode:
        yield command("chmod", mode, path)
    if owner:
        yield command("chown", owner, path)
