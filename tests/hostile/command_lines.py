"""Every line that this tool can send to a shell, for one configuration and one set of arguments.

The table is keyed by the function of `pykamal.commands` that makes the line, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

import pykamal.commands
from pykamal.commands import (
    accessory,
    app,
    assets,
    audit,
    builder,
    docker,
    env_file,
    evidence,
    exec_env,
    git,
    health,
    hooks,
    host_files,
    lock,
    proxy,
    proxy_boot_config,
    proxy_files,
    proxy_image,
    proxy_switch,
    prune,
    readiness,
    registry,
    rotation,
    run_directory,
    secret_delivery,
    secret_digests,
    server,
    ssh_client,
    stopping,
    withdrawal,
)
from pykamal.commands.command import Command, Simple, command, shell_line
from pykamal.commands.flags import label_filters
from pykamal.commands.logs import LogSelection
from pykamal.config.models import Accessory, Config, Extension, Registry, Role, Ssh
from pykamal.config.models.proxy import ProxyRun
from pykamal.config.models.secrets_extension import SecretDelivery
from pykamal.core.sensitive import Sensitive

SUFFIX = "0123456789ab"

Made: TypeAlias = partial[Any]
"""A builder with its arguments."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Texts of the command line, the environment, Git, the secrets and the hosts that reach shell lines."""

    version: str = "v1"
    old_version: str = "v0"
    container_id: str = "abc"
    since: str = "5m"
    grep: str = "pattern"
    env_key: str = "KEY"
    env_value: str = "value"
    maintenance_message: str = "back soon"
    lock_message: str = "mine"
    performer: str = "ada"
    audited: str = "Executed"
    username: str = "user"
    password: str = "password"
    secret: str = "secret"
    file_path: str = ".kamal/file"
    git_root: str = "/app"
    revision: str = "abc"
    proxy_image: str = "image"


def lines(config: Config, arguments: Arguments) -> Iterator[Made]:
    """A call for each line, ready to be made."""
    for role in config.roles:
        for host in role.host_names:
            yield from _of_role(config, role, host, arguments)
    for each in config.accessories:
        for host in each.hosts:
            yield from _of_accessory(config, each, host, arguments)
    for host in config.all_hosts:
        yield from _of_host(config, host, arguments)
    yield from _of_service(config, arguments)
    yield from _of_secret_delivery(config, arguments)
    yield from _of_builder(config, arguments)
    yield from _of_ssh(config)
    yield from _of_this_machine(arguments)


def _of_role(config: Config, role: Role, host: str, given: Arguments) -> Iterator[Made]:
    version, env = given.version, {given.env_key: given.env_value}
    yield partial(app.run, config, role, host, version, hostname_suffix=SUFFIX)
    yield partial(app.exec_new, config, role, host, version, "true", suffix=SUFFIX, env=env)
    existing = app.exec_existing(role, version, "true", env=env)
    yield partial(app.exec_existing, role, version, "true", env=env)
    yield partial(exec_env.from_stdin, env, existing)
    yield partial(exec_env.write, given.file_path, env)
    yield partial(_once_it_is_there, f".kamal/{posixpath.basename(given.file_path)}", existing)
    yield partial(exec_env.remove_later, given.file_path, seconds=0)
    yield partial(app.remove_exec, role, version, SUFFIX)
    yield partial(app.start, role, version)
    yield partial(app.stop, role, version)
    yield partial(app.stop_known, role, version)
    yield partial(app.stop_current, config, role)
    yield partial(app.rename, role, version, given.old_version)
    yield partial(app.remove_container, role, version)
    yield partial(app.remove_containers, config, role)
    yield partial(app.container_id, role, version)
    yield partial(app.current_version, config, role)
    yield partial(app.details, config, role)
    for follow in (False, True):
        selection = LogSelection(since=given.since, lines=5, grep=given.grep)
        yield partial(app.logs, config, role, selection, follow=follow)
        yield partial(app.logs, config, role, container_id=given.container_id, follow=follow)
    for container_id in (None, given.container_id):
        yield partial(app.log_checks, config, role, LogSelection(since=given.since, grep=given.grep), container_id)
    container = role.container_name(version)
    yield from _evidence(container)
    yield partial(health.listening, container, port=80)
    yield partial(health.wait, container, deploy_timeout=0, readiness_delay=0)
    yield partial(health.still_up, container, deploy_timeout=0, readiness_delay=0)
    yield partial(health.wait_steady, container, deploy_timeout=0, new=False)
    yield partial(health.watched, app.start(role, version), container, port=80)
    yield partial(withdrawal.stop_unless_serving, role, version)
    kept = config.role_env_file(role)
    keys = secret_digests.Keys(Sensitive("a"), Sensitive("b"))
    names = [each.name for each in role.env_on(host).secret_references]
    yield partial(secret_digests.digests, keys, kept, label_filters(config, role), names)
    yield partial(rotation.keep, kept)
    yield partial(rotation.forget, kept)
    yield partial(rotation.remove_old, container)
    yield partial(rotation.restore_role, role, version, given.old_version, kept)
    if role.asset_path is not None:
        yield partial(assets.extract, config, role, version)
        yield partial(assets.synchronize, config, role, version, given.old_version)
    yield partial(assets.clean_up, config, role, version)
    if role.proxy is not None:
        yield partial(proxy.deploy_role, config, role, version)
    yield partial(proxy.remove, role.container_prefix)
    yield partial(proxy.resume, role.container_prefix)
    yield partial(proxy.stop, role.container_prefix, drain_timeout=1, message=given.maintenance_message)
    yield partial(audit.record, config, given.audited, who=given.performer, role=role)
    certificates = proxy.certificates_directory(config, role)
    yield partial(proxy_files.make_directory, certificates)
    yield partial(proxy_files.grant, certificates)
    yield partial(run_directory.make_private, config.role_env_file(role))
    content = env_file.encode((each.name, Sensitive(given.secret)) for each in role.env_on(host).secret_references)
    yield partial(host_files.write, config.role_env_file(role), content, "0600")


