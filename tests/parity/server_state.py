"""All that a deploy leaves on a server, as plain data that is equal when two servers are in the same state.

Names that are different in every run are replaced: versions by `V1`, `V2`, ... as the caller counts them, container ids
by the container's name, random suffixes by `HEX6`, `HEX12` and `HEX16`, times by `TIME`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
REPLACED = re.compile(r"_replaced_[0-9a-f]{16}")
EXEC_SUFFIX = re.compile(r"(-exec-[\w.-]+-)[0-9a-f]{6}\b")
HOSTNAME_SUFFIX = re.compile(r"-[0-9a-f]{12}$")
MANIFESTS = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json"
PROXY_STATE = "/var/lib/docker/volumes/kamal-proxy-config/_data/kamal-proxy.state"

State = dict[str, Any]


def read(host: Host, versions: Mapping[str, str]) -> State:
    """Containers (oldest first), images, networks, volumes, the proxy's services and every file of the login's home.

    `versions` has the short name of every version that may occur: `{"0b5c...": "V1"}`.
    """
    inspected = _inspect(host, "container", host.docker("ps", "--all", "--quiet", "--no-trunc").split())
    inspected.sort(key=lambda container: str(container["Created"]))
    raw = {
        "containers": [_container(container) for container in inspected],
        "images": _images(host),
        "networks": _networks(host),
        "volumes": sorted(host.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").splitlines()),
        "proxy": _proxy(host),
        "files": _files(host),
    }
    names = {container["Id"]: container["Name"].removeprefix("/") for container in inspected}
    state: State = json.loads(_renamed(json.dumps(raw), names, versions))
    state["images"].sort(key=lambda image: str(image["name"]))
    return state


def published(sandbox: Sandbox, repository: str, tags: Iterable[str]) -> dict[str, str | None]:
    """The digest that each tag has in the registry, or None."""
    return {tag: _digest(sandbox, repository, tag) for tag in tags}


def _digest(sandbox: Sandbox, repository: str, tag: str) -> str | None:
    found = sandbox.manifest
    login = base64.b64encode(f"{found.registry_username}:{found.registry_password}".encode()).decode()
    headers = {"Accept": MANIFESTS, "Authorization": f"Basic {login}"}
    url = f"http://{found.registry_server}/v2/{repository}/manifests/{tag}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD", headers=headers)) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 404:
            raise
        return None


def differences(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Compare two states: the path of each different value, and the value on each side (None where there is none)."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            yield from differences(left.get(key), right.get(key), f"{path}/{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one, other, f"{path}/{_label(one, index)}")
    elif left != right:
        yield path, left, right


def _label(entry: Any, index: int) -> str:
    return str(entry["name"]) if isinstance(entry, dict) and "name" in entry else str(index)


def _container(container: Mapping[str, Any]) -> State:
    """Return the complete configuration of a container and its state."""
    config = {**container["Config"], "Hostname": HOSTNAME_SUFFIX.sub("-HEX12", container["Config"]["Hostname"])}
    if config["Hostname"] == container["Id"][:12]:
        config["Hostname"] = "(the container's id)"
    state = container["State"]
    return {
        "name": container["Name"].removeprefix("/"),
        "state": {"status": state["Status"], "exit code": state["ExitCode"], "out of memory": state["OOMKilled"]},
        "config": {**config, "Env": sorted(config["Env"])},
        "host config": {**container["HostConfig"], "Binds": sorted(container["HostConfig"]["Binds"] or [])},
        "mounts": sorted(container["Mounts"], key=lambda mount: str(mount["Destination"])),
        "networks": {
            name: {"aliases": network["Aliases"], "links": network["Links"], "options": network["DriverOpts"]}
            for name, network in container["NetworkSettings"]["Networks"].items()
        },
    }


def _images(host: Host) -> list[State]:
    """Tags by image, so that it shows which version `latest` is."""
    found = _inspect(host, "image", sorted(set(host.docker("image", "ls", "--quiet", "--no-trunc").split())))
    return [
        {
            "name": " ".join(sorted(image["RepoTags"])) or "(no tag)",
            "labels": image["Config"].get("Labels"),
            "pulled from": sorted({digest.partition("@")[0] for digest in image["RepoDigests"]}),
        }
        for image in found
    ]


def _networks(host: Host) -> State:
    found = _inspect(host, "network", host.docker("network", "ls", "--quiet").split())
    return {
        network["Name"]: {key: network[key] for key in ("Driver", "Internal", "Attachable", "Options", "Labels")}
        for network in found
    }


def _proxy(host: Host) -> State:
    """Return the proxy's list of services, and the state that it would restart from."""
    listed = host.docker("exec", "kamal-proxy", "kamal-proxy", "list", check=False)
    kept = json.loads(host.read(PROXY_STATE)) if host.exists(PROXY_STATE) else []
    rows = [line.split() for line in ANSI.sub("", listed).splitlines()]
    return {"list": rows, "state": sorted(kept, key=lambda service: str(service["name"]))}


def _files(host: Host) -> State:
    """Everything under the home directory but the keys and caches, which no deploy is concerned with."""
    archive = host.run(["tar", "-c", "-C", "/", "--exclude=root/.ssh", "--exclude=root/.cache", "root"])
    files: State = {}
    with tarfile.open(fileobj=io.BytesIO(archive.encode())) as entries:
        for entry in entries:
            found: State = {**_access(entry), "link": entry.linkname}
            content = entries.extractfile(entry) if entry.isfile() else None
            if content is not None:
                found["lines"] = TIME.sub("TIME", _readable(entry.name, content.read())).split("\n")
            files[f"/{entry.name}"] = found
    return files


def _access(entry: tarfile.TarInfo) -> State:
    """Owner and mode. In `.kamal` those of the owner alone: ours closes it to others (docs/differences.md)."""
    if ".kamal" in entry.name.split("/"):
        return {"mode": f"{entry.mode & 0o700:o}", "owner": entry.uname}
    return {"mode": f"{entry.mode:o}", "owner": f"{entry.uname}:{entry.gname}"}


def _readable(path: str, content: bytes) -> str:
    """The text of a file; a lock's holder is written down in base64."""
    if not re.search(r"/lock-[^/]+/details$", path):
        return content.decode()
    widths = [len(line) for line in content.split(b"\n")]
    return f"{base64.b64decode(content).decode()}\nin lines of {widths}"


def _renamed(text: str, names: Mapping[str, str], versions: Mapping[str, str]) -> str:
    for identifier, name in names.items():
        text = text.replace(identifier, name).replace(identifier[:12], name)
    for version, short in versions.items():
        text = text.replace(version, short)
    return EXEC_SUFFIX.sub(r"\1HEX6", REPLACED.sub("_replaced_HEX16", text))


def _inspect(host: Host, kind: str, identifiers: list[str]) -> list[dict[str, Any]]:
    if not identifiers:
        return []
    found: list[dict[str, Any]] = json.loads(host.docker(kind, "inspect", *identifiers))
    return found
