"""`python -m benchmarks.secret_managers`: secrets of OpenBao, against hvac and against `bao kv get` with Ruby Kamal.

200 secrets that deploy.yml declares are read by `kamal secrets print`, and by hvac one after another, each as a process
from start to end. Both also read them through a relay that holds every request back, which shows how often each waits.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.managers.openbao import BINARY, OpenBao
from yaml import safe_dump

from benchmarks.measure import Cost, medians, run
from benchmarks.project import KAMAL, ROOT, RUBY_KAMAL
from benchmarks.table import Row, render

SECRETS: Final = 200
ROUNDS: Final = 5
ROUND_TRIP_S: Final = 0.25
TRIPS: Final = 2
"""The round trips that 200 secrets may cost."""

PEER_PYTHON: Final = ROOT / ".cache" / "bench" / "bin" / "python"
ONE_AFTER_ANOTHER: Final = f"""
import hvac, os
client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])
for number in range({SECRETS}):
    client.secrets.kv.v2.read_secret_version(path=f"shop/{{number}}", raise_on_deleted_version=True)
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="pykamal-bench-") as name:
        folder = Path(name)
        server = OpenBao(folder / "openbao").start()
        try:
            for number in range(SECRETS):
                server.call("POST", f"secret/data/shop/{number}", {"data": {"value": f"secret {number}"}})
            rows, kept = measured(server, folder)
        finally:
            server.stop()
    print(render(rows, peer="peer"))
    return 0 if kept and all(row.kept for row in rows) else 1


def measured(server: OpenBao, folder: Path) -> tuple[list[Row], bool]:
    """The rows, and whether the waiting is what was promised."""
    environment = {**os.environ, "VAULT_ADDR": server.address, "VAULT_TOKEN": server.token, "HOME": str(folder)}
    many, many_peer = both(folder, environment)
    fetch = [str(KAMAL), "secrets", "fetch", "--adapter", "vault", "secret/shop/1/value"]
    read = [str(BINARY), "kv", "get", "-field=value", "secret/shop/1"]
    one, one_read, one_start = [], [], []
    for _ in range(ROUNDS):
        one.append(run(fetch, directory=folder, environment=environment))
        one_read.append(run(read, directory=folder, environment=environment))
        one_start.append(run([str(RUBY_KAMAL), "version"], directory=folder, environment=environment))
    with delayed(server.port) as port:
        far = {**environment, "VAULT_ADDR": f"http://127.0.0.1:{port}"}
        slow, slow_peer = both(folder, far, rounds=1)
    waited = (slow.seconds - many.seconds) / ROUND_TRIP_S
    waited_peer = (slow_peer.seconds - many_peer.seconds) / ROUND_TRIP_S
    kept = waited <= TRIPS + 1  # the measurement itself is not exact
    print(
        f"{SECRETS} declared secrets took {many.seconds:.2f} s and waited for {waited:.1f} round trips; "
        f"{TRIPS} promised: {'kept' if kept else 'MISSED'}"
    )
    peer = medians(one_read).seconds + medians(one_start).seconds
    return [
        Row(f"{SECRETS} declared secrets (hvac)", "s", many.seconds, many_peer.seconds, 1.0),
        Row("round trips of them (hvac)", "", waited, waited_peer, 0.05),
        Row("secrets fetch of one (bao kv get, Ruby Kamal)", "s", medians(one).seconds, peer, 0.35),
    ], kept


def both(folder: Path, environment: Mapping[str, str], *, rounds: int = ROUNDS) -> tuple[Cost, Cost]:
    """The medians of ours and of hvac's."""
    write_project(folder, environment["VAULT_ADDR"])
    ours, peer = [], []
    for _ in range(rounds):
        ours.append(run([str(KAMAL), "secrets", "print"], directory=folder, environment=environment))
        peer.append(run([str(PEER_PYTHON), "-c", ONE_AFTER_ANOTHER], directory=folder, environment=environment))
    return medians(ours), medians(peer)


def write_project(folder: Path, address: str) -> None:
    provider = {"adapter": "vault", "address": address, "auth": {"token_from": "VAULT_TOKEN"}}
    places = {f"SECRET_{number}": f"vault:secret/shop/{number}#value" for number in range(SECRETS)}
    settings = {
        "service": "shop",
        "image": "acme/shop",
        "servers": ["192.0.2.1"],
        "registry": {"server": "localhost:5555"},
        "builder": {"arch": "amd64"},
        "x-pykamal": {"secrets": {"providers": {"vault": provider}, "from": places}},
    }
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "deploy.yml").write_text(safe_dump(settings, sort_keys=False))


@contextmanager
def delayed(port: int) -> Iterator[int]:
    """A relay to a port of this machine that holds back what a client sends for the time of a round trip."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        yield int(listener.getsockname()[1])


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_copy, args=(client, server, ROUND_TRIP_S), daemon=True).start()
        threading.Thread(target=_copy, args=(server, client, 0.0), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket, delay_s: float) -> None:
    try:
        while part := source.recv(1 << 16):
            time.sleep(delay_s)
            target.sendall(part)
    except OSError:
        return
    finally:
        target.close()


if __name__ == "__main__":
    sys.exit(main())
