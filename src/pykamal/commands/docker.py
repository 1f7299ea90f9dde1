"""Commands for the engine on a host: its network, its images, its mirrors."""

from __future__ import annotations

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import DoubleQuoted
from pykamal.config.models.service import Config


def create_network(name: str = "kamal") -> Command:
    """Create the network unless it exists; prints nothing.

    The last part looks for it once more, because another run may create it between the first look and the attempt.
    """
    present = query("docker", "network", "inspect", name)
    create = command("docker", "network", "create", name).redirected("> /dev/null")
    return present.redirected("> /dev/null 2>&1").or_(create).or_(present.redirected("> /dev/null"))


def pull(image: str) -> Command:
    return command("docker", "pull", image)


def tag(image: str, new: str) -> Command:
    return command("docker", "tag", image, new)


def image_identifier(image: str) -> Command:
    """Print the digest of an image. Fails where the engine does not have it."""
    return query("docker", "image", "inspect", "--format", "{{.Id}}", "--", image)


def save_image(image: str) -> Command:
    """Print an image as a tar archive."""
    return query("docker", "image", "save", "--", image)


def inspect_label(config: Config, image: str) -> Command:
    """Fail unless the image says that it belongs to the service (spec/cli.md 15.4)."""
    label = query("docker", "inspect", "-f", "{{ .Config.Labels.service }}", image)
    matching = label | query("grep", "-x", config.service)
    missing = query("echo", DoubleQuoted(f"Image {image} is missing the 'service' label")).and_(query("exit", "1"))
    return matching.or_(missing.in_subshell())


def mirrors() -> Command:
    """Print the first registry mirror; "slice index out of range" on standard error without one (spec/cli.md 15.4)."""
    return query("docker", "info", "--format", "{{index .RegistryConfig.Mirrors 0}}").failing_allowed()
