"""Commands for the proxy's container and for the program in it (spec/cli.md 14.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from pykamal.commands import accessory as accessories
from pykamal.commands import app, health, proxy_flags, proxy_image, run_directory, stopping
from pykamal.commands.assets import error_pages_path
from pykamal.commands.command import Command, Simple, command, query
from pykamal.commands.flags import name_filter
from pykamal.commands.logs import ALL_LINES, LogSelection, container_logs
from pykamal.commands.proxy_image import LEGACY_REFERENCE, file_or
from pykamal.commands.proxy_paths import (
    APPS_DIRECTORY,
    APPS_DIRECTORY_INSIDE,
    PROXY_DIRECTORY,
    inside_proxy,
    proxied_app_directory,
)
from pykamal.commands.words import Expanded, HostValue, Output, Syntax, Word, joined, options
from pykamal.config.models.accessory import Accessory
from pykamal.config.models.proxy import Proxy, ProxyRun
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config
from pykamal.proxy import contract

CONTAINER: Final = "kamal-proxy"
STATE_VOLUME: Final = "kamal-proxy-config"
STATE_DIRECTORY: Final = f"{contract.HOME}/{contract.DATA_DIRECTORY}"
STATE_FILE: Final = f"{STATE_DIRECTORY}/{contract.STATE_FILE}"

ENDPOINT_MISSING_STATUS: Final = 69
"""Exit status of `deploy_role` and `deploy_accessory` when there is no container (EX_UNAVAILABLE of sysexits.h)."""

_OWN_IMAGES: Final = ("--filter", "label=org.opencontainers.image.title=kamal-proxy")
_TRAEFIK_IMAGES: Final = ("--filter", "label=org.opencontainers.image.title=Traefik")


# -- the container


def start_or_run(config: Config, host: str) -> Command:
    """Start the proxy's container, or make it; a running one is left as it is."""
    return container_start().or_(run(config, host))


def run(config: Config, host: str) -> Command:
    """Make and start the container, from `proxy/run` of the host, else from what `proxy boot_config` left there."""
    return _container_command(config, host, "run", CONTAINER, "--detach")


def create(config: Config, host: str, *, name: str) -> Command:
    """Create the container under another name without starting it."""
    return _container_command(config, host, "create", name)


def _container_command(config: Config, host: str, verb: str, name: str, *flags: str) -> Command:
    settings = config.proxy_run_on(host)
    base: list[Word] = ["docker", verb, "--name", name, "--network", "kamal", *flags, *_CONTAINER_FLAGS]
    if settings is None:
        return stored_settings(config, host) | command("xargs", *base)
    metrics = settings.metrics_port
    words: list[Word] = [*base, *publish_flags(settings)]
    words += ["--log-opt", f"max-size={settings.log_max_size}"] if (settings.log_max_size or "").strip() else []
    words += [f"--expose={metrics}"] if metrics is not None else []
    words += [*options(settings.options), proxy_image.reference(config, host), "kamal-proxy", "run"]
    words += ["--debug"] if settings.debug else []
    words += ["--metrics-port", Expanded(str(metrics))] if metrics is not None else []
    return command(*words, *_limits(config))


def _limits(config: Config) -> list[Word]:
    """Return flags for all services, which our proxy alone has (x-pykamal/proxy/run)."""
    return proxy_flags.limits(config) if proxy_image.is_ours(config) else []


def publish_flags(settings: ProxyRun) -> list[Word]:
    """Return flags that publish both ports on each address, or on all; IPv6 addresses are in brackets."""
    if not settings.publish:
        return []
    prefixes: list[tuple[Word, ...]] = [(_bracketed(each), ":") for each in settings.bind_ips] or [()]
    ports = (f"{settings.http_port}:80", f"{settings.https_port}:443")
    return [word for prefix in prefixes for port in ports for word in ("--publish", joined(*prefix, port))]


def _bracketed(address: str) -> Word:
    """Put an address in brackets outside the quotes, as Ruby Kamal does; no file could match them."""
    if ":" not in address:
        return HostValue(address)
    return joined(Syntax("["), address.removeprefix("[").removesuffix("]"), Syntax("]"))