def _evidence(container: str) -> Iterator[Made]:
    yield partial(evidence.state, container)
    yield partial(evidence.deaths, container)
    yield partial(evidence.listeners, container)
    yield partial(evidence.processes, container)
    yield partial(evidence.failed_checks, container, port=80)
    yield partial(evidence.identifier, container)
    yield partial(stopping.stop, container)
    yield partial(stopping.stop_found, evidence.identifier(container))


def _of_accessory(config: Config, each: Accessory, host: str, given: Arguments) -> Iterator[Made]:
    selection = LogSelection(since=given.since, lines=5, grep=given.grep)
    yield partial(accessory.run, config, each, host)
    yield partial(accessory.start, each)
    yield partial(accessory.stop, each)
    yield partial(accessory.container_id, each)
    yield partial(accessory.details, each)
    yield partial(accessory.exec_new, config, each, "true", suffix=SUFFIX)
    yield partial(accessory.exec_existing, each, "true")
    yield partial(accessory.remove_exec, each, SUFFIX)
    yield partial(accessory.remove_containers, each)
    yield partial(accessory.pull_image, each)
    yield partial(accessory.remove_image, each)
    yield partial(accessory.remove_directory, each)
    yield partial(rotation.rename_accessory, each, f"{each.service}_replaced_{SUFFIX}")
    replaced = f"{each.service}_replaced_{SUFFIX}"
    yield partial(rotation.restore_accessory, each, replaced, config.accessory_env_file(each))
    for follow in (False, True):
        yield partial(accessory.logs, each, selection, follow=follow)
    yield partial(accessory.make_directories, each)
    yield partial(accessory.close_directory, each)
    for file in each.files:
        yield partial(accessory.make_file_directory, each, file)
        yield partial(host_files.write, accessory.file_path(each, file), "content", "0600")
        yield partial(accessory.file_permissions, each, file)
    if each.proxy is not None:
        yield partial(proxy.deploy_accessory, config, each, given.version)
    if each.registry is not None:
        yield partial(registry.login, each.registry.server, *_credentials(each.registry, given))
    yield from _evidence(each.service)
    yield partial(docker.create_network, each.network)
    content = env_file.encode((one.name, Sensitive(given.secret)) for one in each.env.secret_references)
    yield partial(host_files.write, config.accessory_env_file(each), content, "0600")


def _of_host(config: Config, host: str, given: Arguments) -> Iterator[Made]:
    yield partial(proxy.start_or_run, config, host)
    yield partial(proxy.run, config, host)
    yield partial(proxy.create, config, host, name="proxy")
    yield partial(proxy_image.ensure, config, host)
    yield partial(proxy_switch.make, config, host)
    yield partial(proxy_switch.share_state, config, host)
    yield partial(proxy_switch.own_state, config, host)
    yield partial(proxy_switch.claim_state, config, host)
    yield partial(readiness.engine_and_ports, config, host)
    yield partial(proxy.stored_settings, config, host)


