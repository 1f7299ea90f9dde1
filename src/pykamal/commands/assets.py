"""Commands for assets, which old and new version share, and for error pages (spec/cli.md 14.11)."""

from __future__ import annotations

from pykamal.commands.command import Command, command, query
from pykamal.commands.proxy_paths import proxied_app_directory
from pykamal.commands.words import DoubleQuoted, HostValue, Syntax, Word, joined
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config


def extract(config: Config, role: Role, version: str) -> Command:
    """Copy a version's assets out of its image, through a container that is made for it and never started."""
    if role.asset_path is None:
        raise ValueError(f"role {role.name} has no asset path")
    container = f"{role.container_prefix}-assets"
    remove = command("docker", "container", "rm", container)
    target = _extracted(config, role, version)
    source = joined(f"{container}:", HostValue(role.asset_path.path), "/.")
    copy = command("docker", "container", "cp", "-L", source, target)
    return (
        command("mkdir", "-p", target)
        .and_(remove.redirected("2> /dev/null"))
        .or_(query("true"))
        .and_(command("docker", "container", "create", "--name", container, config.absolute_image(version)))
        .and_(copy)
        .and_(remove)
    )


def synchronize(config: Config, role: Role, version: str, old_version: str | None) -> Command:
    """Fill the version's volume; with an old version, give each the other's assets without overwriting any."""
    merged = command("mkdir", "-p", _volume(config, role, version)).then(
        _fill(_extracted(config, role, version), _volume(config, role, version))
    )
    if not old_version:
        return merged
    new_to_old = _fill(_extracted(config, role, version), _volume(config, role, old_version))
    old_to_new = _fill(_extracted(config, role, old_version), _volume(config, role, version))
    return merged.then(new_to_old).or_(query("true")).then(old_to_new).or_(query("true"))


def clean_up(config: Config, role: Role, version: str) -> Command:
    """Remove the assets of all other versions of the role.

    Roles whose name begins with this one's and a dash keep theirs: `web` leaves `web-eu-...` alone.
    """
    others = [other.name for other in config.roles if other.name.startswith(f"{role.name}-")]
    spared: list[Word] = [word for name in others for word in (Syntax("!"), "-name", f"{name}-*")]
    extracted, volumes = (
        command(
            *("find", f"{_directory(config)}/{kind}", "-maxdepth", "1", "-name", f"{role.name}-*"),
            *(Syntax("!"), "-name", f"{role.name}-{version}"),
            *spared,
            *("-exec", "rm", "-rf", DoubleQuoted("{}"), "+"),
        )
        for kind in ("extracted", "volumes")
    )
    return extracted.then(volumes)


def error_pages_path(config: Config) -> str:
    """Return the directory on a host that holds a directory of error pages for each version."""
    return f"{proxied_app_directory(config)}/error_pages"


def clean_up_error_pages(config: Config, version: str) -> Command:
    """Remove the error pages of all other versions."""
    return command(
        *("find", error_pages_path(config), "-mindepth", "1", "-maxdepth", "1", Syntax("!"), "-name", version),
        *("-exec", "rm", "-rf", Syntax("{}"), "+"),
    )


def _fill(source: str, target: str) -> Command:
    return command("cp", "-rnT", source, target)


def _directory(config: Config) -> str:
    return f"{config.app_directory}/assets"


def _extracted(config: Config, role: Role, version: str) -> str:
    return f"{_directory(config)}/extracted/{role.name}-{version}"


def _volume(config: Config, role: Role, version: str) -> str:
    return f"{_directory(config)}/volumes/{role.name}-{version}"
