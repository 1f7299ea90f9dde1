"""What a flow reads of a host before it decides anything: everything in one exchange."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, query
from pykamal.commands.words import Raw
from pykamal.config.models import Config

CONTAINER_FIELDS: Final = (
    "{{.ID}}",
    "{{.Name}}",
    "{{.Created}}",
    "{{.State.Status}}",
    "{{.Image}}",
    "{{.Config.Image}}",
    "{{json .Config.Labels}}",
)


def containers(config: Config) -> Command:
    """One line a container of the service, and one for the proxy: `CONTAINER_FIELDS` separated by tabs.

    `docker container inspect` complains about a proxy that is not there; that is an answer, not a failure.
    """
    listing = f"$(docker container ls --all --quiet --filter label=service={config.service})"
    template = "\t".join(CONTAINER_FIELDS)
    inspection = query("docker", "container", "inspect", "--format", template, "kamal-proxy", Raw(listing))
    return inspection.failing_allowed().quietly()


def latest_image(config: Config) -> Command:
    """The identifier of the image tagged latest, or nothing."""
    return query("docker", "image", "inspect", "--format", "{{.ID}}", config.latest_image).failing_allowed().quietly()