def _of_service(config: Config, given: Arguments) -> Iterator[Made]:
    selection = LogSelection(since=given.since, lines=5, grep=given.grep)
    image, server_name = config.absolute_image(given.version), config.registry.server
    username, password = _credentials(config.registry, given)
    details = lock.details_text(locked_by=given.performer, at="now", version=given.version, message=given.lock_message)
    yield partial(accessory.environment_files, config)
    yield partial(app.list_containers, config)
    yield partial(app.list_images, config)
    yield partial(app.tag_latest, config, given.version)
    yield partial(assets.clean_up_error_pages, config, given.version)
    yield partial(host_files.make_directory, assets.error_pages_path(config), mode="0700")
    yield partial(run_directory.make, config.app_directory)
    yield partial(audit.tail, config)
    yield partial(docker.inspect_label, config, image)
    yield partial(docker.pull, image)
    yield partial(docker.image_identifier, image)
    yield partial(docker.save_image, image)
    yield partial(docker.tag, image, config.latest_image)
    yield partial(host_files.remove, given.file_path, recursive=True)
    yield partial(host_files.write, given.file_path, given.secret, "0600")
    yield partial(lock.acquire, config, details)
    yield partial(lock.release, config)
    yield partial(lock.status, config)
    for follow in (False, True):
        yield partial(proxy.logs, selection, follow=follow)
    yield partial(proxy.remove_app_directory, config)
    yield partial(prune.containers, config, config.retain_containers)
    yield partial(prune.dangling_images, config)
    yield partial(prune.tagged_images, config)
    yield partial(prune.all_images, config)
    yield partial(registry.login, server_name, username, Sensitive(password))
    yield partial(registry.ensure_login, server_name, Sensitive(username), password)
    yield partial(registry.logout, server_name)
    yield partial(server.remove_app_directory, config)
    yield partial(_behind_docker, hooks.run, f"{config.hooks_path}/pre-deploy")


def _of_secret_delivery(config: Config, given: Arguments) -> Iterator[Made]:
    for delivery in (SecretDelivery.TMPFS, SecretDelivery.ENCRYPTED):
        secrets = replace(config.extension.secrets, delivery=delivery)
        kept = replace(config, extension=replace(config.extension, secrets=secrets))
        for role in kept.roles:
            path = kept.role_env_file(role)
            run = command("docker", "run", *secret_delivery.env_flags(kept, path))
            yield partial(secret_delivery.prepare, kept, posixpath.dirname(path))
            yield partial(secret_delivery.write, kept, path, Sensitive(given.secret))
            yield partial(secret_delivery.opened, kept, path, run)
            yield partial(secret_delivery.opened_by_login, kept, path, run)
            yield partial(secret_delivery.remove, path)
        yield partial(secret_delivery.remove_memory, kept)
        for host in kept.all_hosts:
            yield partial(secret_delivery.prune, kept, host)


def _credentials(settings: Registry, given: Arguments) -> tuple[str, str]:
    """User name and password as deploy.yml has them, or as the secrets do."""
    username, password = settings.username, settings.password
    return (
        given.username if username is None else username.literal or given.username,
        given.password if password is None else password.literal or given.password,
    )


def _of_builder(config: Config, given: Arguments) -> Iterator[Made]:
    for local_arch in ("amd64", "arm64"):
        yield partial(builder.inspect, config, local_arch)
        yield partial(builder.remove, config, local_arch)
        yield partial(builder.info, config, local_arch)
        if config.builder.pack is None:
            yield partial(builder.create, config, local_arch)
        for output in ("registry", "docker"):
            yield partial(builder.push, config, given.version, local_arch=local_arch, output=output)


def _of_ssh(config: Config) -> Iterator[Made]:
    for host in config.all_hosts:
        session = partial(ssh_client.interactive, config.ssh, host, shell_line("true"), extension=config.extension)
        yield session
        yield partial(ssh_client.with_agent, session(), [5])
        if config.ssh.proxy:
            yield partial(_way_through_jump_hosts, config.ssh, host, config.extension)
        way = "ssh -W %h:%p -l %r '%n' \"%h\""
        yield partial(ssh_client.proxy_arguments, way, host=host, port=22, user=config.ssh.user, name=host)


