"""The control plane's process: restores the services, answers the clients, keeps addresses and nginx up to date."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pykamal.proxy.acme.certificate_spec import Authority
from pykamal.proxy.acme.manager import CertificateManager
from pykamal.proxy.acme.socket_server import open_socket
from pykamal.proxy.command_handlers import perform
from pykamal.proxy.contract import STATE_FILE
from pykamal.proxy.dataplane import DataPlane
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.json_log import log
from pykamal.proxy.runtime_paths import data_directory, socket_path, temporary_directory
from pykamal.proxy.service_table import ServiceTable
from pykamal.proxy.state import StateFile, service_of
from pykamal.proxy.workers import end_hanging_workers

REFRESH_S = 1.0
REFRESH_FOR_EACH_TARGET_S = 0.01
SUSPECTS_S = 0.5
FIRST_LOOK_UP_S = 3.0
LINE_LIMIT_BYTES = 16 * 1024 * 1024


async def control(run_directory: Path, ready_descriptor: int) -> None:
    """Runs until its process is killed or the supervisor is gone.

    Writes `r` to `ready_descriptor` once a snapshot lies in `run_directory` (at the start, and again after each
    SIGUSR1), and `s` once clients are answered.
    """
    gc.disable()  # it would look through thousands of half-read records again and again
    sockets = _short_name(run_directory)
    data_plane = DataPlane(str(sockets))
    state_file = StateFile(_data_directory() / STATE_FILE)
    registry = ServiceTable(data_plane, state_file)
    await _restore(registry, state_file)

    catching_up: set[asyncio.Task[None]] = set()

    def prepare() -> None:
        try:
            _write_snapshot(run_directory, registry)
        except OSError as problem:
            # nginx starts with the last one that fitted on the disk, and is told the rest once it answers.
            log("ERROR", "Unable to write snapshot", error=str(problem))
            catching_up.add(asyncio.create_task(registry.publish_all()))
        os.write(ready_descriptor, b"r")

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, prepare)
    prepare()
    await registry.publish_all()
    certificates = CertificateManager(registry, _authority())
    certificate_socket = await open_socket(sockets, certificates)
    server = await _listen(registry)
    os.write(ready_descriptor, b"s")
    gc.freeze()  # what was restored stays
    gc.enable()
    async with certificate_socket, server, asyncio.TaskGroup() as tasks:
        tasks.create_task(certificates.keep_renewed())
        tasks.create_task(registry.prepare_state())
        tasks.create_task(_keep_addresses(registry))
        tasks.create_task(_heed_suspects(registry))
        tasks.create_task(end_hanging_workers(data_plane))
        await _until_alone()
        await _kill_nginx(run_directory)
        os._exit(1)


def _short_name(directory: Path) -> Path:
    """A shorter name for it: the address of a socket has 107 bytes."""
    return Path(f"/proc/self/fd/{os.open(directory, os.O_RDONLY)}")


def _authority() -> Authority:
    return Authority(
        directory=os.environ.get("KAMAL_PROXY_ACME_DIRECTORY", ""),
        ca_file=os.environ.get("KAMAL_PROXY_ACME_CA_FILE", ""),
    )


def _data_directory() -> Path:
    directory = Path(data_directory())
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Path(temporary_directory())
    return directory


async def _restore(registry: ServiceTable, state_file: StateFile) -> None:
    try:
        saved = state_file.read()
    except OSError as problem:
        # To begin without services would be to write a file without them soon.
        log("ERROR", "Unable to read saved state", error=str(problem), uid=os.geteuid())
        sys.exit(1)
    if saved is None:
        log("INFO", "No previous state to restore")
        return
    if saved.damage:
        log("ERROR", "Unable to restore saved state", error=saved.damage, recovered=len(saved.records))
    known = await registry.data_plane.target_ids()
    for record in saved.records:
        name = str(record.get("name"))
        try:
            service = service_of(record)
        except (ProxyError, TypeError, ValueError) as problem:
            log("ERROR", "Unable to restore service", service=name, error=str(problem))
            state_file.unusable[name] = record
            continue
        for targets, ids in zip(service.sets, known.get(name, []), strict=False):
            targets.adopt_ids(ids)
        registry.services[name] = service
    # Addresses are handed out anew after a reboot: a saved name is trusted only as far as it resolves now.
    look_ups = [target.resolve() for _, target in registry.installed_targets()]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FIRST_LOOK_UP_S):
            await asyncio.gather(*look_ups)
    for service in registry.services.values():
        for targets in service.sets:
            if len(targets.targets) > 1:
                registry.start_checks(service.name, targets, of=service)
    log("INFO", "Restored saved state", services=len(registry.services))


def _write_snapshot(run_directory: Path, registry: ServiceTable) -> None:
    documents = [{"name": name, "document": text} for name, text in registry.documents().items()]
    temporary = run_directory / ".snapshot.json.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(documents, file)
    temporary.replace(run_directory / "snapshot.json")


async def _listen(registry: ServiceTable) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that leaves does not end what it asked for.
        work = asyncio.create_task(_answer(registry, await reader.readline()))
        running.add(work)
        work.add_done_callback(running.discard)
        with contextlib.suppress(OSError):
            writer.write(json.dumps(await work).encode() + b"\n")
            await writer.drain()
        writer.close()

    running: set[asyncio.Task[dict[str, str]]] = set()
    path = Path(socket_path())
    path.unlink(missing_ok=True)
    return await asyncio.start_unix_server(answer, path, limit=LINE_LIMIT_BYTES)


async def _answer(registry: ServiceTable, line: bytes) -> dict[str, str]:
    try:
        request: dict[str, Any] = json.loads(line)
        output = await perform(registry, request["command"], request["service"], request["values"], request["given"])
    except ProxyError as problem:
        return {"error": str(problem), "output": ""}
    except (LookupError, TypeError, ValueError) as problem:
        return {"error": f"malformed request: {problem!r}", "output": ""}
    return {"error": "", "output": output}


async def _keep_addresses(registry: ServiceTable) -> None:
    while True:
        count = sum(1 for _ in registry.installed_targets())
        await asyncio.sleep(max(REFRESH_S, count * REFRESH_FOR_EACH_TARGET_S))
        await _look_up_again(registry, None)


async def _heed_suspects(registry: ServiceTable) -> None:
    while True:
        await asyncio.sleep(SUSPECTS_S)
        suspects = await registry.data_plane.suspects()
        suspects |= {target.id for _, target in registry.installed_targets() if not target.address}
        if suspects:
            await _look_up_again(registry, suspects)


async def _look_up_again(registry: ServiceTable, ids: set[str] | None) -> None:
    for service, target in list(registry.installed_targets()):
        if target.is_literal or (ids is not None and target.id not in ids):
            continue
        if await target.resolve() or registry.gives_up_contested_address(target):
            log("INFO", "Target address changed", service=service.name, target=target.name, address=target.address)
            await registry.publish_targets(service.name)


async def _until_alone() -> None:
    """Returns when the supervisor is gone: it alone holds the other end of our standard input."""
    alone = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, alone.set)
    await alone.wait()


async def _kill_nginx(run_directory: Path) -> None:
    """Also where it was started so lately that its process id is not written down yet."""
    for _ in range(20):
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((run_directory / "nginx.pid").read_text()), signal.SIGKILL)
            return
        await asyncio.sleep(0.1)


def main() -> None:
    """The process as the supervisor starts it: its arguments are the run directory and the ready descriptor."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(control(Path(sys.argv[1]), int(sys.argv[2])))
