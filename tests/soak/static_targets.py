"""Targets that cost next to nothing, so that a shared core is the proxy's: one nginx with a port for each version."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from pykamal.proxy.nginx import find_nginx
from tests.conformance.proxy_process import free_ports, wait_until

_CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/unused;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
{servers}
}}
"""
_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ add_header X-Version {version}; return 200 "{version}"; }}
    }}
"""


class StaticTargets:
    """`addresses[VERSION]` answers every request, health checks too, with 200 and X-Version."""

    def __init__(self, *versions: str) -> None:
        ports = free_ports(len(versions))
        self.addresses = {version: f"127.0.0.1:{port}" for version, port in zip(versions, ports, strict=True)}
        self._folder = Path(tempfile.mkdtemp(prefix="static-targets-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        servers = (
            _SERVER.format(port=address.rpartition(":")[2], version=version)
            for version, address in self.addresses.items()
        )
        configuration = self._folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(folder=self._folder, servers="\n".join(servers)))
        command = [find_nginx(), "-p", str(self._folder), "-c", str(configuration), "-e", "stderr"]
        self._process = subprocess.Popen(command)
        wait_until((self._folder / "pid").exists, 10)
        return self

    def __exit__(self, *raised: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)
