"""Commands to build and push images, and for their builders (spec/cli.md 15.1 and 15.3, spec/config.md 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.environment_flags import environment_flags
from pykamal.commands.words import Expanded, HostValue, SingleQuoted, Syntax, Word, joined, key_values, text_of
from pykamal.config.models.builder import BuildCache, Builder
from pykamal.config.models.service import Config
from pykamal.core.sensitive import Sensitive


class Kind(Enum):
    """The kind of builder. Values are the words of `build details` and `build create`."""

    LOCAL = "local"
    REMOTE = "remote"
    HYBRID = "hybrid"
    PACK = "pack"
    CLOUD = "cloud"


# -- which builder


def local_architecture() -> Command:
    """Print the architecture of the local engine; needed only with `builder.remote`."""
    return query("docker", "info", "--format", "{{.Architecture}}")


def architecture(text: str) -> str:
    """Return the output of `local_architecture` by its name in deploy.yml."""
    return {"aarch64": "arm64", "x86_64": "amd64"}.get(text.strip(), text.strip())


def kind(config: Config, local_arch: str | None = None) -> Kind:
    """Return the kind of builder. `local_arch`, from `architecture`, counts only with `builder.remote`."""
    builder = config.builder
    if remote_arches(builder, local_arch):
        return Kind.HYBRID if local_arches(builder, local_arch) else Kind.REMOTE
    if builder.pack is not None:
        return Kind.PACK
    return Kind.CLOUD if builder.driver.startswith("cloud") else Kind.LOCAL


def local_arches(builder: Builder, local_arch: str | None) -> tuple[str, ...]:
    if not builder.local:
        return ()
    return tuple(arch for arch in builder.arches if arch == local_arch) if builder.remote else builder.arches


def remote_arches(builder: Builder, local_arch: str | None) -> tuple[str, ...]:
    local = local_arches(builder, local_arch)
    return tuple(arch for arch in builder.arches if arch not in local) if builder.remote else ()


def builder_name(config: Config, local_arch: str | None = None) -> str | None:
    """Return the name for `--builder`; None for buildpacks and for the engine's own builder (driver `docker`)."""
    builder = config.builder
    local_registry = config.registry.local
    remote = _UNSAFE.sub("-", builder.remote or "") + ("-local-registry" if local_registry else "")
    match kind(config, local_arch):
        case Kind.HYBRID:
            return f"kamal-hybrid-{builder.driver}-{remote}"
        case Kind.REMOTE:
            return f"kamal-remote-{remote}"
        case Kind.CLOUD:
            return re.sub("[ /]", "-", builder.driver)
        case Kind.LOCAL if builder.driver != "docker":
            return f"kamal-local-{'registry-' if local_registry else ''}{builder.driver}"
    return None


_UNSAFE: Final = re.compile("[^a-z0-9_-]")


# -- building


def check_docker() -> Command:
    return query("docker", "--version").and_(query("docker", "buildx", "version"))


def push(
    config: Config,
    version: str,
    *,
    local_arch: str | None = None,
    output: str = "registry",
    no_cache: bool = False,
    dirty: bool = False,
) -> Command:
    """Build the image, and push it with `output` `registry`. Runs in the build directory.

    `dirty` marks both tags as built from uncommitted work. `push_environment` has the values of `builder.secrets`.
    """
    suffix = "-dirty" if dirty else ""
    images = (f"{config.absolute_image(version)}{suffix}", f"{config.latest_image}{suffix}")
    if kind(config, local_arch) is Kind.PACK:
        return _pack(config, images, output, no_cache)
    builder = config.builder
    name = builder_name(config, local_arch)
    words: list[Word] = ["docker", "buildx", "build", f"--output=type={output}"]
    words += ["--platform", _platforms(builder.arches)] if builder.arches else []
    words += ["--builder", name] if name else []
    words += _tags(images)
    words += _cache_flags(config)
    words += key_values("--label", {"service": config.service})
    arguments, variables = environment_flags("--build-arg", builder.args)
    words += arguments
    variables |= _cache_variables(builder)
    words += [word for secret in builder.secrets for word in ("--secret", _secret(builder, secret))]
    words += _flag("--file", builder.dockerfile)
    words += _flag("--target", builder.target)
    words += _flag("--ssh", builder.ssh)
    words += _flag("--provenance", builder.provenance)
    words += _flag("--sbom", builder.sbom)
    words += ["--no-cache"] if no_cache else []
    return command(*words, HostValue(builder.context)).with_environment(variables).redirected("2>&1")