def legacy_settings(image: Word = LEGACY_REFERENCE, run_command: str = "", flags: Sequence[Word] = ()) -> Command:
    """Print `OPTIONS IMAGE:VERSION RUN_COMMAND` from the files of `proxy boot_config`, or the defaults."""
    ports = "--publish 80:80 --publish 443:443 --log-opt max-size=10m"
    return query("echo", file_or("options", ports), image, file_or("run_command", run_command), *flags)


def stored_settings(config: Config, host: str) -> Command:
    """Print the settings of `legacy_settings`, with image and limits of our proxy where deploy.yml selects it."""
    limits = _limits(config)
    return legacy_settings(proxy_image.reference(config, host), "kamal-proxy run" if limits else "", limits)


def container_start() -> Command:
    return command("docker", "container", "start", CONTAINER)


def container_stop() -> Command:
    return stopping.stop(CONTAINER, words=("docker", "container", "stop"))


def remove_container() -> Command:
    return command("docker", "container", "prune", "--force", *_OWN_IMAGES)


def remove_image() -> Command:
    return command("docker", "image", "prune", "--all", "--force", *_OWN_IMAGES)


def remove_traefik() -> Command:
    """Remove the proxy of Kamal 1 (`proxy upgrade`)."""
    stop_it = command("docker", "container", "stop", "traefik")
    containers = command("docker", "container", "prune", "--force", *_TRAEFIK_IMAGES)
    return stop_it.then(containers).and_(command("docker", "image", "prune", "--all", "--force", *_TRAEFIK_IMAGES))


def make_apps_directory() -> Command:
    return run_directory.make(APPS_DIRECTORY)


def remove_directory() -> Command:
    return command("rm", "-r", PROXY_DIRECTORY).failing_allowed()


def remove_app_directory(config: Config) -> Command:
    """Remove the certificates and error pages of a service (spec/cli.md 14.6)."""
    return command("rm", "-r", proxied_app_directory(config)).failing_allowed()


def version() -> Command:
    """Print the tag of the image that the container runs; nothing when there is no container."""
    image = query("docker", "inspect", CONTAINER, "--format", "{{.Config.Image}}")
    return image | query("awk", "-F:", "{print $NF}")


def details() -> Command:
    return query("docker", "ps", *name_filter(CONTAINER))


def logs(selection: LogSelection = ALL_LINES, *, follow: bool = False) -> Command:
    """Print the proxy's log, both streams in one. Following starts with the last lines unless selected otherwise."""
    return container_logs(CONTAINER, selection, follow=follow)


# -- the services behind it


def deploy_role(config: Config, role: Role, version: str, *, new: bool = True) -> Command:
    """Route to the container of a version once it is healthy; the proxy makes the health check.

    Ends early where the container cannot get healthy any more (`pykamal.commands.health.watched`); of one that is not
    `new`, the restarts of before do not count.
    """
    if role.proxy is None:
        raise ValueError(f"role {role.name} does not run behind the proxy")
    return _deploy_to(
        app.container_id(role, version),
        role.name,
        _Watched(role.container_name(version), role.proxy.app_port, new),
        deploy(
            role.container_prefix,
            target=_target(role.proxy),
            proxy=role.proxy,
            config=config,
            tls_directory=inside_proxy(certificates_directory(config, role)),
            error_pages_version=version,
            protection=proxy_flags.protections(config),
        ),
    )


def deploy_accessory(config: Config, accessory: Accessory, version: str, *, new: bool = True) -> Command:
    """Route to an accessory's container. `version` of the app selects its error pages (spec/cli.md 22, quirk 19)."""
    if accessory.proxy is None:
        raise ValueError(f"accessory {accessory.name} does not run behind the proxy")
    return _deploy_to(
        accessories.container_id(accessory),
        accessory.name,
        _Watched(accessory.service, accessory.proxy.app_port, new),
        deploy(
            accessory.service,
            target=_target(accessory.proxy),
            proxy=accessory.proxy,
            config=config,
            tls_directory=inside_proxy(f"{proxied_app_directory(config)}/tls"),
            error_pages_version=version,
        ),
    )


