"""A real ACME authority on loopback: Let's Encrypt's test server Pebble, with a name server that knows every name.

It validates by HTTP-01 against the proxy under test. Debian packages both programs as `pebble`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from tests.conformance.proxy_process import Proxy, free_ports, wait_until

QUESTION = b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\3com\0\0\1\0\1"
"""For the address of a.com, as name servers are asked (RFC 1035)."""


class Authority:
    """Started by `start`; `validity_s` is how long its certificates are valid, `http_port` where it validates.

    Listens on `address`; every name leads to `names_lead_to`.
    """

    def __init__(
        self,
        *,
        http_port: int,
        validity_s: int = 90 * 86400,
        address: str = "127.0.0.1",
        names_lead_to: str = "127.0.0.1",
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="acme-"))
        self.directory.chmod(0o755)  # the proxy under test may run as another user
        self._http_port, self._validity_s, self._address = http_port, validity_s, address
        self._port, self._management_port, self._names_port, names_management_port = free_ports(4)
        self.certificate, self._key = self.directory / "server.crt", self.directory / "server.key"
        self._make_certificate()
        self._log_path = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        silent = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4", names_lead_to]
        self._names_url = f"http://127.0.0.1:{names_management_port}"
        management = ["-management", self._names_url.removeprefix("http://")]
        self._names = subprocess.Popen(
            ["pebble-challtestsrv", *silent, "-dns01", f"127.0.0.1:{self._names_port}", *management],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        return f"https://{self._address}:{self._port}/dir"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that makes a proxy use this authority instead of Let's Encrypt."""
        return {"KAMAL_PROXY_ACME_DIRECTORY": self.url, "KAMAL_PROXY_ACME_CA_FILE": str(self.certificate)}

    def start(self) -> Authority:
        """Returns once it answers. A start forgets every account, order and certificate, and makes a new root."""
        configuration = {
            "listenAddress": f"{self._address}:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management_port}",
            "certificate": str(self.certificate),
            "privateKey": str(self._key),
            "httpPort": self._http_port,
            "tlsPort": 1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": self._validity_s,
            "domainBlocklist": ["blocked.example"],
        }
        path = self.directory / "configuration"
        path.write_text(json.dumps({"pebble": configuration}))
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["pebble", "-config", str(path), "-dnsserver", f"127.0.0.1:{self._names_port}"],
                env={"PATH": os.environ["PATH"], "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"},
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._answers, 20)
            self.root.write_text(self._manage("roots/0"))
        except BaseException:
            self.dispose()
            raise
        return self

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=10)

    def hang(self) -> None:
        """Answers nothing from now on, and closes nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def dispose(self) -> None:
        for process in (self._process, self._names):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(timeout=10)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def root(self) -> Path:
        """The root certificate that its certificates are verified by."""
        return self.directory / "root.pem"

    def requested(self, host: str) -> int:
        """Count the validations of this host that the proxy asked for: one for each order that needed one."""
        return self.log().count(f'Identifier:acme.Identifier{{Type:"dns", Value:"{host}"}}')

    @property
    def issued(self) -> int:
        """Count the certificates that were issued since the first start."""
        return self.log().count("Issued certificate serial")

    @property
    def accounts(self) -> int:
        """Count the accounts that were made."""
        return self.log().count("accounts in memory")

    def lose_name(self, host: str) -> None:
        """Make the name server fail to resolve this name."""
        body = json.dumps({"host": f"{host}."}).encode()
        with urllib.request.urlopen(f"{self._names_url}/set-servfail", data=body, timeout=5):
            pass

    def log(self) -> str:
        return self._log_path.read_text()

    def _manage(self, path: str) -> str:
        url = f"https://127.0.0.1:{self._management_port}/{path}"
        with urllib.request.urlopen(url, context=self._context(), timeout=5) as answer:
            return str(answer.read().decode())

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        addresses = [(self._address, self._port), ("127.0.0.1", self._management_port)]
        return all(_is_open(address) for address in addresses) and self._resolves()

    def _resolves(self) -> bool:
        with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", self._names_port))
            probe.send(QUESTION)
            return bool(probe.recv(512))
        return False

    def _make_certificate(self) -> None:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName=IP:127.0.0.1,IP:{self._address}"]
        files = ["-keyout", str(self._key), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", "-x509", *curve, *names, *files], check=True, capture_output=True)


def _is_open(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def store(proxy: Proxy, directory: str) -> Path:
    """Return the directory in which the proxy keeps the certificates of this authority (spec/proxy.md 7.3)."""
    return proxy.home / ".config/kamal-proxy/certs" / hashlib.sha256(directory.encode()).hexdigest()


def serial(proxy: Proxy, authority: Authority, host: str) -> str:
    """Of the certificate that a client gets who verifies it, name included."""
    context = ssl.create_default_context(cafile=str(authority.root))
    with (
        socket.create_connection(("127.0.0.1", proxy.https_port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        certificate = secure.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def handshake_fails(proxy: Proxy, host: str) -> bool:
    try:
        proxy.connect(server_name=host).close()
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def s_client(proxy: Proxy, host: str, *options: str, said: str = "") -> str:
    """Return openssl's output of a handshake that ends with `said`; an empty host sends no name."""
    name = ["-servername", host] if host else ["-noservername"]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.https_port}", *name, *options]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
