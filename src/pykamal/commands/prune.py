"""Commands that remove old containers and images (spec/cli.md 14.10).

A host may carry several destinations of a service, whose containers and images have the same `service` label. What
belongs to another destination is never removed: it may be what that one is rolled back to, or boots next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.flags import service_filter
from pykamal.commands.words import Output, Syntax, joined
from pykamal.config.models.service import Config

_STOPPED: Final = tuple(word for state in ("created", "exited", "dead") for word in ("--filter", f"status={state}"))

_SURPLUS_CONTAINERS: Final = """
BEGIN { count = split(prefixes, names, " ") }
$2 != "" { group = $1 == destination ? $2 : "" }
$2 == "" { group = ""; for (i = 1; i <= count; i++) if (index($3, names[i] "-exec-") == 1) group = names[i] }
group != "" && ++seen[group] > retain { print $4 }
"""
"""From lines of destination, role, name and id, newest first: the ids of those beyond the newest `retain` of a group.

A group is a role at the destination. What `app exec --detach` left has no label but the image's; it is known by name.
"""

_UNUSED_IMAGES: Final = r"""
NF == 1 { sub("^(index\\.)?docker\\.io/(library/)?", "", $1); used[$1] }
NF == 2 {
  id[$2] = $1
  if ($2 != own && ($2 == latest || index($2, latest "-") == 1)) needed[$1]
}
END {
  for (name in id) {
    stays = name in used || id[name] in used || name == kept || name ~ /:<none>$/
    if (!stays && (!(id[name] in needed) || name == own)) print name
  }
}
"""
"""From lines of one word, the images of containers, and of two, ids and names of the service's images: the names that
no container has and that are not of what another destination has as its latest."""


def containers(config: Config, retain: int) -> Command:
    """Remove stopped containers of the destination but the newest `retain` of each role."""
    fields = '{{.Label "destination"}}\t{{.Label "role"}}\t{{.Names}}\t{{.ID}}'
    stopped = query("docker", "ps", "--all", *service_filter(config.service), *_STOPPED, "--format", fields)
    prefixes = " ".join(role.container_prefix for role in config.roles)
    variables = _variables(destination=config.destination or "", prefixes=prefixes, retain=str(retain))
    surplus = query("awk", "-F", "\t", *variables, _SURPLUS_CONTAINERS)
    line = _stored("stopped", stopped).and_(_lines("stopped") | surplus | _remove_each("container"))
    summary = f"# remove stopped containers of {config.service_with_destination} but the newest {retain} of each role"
    return replace(line, summary=summary)


def dangling_images(config: Config) -> Command:
    return command("docker", "image", "prune", "--force", *service_filter(config.service))


def tagged_images(config: Config) -> Command:
    """Remove images of the service that no container uses, but those tagged latest, whichever destination's."""
    line = _remove_unused_images(config, kept=config.latest_image)
    return replace(line, summary=f"# remove images of {config.service} that nothing uses and that are not the latest")


def all_images(config: Config) -> Command:
    """Remove unused images of the service, the destination's own latest included (`app remove`)."""
    line = _remove_unused_images(config, kept="").and_(dangling_images(config))
    return replace(line, summary=f"# remove images of {config.service} that no container and no other destination uses")


def _remove_unused_images(config: Config, *, kept: str) -> Command:
    """Remove images that no container uses, but for the name `kept`."""
    used = query("docker", "container", "ls", "--all", "--format", "{{.Image}}")
    labelled = service_filter(config.service)
    images = query("docker", "image", "ls", *labelled, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    variables = _variables(own=config.latest_image, latest=f"{config.repository}:latest", kept=kept)
    unused = query("awk", *variables, _UNUSED_IMAGES)
    listed = _stored("used", used).and_(_stored("images", images))
    return listed.and_(_lines("used", "images") | unused | _remove_each("image"))


def _variables(**values: str) -> list[str]:
    """Return flags that set variables of awk."""
    return [word for name, value in values.items() for word in ("-v", f"{name}={value}")]


def _stored(name: str, source: Command) -> Command:
    """Store a command's output in a shell variable, so that its failure ends the line; in a pipe it would not."""
    return query(joined(Syntax(f"{name}="), Output(source)))


def _lines(*names: str) -> Command:
    return query("printf", "%s\\n", *(Syntax(f'"${name}"') for name in names))


def _remove_each(kind: str) -> Command:
    """Remove the items named on standard input. An item that is gone by then is no failure."""
    gone = f'! docker {kind} inspect "$name" > /dev/null 2>&1'
    loop = f'while read -r name; do docker {kind} rm "$name" || {gone} || failed=1; done'
    return command(Syntax(f'{{ failed=0; {loop}; exit "$failed"; }}'))
