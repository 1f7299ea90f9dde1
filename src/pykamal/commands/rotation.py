"""Commands that give a container new secrets, and put the old container and its secrets back where that fails."""

from __future__ import annotations

from pykamal.commands import withdrawal
from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Syntax
from pykamal.config.models.accessory import Accessory
from pykamal.config.models.role import Role

_SILENT = ("> /dev/null", "2>&1")


def keep(path: str) -> Command:
    """Keep a copy of an env file beside it, with its mode; nothing where there is no file, nor half of one."""
    copied = command("cp", "-p", path, _kept(path)).redirected("2> /dev/null")
    return copied.or_(forget(path).and_(query("test", Syntax("!"), "-e", path)).grouped())


def forget(path: str) -> Command:
    """Remove the copy of an env file."""
    return command("rm", "-f", _kept(path))


def remove_old(container: str) -> Command:
    """Remove a container that has made way for another, since Docker keeps its old secrets as long as it is there."""
    return command("docker", "container", "rm", "--force", container).failing_allowed()


def restore_role(role: Role, version: str, replaced: str, env_file: str) -> Command:
    """Take a new container of a version away, unless it serves, and give the old one and the env file their names back.

    Without an old container under its passing name nothing was begun, and nothing is done. The old container is
    started, because a boot that was interrupted may have stopped it.
    """
    new, old = role.container_name(version), role.container_name(replaced)
    serves = query("docker", "container", "inspect", "--format", "{{.State.Running}}", new).redirected("2> /dev/null")
    running = serves | query("grep", "-qx", "true")
    restoring = running.or_(_restored(new, old, env_file).then(_start(new)).grouped()).grouped()
    withdrawing = withdrawal.stop_unless_serving(role, version).grouped()
    return _exists(old).and_(withdrawing.then(restoring).grouped()).failing_allowed()


def rename_accessory(accessory: Accessory, replaced: str) -> Command:
    """Let the container of an accessory make way for a new one."""
    return command("docker", "rename", accessory.service, replaced)


def restore_accessory(accessory: Accessory, replaced: str, env_file: str) -> Command:
    """Take the new container of an accessory away and start the old one again, with its env file.

    A container that was stopped and has its name yet is started; one that runs is left alone.
    """
    restoring = _exists(replaced).and_(_restored(accessory.service, replaced, env_file).grouped()).grouped()
    return restoring.then(_start(accessory.service)).failing_allowed()


def _restored(new: str, old: str, env_file: str) -> Command:
    removed = command("docker", "rm", "--force", new).redirected(*_SILENT)
    kept = query("test", "-e", _kept(env_file)).and_(command("mv", "-fT", _kept(env_file), env_file)).grouped()
    return removed.then(command("docker", "rename", old, new)).then(kept)


def _start(container: str) -> Command:
    return command("docker", "container", "start", container)


def _exists(container: str) -> Command:
    return query("docker", "container", "inspect", container).redirected(*_SILENT)


def _kept(path: str) -> str:
    return f"{path}.before"