def push_environment(
    config: Config, secrets: Mapping[str, Sensitive], local_arch: str | None = None
) -> dict[str, str | Sensitive]:
    """Return the environment of `push`; `secrets` are the values of `builder.secrets`."""
    chosen, builder = kind(config, local_arch), config.builder
    token = {"BUILDKIT_NO_CLIENT_TOKEN": "1"} if chosen in (Kind.REMOTE, Kind.HYBRID) else {}
    if chosen is Kind.PACK:
        return {**secrets, **token}
    return {**{_secret_variable(builder, name): value for name, value in secrets.items()}, **token}


def list_context() -> Command:
    """Print the files that a build of the working directory would send to Docker, one a line (`build dev`).

    Docker itself applies the ignore rules: all that an empty image would get of the directory is listed, and no image
    is left.
    """
    copy = "FROM scratch\nCOPY . /\n"
    build = query("docker", "buildx", "build", "--quiet", "--file", "-", "--output", "type=tar,dest=-", ".").fed(copy)
    return build | query("tar", "--list", "--quoting-style=literal")


# -- builders; None where a kind has nothing to do


def inspect(config: Config, local_arch: str | None = None) -> Command | None:
    """Fails when the builder is missing or is not the one that deploy.yml describes."""
    builder = config.builder
    name = builder_name(config, local_arch)
    match kind(config, local_arch):
        case Kind.PACK if builder.pack is not None:
            return query("pack", "builder", "inspect", builder.pack.builder)
        case Kind.REMOTE | Kind.HYBRID if name and builder.remote:
            endpoint = query("docker", "buildx", "inspect", name) | query(
                "grep", "-q", joined(Syntax("Endpoint:.*"), _context(name))
            )
            host = query("docker", "context", "inspect", _context(name), "--format", "{{.Endpoints.docker.Host}}")
            missing = query("echo", Syntax("no compatible builder")).and_(query("exit", "1")).in_subshell()
            return endpoint.and_(host | query("grep", "-xq", builder.remote)).or_(missing)
    return query("docker", "buildx", "inspect", name) if name else None


def create(config: Config, local_arch: str | None = None) -> Command | None:
    """Make the builder; for `ssh://` the host's key must be known already. Raises ValueError for buildpacks."""
    builder = config.builder
    name = builder_name(config, local_arch)
    driver_options: list[Word] = ["--driver-opt", "network=host"] if config.registry.local else []
    buildx: tuple[Word, ...] = ("docker", "buildx", "create")
    match kind(config, local_arch):
        case Kind.PACK:
            raise ValueError("buildpacks have no builder of their own to create")
        case Kind.CLOUD:
            return command(*buildx, "--driver", *builder.driver.split())
        case Kind.REMOTE if name and builder.remote:
            remote = command(*buildx, "--name", name, *driver_options, _context(name))
            return _make_context(name, builder.remote).then(remote)
        case Kind.HYBRID if name and builder.remote:
            local_platforms = _platforms(local_arches(builder, local_arch))
            remote_platforms = _platforms(remote_arches(builder, local_arch))
            driver = f"--driver={builder.driver}"
            local = command(*buildx, "--platform", local_platforms, "--name", name, driver, *driver_options)
            append: tuple[Word, ...] = ("--platform", remote_platforms, "--append", "--name", name)
            remote = command(*buildx, *append, *driver_options, _context(name))
            return local.and_(_make_context(name, builder.remote)).and_(remote)
    return command(*buildx, "--name", name, f"--driver={builder.driver}", *driver_options) if name else None


def remove(config: Config, local_arch: str | None = None) -> Command | None:
    name = builder_name(config, local_arch)
    if name is None:
        return None
    removed = command("docker", "buildx", "rm", name)
    if kind(config, local_arch) in (Kind.REMOTE, Kind.HYBRID):
        return command("docker", "context", "rm", _context(name)).then(removed)
    return removed