def deploy(
    service: str,
    *,
    target: Word,
    proxy: Proxy,
    config: Config,
    tls_directory: str,
    error_pages_version: str | None = None,
    protection: Sequence[Word] = (),
) -> Command:
    """Deploy a service to the proxy. `target` is `HOST:PORT` on the network `kamal`.

    `tls_directory`, inside the proxy, is used for custom certificates only; `error_pages_version` for
    `error_pages_path` only; `protection` are flags that our proxy alone knows.
    """
    error_pages = config.error_pages_path and error_pages_version
    values = {
        "hosts": proxy.hosts,
        "tls_enabled": True if proxy.ssl else None,
        "tls_certificate_path": f"{tls_directory}/cert.pem" if proxy.ssl and proxy.ssl.custom else None,
        "tls_private_key_path": f"{tls_directory}/key.pem" if proxy.ssl and proxy.ssl.custom else None,
        "deploy_timeout": config.deploy_timeout,
        "drain_timeout": config.drain_timeout,
        "interval": proxy.healthcheck.interval,
        "timeout": proxy.healthcheck.timeout,
        "path": proxy.healthcheck.path,
        "response_timeout": proxy.response_timeout,
        "buffer_requests": proxy.buffering.requests,
        "buffer_responses": proxy.buffering.responses,
        "max_memory_buffer_size": proxy.buffering.memory,
        "max_request_body_size": proxy.buffering.max_request_body,
        "max_response_body_size": proxy.buffering.max_response_body,
        "path_prefixes": proxy.path_prefixes,
        "strip_prefix": proxy.strip_path_prefix,
        "forward_headers": proxy.forward_headers,
        "tls_redirect": proxy.ssl_redirect,
        "log_request_headers": proxy.log_request_headers,
        "log_response_headers": proxy.log_response_headers,
        "error_page_path": inside_proxy(f"{error_pages_path(config)}/{error_pages_version}") if error_pages else None,
    }
    return _kamal_proxy(
        "deploy", service, joined("--target=", target), *proxy_flags.flags(contract.DEPLOY, values), *protection
    )


def remove(service: str) -> Command:
    """Stop routing to a service; no failure where the proxy does not know it, or does not run.

    May fail: a proxy that does not answer keeps nobody from stopping what is behind it.
    """
    command = _kamal_proxy("remove", service)
    text = f"""output=$({command.shell_text()} 2>&1) || case $output in
  *"service not found"* | *[Nn]"o such container"* | *"is not running"*) echo "$output" ;;
  *) echo "$output" >&2; exit 1 ;;
esac"""
    return Command(Simple((Syntax(text),)), may_fail=True, summary=command.display_text())


def stop(service: str, *, drain_timeout: int, message: str | None = None) -> Command:
    """Answer a service's requests with the maintenance page; those in flight have `drain_timeout` seconds."""
    values = {"drain_timeout": drain_timeout, "stop_message": message or None}
    return _kamal_proxy("stop", service, *proxy_flags.flags(contract.STOP, values))


def resume(service: str) -> Command:
    return _kamal_proxy("resume", service)


def list_services() -> Command:
    return query("docker", "exec", CONTAINER, "kamal-proxy", "list")


def certificates_directory(config: Config, role: Role) -> str:
    """Return the directory of a role's `cert.pem` and `key.pem` (spec/cli.md 14.11)."""
    return f"{proxied_app_directory(config)}/tls/{role.name}"


# -- parts

_CONTAINER_FLAGS: Final[tuple[Word, ...]] = (
    *("--restart", "unless-stopped"),
    *("--volume", f"{STATE_VOLUME}:{STATE_DIRECTORY}"),
    *("--volume", Syntax(f"$PWD/{APPS_DIRECTORY}:{APPS_DIRECTORY_INSIDE}")),
)


def _kamal_proxy(*words: Word) -> Command:
    return command("docker", "exec", CONTAINER, "kamal-proxy", *words)


class _Watched(NamedTuple):
    container: str
    port: int
    new: bool


def _deploy_to(container_id: Command, name: str, watched: _Watched, command: Command) -> Command:
    """Run `command` with the container as `$id`; exit with ENDPOINT_MISSING_STATUS when there is none."""
    message = f"Failed to get endpoint for {name}, did the container boot?"
    missing = query("echo", message).redirected(">&2").then(query("exit", str(ENDPOINT_MISSING_STATUS))).grouped()
    found = query(joined(Syntax("id="), Output(container_id))).and_(query("test", "-n", Syntax('"$id"')))
    there = found.grouped().or_(missing)
    line = there.and_(health.watched(command, watched.container, port=watched.port, new=watched.new))
    return replace(line, summary=there.and_(command).display_text())


def _target(proxy: Proxy) -> Word:
    return Syntax(f'"$id:{proxy.app_port}"')
