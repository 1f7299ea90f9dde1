"""Makes the sandbox's bridge, and a virtual cable from it into every machine's network namespace."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Collection

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes
from pykamal.sandbox.manifest import Machine, Manifest

SUBNETS = [f"10.88.{third}.0/24" for third in range(1, 255)]
PORTS = range(20000, 30000)  # below the kernel's range for outgoing connections


def choose_subnet(preference: int, taken: Collection[str]) -> str:
    """Return a /24 that no interface, route or other sandbox of this machine uses; the same one for the same name."""
    used = [ipaddress.ip_network(subnet) for subnet in taken]
    for route in json.loads(background_processes.run(["ip", "-json", "-4", "route", "show", "table", "all"])):
        if route["dst"] != "default":
            used.append(ipaddress.ip_network(route["dst"], strict=False))
    for offset in range(len(SUBNETS)):
        subnet = ipaddress.ip_network(SUBNETS[(preference + offset) % len(SUBNETS)])
        if not any(subnet.overlaps(other) for other in used):
            return str(subnet)
    raise SandboxError("Every network from 10.88.1.0/24 to 10.88.254.0/24 is in use on this machine")


def choose_port(preference: int, taken: Collection[int]) -> int:
    """Return a free TCP port of the loopback address; for the same name the same one where it is free."""
    for offset in range(len(PORTS)):
        port = PORTS[(preference + offset) % len(PORTS)]
        if port in taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SandboxError("No port is free for the sandbox's registry")


def make_bridge(manifest: Manifest) -> None:
    prefix = manifest.subnet.rpartition("/")[2]
    _ip_batch(
        f"link add name {manifest.bridge} type bridge",
        f'link set dev {manifest.bridge} alias "{manifest.mark}"',
        f"address add {manifest.gateway}/{prefix} dev {manifest.bridge}",
        f"link set dev {manifest.bridge} up",
    )


def connect(manifest: Manifest, machine: Machine, pid: int) -> None:
    """Plug a machine in: `pid` is a process in its network namespace, where the interface is called eth0."""
    prefix = manifest.subnet.rpartition("/")[2]
    _ip_batch(
        f"link add name {machine.link} type veth peer name eth0 netns {pid}",
        f'link set dev {machine.link} alias "{manifest.mark}"',
        f"link set dev {machine.link} master {manifest.bridge} up",
    )
    _ip_batch(
        f"address add {machine.address}/{prefix} dev eth0",
        "link set dev eth0 up",
        inside=("nsenter", "--target", str(pid), "--net"),
    )


def set_cable(machine: Machine, *, plugged: bool) -> None:
    _ip_batch(f"link set dev {machine.link} {'up' if plugged else 'down'}")


def remove(manifest: Manifest) -> None:
    """Remove the bridge and the virtual cables that carry this sandbox's mark. Missing ones are no error."""
    names = {manifest.bridge, *(machine.link for machine in manifest.machines)}
    ours = [
        link["ifname"]
        for link in json.loads(background_processes.run(["ip", "-json", "link", "show"]))
        if link["ifname"] in names and link.get("ifalias") == manifest.mark
    ]
    if ours:
        # A cable may go by itself meanwhile: its other end dies with the namespace.
        _ip_batch(*(f"link delete dev {name}" for name in ours), flags=("-force",), tolerate=True)


def _ip_batch(*lines: str, inside: tuple[str, ...] = (), flags: tuple[str, ...] = (), tolerate: bool = False) -> None:
    try:
        background_processes.run([*inside, "ip", *flags, "-batch", "-"], stdin="\n".join(lines) + "\n")
    except SandboxError:
        if not tolerate:
            raise
