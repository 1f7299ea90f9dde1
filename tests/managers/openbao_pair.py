"""Two real OpenBao with one store (Raft): the first is active, the second a standby."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.managers.openbao import OpenBao, free_port


class OpenBaoPair:
    """The two servers, unsealed, with one root token."""

    def __init__(self, folder: Path) -> None:
        self.active, self.standby = OpenBao(folder / "active"), OpenBao(folder / "standby")
        for server, name in ((self.active, "active"), (self.standby, "standby")):
            store = folder / name / "raft"
            store.mkdir(parents=True)
            cluster = f"127.0.0.1:{free_port()}"
            server.configure(
                f'storage "raft" {{ path = "{store}" node_id = "{name}" performance_multiplier = 1 }}\n'
                f'listener "tcp" {{\n  address = "127.0.0.1:{server.port}"\n  tls_disable = true\n'
                f'  cluster_address = "{cluster}"\n}}\n'
                f'api_addr = "{server.address}"\ncluster_addr = "https://{cluster}"\n'
            )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.active.start()
        keys = self.active.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        key = {"key": keys["keys"][0]}
        self.active.token = self.standby.token = keys["root_token"]
        self.active.call("PUT", "sys/unseal", key)
        self.wait(lambda: self.active.call("GET", "sys/leader")["is_self"])
        self.standby.start()
        self.standby.call("POST", "sys/storage/raft/join", {"leader_api_addr": self.active.address})
        self.standby.call("PUT", "sys/unseal", key)
        self.wait(lambda: self.standby.call("GET", "sys/leader")["leader_address"] == self.active.address)

    def __exit__(self, *raised: object) -> None:
        self.standby.stop()
        self.active.stop()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the servers have come so far; an answer that is an error counts as not yet."""
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise AssertionError("the two servers did not find each other")
            time.sleep(0.1)