def info(config: Config, local_arch: str | None = None) -> Command:
    """List contexts and builders, or the contents of the buildpack builder."""
    chosen = kind(config, local_arch)
    if chosen is Kind.PACK and config.builder.pack is not None:
        return query("pack", "builder", "inspect", config.builder.pack.builder)
    contexts, builders = query("docker", "context", "ls"), query("docker", "buildx", "ls")
    return contexts.then(builders) if chosen in (Kind.REMOTE, Kind.HYBRID) else contexts.and_(builders)


# -- parts


def _pack(
    config: Config,
    images: tuple[str, str],
    output: str,
    no_cache: bool,
) -> Command:
    builder = config.builder
    if builder.pack is None:
        raise ValueError("builder.pack is not set")
    buildpacks = (*builder.pack.buildpacks, "paketo-buildpacks/image-labels")
    args = {name: value for name, value in builder.args.items() if name not in builder.secrets}
    arguments, variables = environment_flags("--env", args)
    build = command(
        *("pack", "build", config.repository, "--platform", _platforms(builder.arches)),
        *("--creation-time", "now", "--builder", builder.pack.builder),
        *key_values("--buildpack", buildpacks),
        *_tags(images),
        *(["--clear-cache"] if no_cache else []),
        *("--env", f"BP_IMAGE_LABELS=service={config.service}"),
        *arguments,
        *(word for secret in builder.secrets for word in ("--env", secret)),
        *("--path", HostValue(builder.context)),
    ).with_environment(variables)
    if output != "registry":
        return build
    return build.and_(command("docker", "push", images[0])).and_(command("docker", "push", images[1]))


def _secret(builder: Builder, name: str) -> Word:
    variable = _secret_variable(builder, name)
    identifier = joined("id=", Expanded(name))
    return identifier if variable == name else joined(identifier, ",env=", Expanded(variable))


def _secret_variable(builder: Builder, name: str) -> str:
    """Return the variable of a secret: its own name, unless a build argument has that name."""
    _, variables = environment_flags("--build-arg", builder.args)
    return f"KAMAL_SECRET_{name}" if name in variables else name


def _platforms(arches: tuple[str, ...]) -> str:
    return ",".join(f"linux/{arch}" for arch in arches)


def _tags(images: tuple[str, str]) -> list[Word]:
    return ["-t", images[0], "-t", images[1]]


def _flag(name: str, value: str | bool | None) -> list[Word]:
    """Return a flag with a value of deploy.yml, in which the shell may expand `$SSH_AUTH_SOCK`."""
    return [] if value is None or value == "" else [name, HostValue(text_of(value))]


def _cache_flags(config: Config) -> list[Word]:
    """Return `--cache-to` and `--cache-from` (spec/config.md 7.3)."""
    cache = config.builder.cache
    if cache is None or not cache.type:
        return []
    given = [option for option in _cache_options(cache) if not _is_token(cache, option)]
    extra = HostValue("".join(f",{option}" for option in given))
    if cache.type == "gha":
        shared = "".join(f",{option}" for option in given if option.partition("=")[0] in _GHA_SOURCE_OPTIONS)
        return ["--cache-to", joined("type=gha", extra), "--cache-from", joined("type=gha", HostValue(shared))]
    prefix = "" if config.registry.server is None else f"{config.registry.server}/"
    source = f"type=registry,ref={prefix}{cache.image or f'{config.image}-build-cache'}"
    return ["--cache-to", joined(source, extra), "--cache-from", source]


def _cache_variables(builder: Builder) -> dict[str, Word]:
    """Return the variables with the token of GitHub's cache."""
    cache = builder.cache
    tokens = [] if cache is None else [option for option in _cache_options(cache) if _is_token(cache, option)]
    return {"ACTIONS_RUNTIME_TOKEN": HostValue(tokens[-1].removeprefix("token="))} if tokens else {}


def _cache_options(cache: BuildCache) -> list[str]:
    return cache.options.split(",") if cache.options else []


def _is_token(cache: BuildCache, option: str) -> bool:
    return cache.type == "gha" and option.startswith("token=")


_GHA_SOURCE_OPTIONS: Final = frozenset({"url", "url_v2", "scope", "timeout"})


def _context(name: str) -> str:
    return f"{name}-context"


def _make_context(name: str, remote: str) -> Command:
    description = SingleQuoted(f"{name} host")
    host = SingleQuoted(f"host={remote}")
    return command("docker", "context", "create", _context(name), "--description", description, "--docker", host)