def _of_this_machine(given: Arguments) -> Iterator[Made]:
    yield partial(git.reset, given.git_root, "/clone", given.revision)
    yield partial(git.clone, given.git_root, "/clone")
    yield partial(git.revision, given.git_root)
    yield partial(git.uncommitted, given.git_root)
    yield partial(git.tracked_files, given.git_root)
    yield partial(git.commit_of, given.revision)
    yield partial(git.objects_since, given.revision)
    yield partial(git.introducing, given.revision)
    yield partial(_behind_docker, hooks.run, given.file_path)
    settings = ProxyRun(bind_ips=("::1",), log_max_size=given.env_value)
    yield partial(proxy_boot_config.store, settings, [f"memory={given.env_value}"])
    yield partial(_behind_docker, proxy_image.build, given.file_path, [given.proxy_image])
    yield partial(_behind_docker, proxy_image.describe, given.file_path, [given.proxy_image])
    yield partial(proxy_image.compress, given.file_path)
    yield partial(proxy_image.load, given.file_path)
    yield partial(proxy_image.push, given.proxy_image)
    yield partial(proxy_image.pull, given.proxy_image)
    yield partial(proxy_image.revision, given.proxy_image)


_CONSTANT: Final = {
    "builder": "check_docker list_context local_architecture",
    "bundler": "add_kamal make_binstub",
    "docker": "mirrors",
    "evidence": "port_holders",
    "facts": "containers proxy_container proxy_services",
    "git": "contents is_shallow root user_name user_email modified_files untracked_files latest_commits",
    "processes": "shell end_group",
    "proxy": "container_start container_stop details list_services make_apps_directory remove_container "
    "remove_directory remove_image remove_traefik version",
    "proxy_files": "grant_all open_to_any_proxy",
    "proxy_boot_config": "reset",
    "proxy_switch": "clear put_back remove_replaced switch wait",
    "readiness": "disks engine",
    "registry": "remove_local start_local",
    "server": "add_to_docker_group can_administer count_apps docker_version in_docker_group install_docker_packages "
    "install_docker_script is_root start_engine use_docker",
}
"""Functions that make the same line for everybody, with other numbers at most."""

_PARTS: Final = {
    "command": "command query shell_line",
    "exec_env": "from_file",
    "facts": "proxy_settings",
    "host_files": "write_output",
    "logs": "checks container_checks container_logs matching",
    "processes": "in_shell by_login_shell",
    "proxy": "deploy legacy_settings",
    "proxy_switch": "unless_made",
    "server": "unless_docker_is_installed",
}
"""Functions that make a part of other lines of the table, or a line around one."""

CONSTANT: Final = frozenset(
    f"{module}.{name}" for names in (_CONSTANT, _PARTS) for module, words in names.items() for name in words.split()
)
"""Builders that are rendered as a part of others."""


def _way_through_jump_hosts(ssh: Ssh, host: str, extension: Extension) -> list[Command]:
    """The line that the ssh of this machine hands to a shell, its own tokens replaced."""
    vector = ssh_client.interactive(ssh, host, shell_line("true"), extension=extension)
    ways = [word.removeprefix("ProxyCommand=") for word in vector if word.startswith("ProxyCommand=")]
    tokens = {"%h": "h", "%p": "22", "%%": "%"}
    return [shell_line(re.sub("%[hp%]", lambda match: tokens[match[0]], way)) for way in ways]


def _once_it_is_there(path: str, line: Command) -> Command:
    """A line that reads its variables from a file, which nothing has written here."""
    return command(":").to_file(path).and_(exec_env.from_file(path, line))


def _behind_docker(builder: Callable[..., Command], *arguments: Any) -> Command:
    """The words of a line that starts a program of its own, behind a program that only notes them."""
    node = builder(*arguments).node
    assert isinstance(node, Simple)
    return command("docker", *node.words)


def commands_of(call: Made) -> list[Command]:
    """The lines that a call makes; an argument vector counts as the line that has these words."""
    made = call()
    match made:
        case None:
            return []
        case Command():
            return [made]
        case dict():
            return list(made.values())
    if all(isinstance(each, tuple) for each in made):
        return [each for _, each in made]
    return made if all(isinstance(each, Command) for each in made) else [command(*made)]


def name_of(call: Made) -> str:
    function = call.args[0] if call.func is _behind_docker else call.func
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def builders() -> set[str]:
    """The name of every public function that makes command lines."""
    found = set()
    for module_info in pkgutil.iter_modules(pykamal.commands.__path__):
        module = importlib.import_module(f"pykamal.commands.{module_info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            makes = str(function.__annotations__.get("return", ""))
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and ("Command" in makes or module is ssh_client):
                found.add(f"{module_info.name}.{name}")
    return found
