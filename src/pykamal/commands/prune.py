"""Removing what old deploys left (spec/cli.md 14.10)."""

from __future__ import annotations

from pykamal.commands.command import Command, command, query
from pykamal.commands.flags import service_filter
from pykamal.commands.words import Raw
from pykamal.config.models.service import Config


def containers(config: Config, retain: int) -> Command:
    """Remove stopped containers of the service but the newest `retain`, over all roles and destinations."""
    states = [word for state in ("created", "exited", "dead") for word in ("--filter", f"status={state}")]
    stopped = query("docker", "ps", "-q", "-a", *service_filter(config.service), *states)
    loop = command("while", Raw("read container_id; do docker rm $container_id; done"))
    return stopped | query("tail", "-n", f"+{retain + 1}") | loop


def dangling_images(config: Config) -> Command:
    return command("docker", "image", "prune", "--force", *service_filter(config.service))


def tagged_images(config: Config) -> Command:
    """Remove images of the service that no container uses, but the one tagged latest."""
    labelled = service_filter(config.service)
    images = query("docker", "image", "ls", *labelled, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    used = query("docker", "container", "ls", "-a", "--format", "{{.Image}}\\|", *labelled)
    used_on_one_line = used | query("tr", "-d", "\\n")
    kept = Raw(f'"$({used_on_one_line}){config.latest_image}\\|{config.repository}:<none>"')
    loop = command("while", Raw("read image tag; do docker rmi $tag; done"))
    return images | query("grep", "-v", "-w", kept) | loop
