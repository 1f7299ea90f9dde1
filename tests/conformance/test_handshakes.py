"""TLS as clients meet it: choice of certificate, protocols, ciphers, resumption (spec/proxy.md 7.1)."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.acme_authority import s_client
from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.scripted_target import Target

MakeCertificate = Callable[[str], tuple[Path, Path]]


def deploy_tls(proxy: Proxy, service: str, target: Target, pair: tuple[Path, Path], *hosts: str) -> bytes:
    """Deploys with certificate files; returns the certificate."""
    certificate, key = pair
    files = ["--tls-certificate-path", str(certificate), "--tls-private-key-path", str(key)]
    proxy.deploy(service, target, "--tls", *files, *(f"--host={host}" for host in hosts))
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def served(proxy: Proxy, name: str) -> bytes | None:
    """The certificate that a client with this server name gets; an empty one sends none."""
    with proxy.connect(server_name=name) as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        return connection.socket.getpeercert(binary_form=True)


def test_the_name_chooses_the_certificate(
    proxy: Proxy, t1: Target, t2: Target, t3: Target, certificates: MakeCertificate
) -> None:
    """The exact host before its wildcard; one level only; other names have none (7.1, 5)."""
    exact = deploy_tls(proxy, "exact", t1, certificates("a.w.com"), "a.w.com")
    wild = deploy_tls(proxy, "wild", t2, certificates("*.w.com"), "*.w.com")
    other = deploy_tls(proxy, "other", t3, certificates("o.com"), "o.com", "www.o.com")
    names = {"a.w.com": exact, "b.w.com": wild, "o.com": other, "www.o.com": other}
    assert {name: served(proxy, name) for name in names} == names
    for name in ("a.b.w.com", "w.com", "x.o.com"):
        assert "alert internal error" in s_client(proxy, name)


@pytest.mark.skipif(not IS_OURS, reason="the reference compares byte for byte (deviation D6)")
@pytest.mark.parametrize("name", ["T.COM", "t.com."])
def test_names_are_compared_without_case_and_final_dot(
    proxy: Proxy, t1: Target, certificates: MakeCertificate, name: str
) -> None:
    """Like host names (7.1, D6)."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    assert "BEGIN CERTIFICATE" in s_client(proxy, name)


def test_names_inside_a_certificate_are_not_compared(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """It is the operator's choice; the client decides what it believes (7.3)."""
    pair = certificates("something-else.com")
    assert deploy_tls(proxy, "s", t1, pair, "t.com") == served(proxy, "t.com")
    assert proxy.ask(host="t.com", server_name="t.com").status == 200


def test_a_path_service_is_never_the_one_without_a_name(
    proxy: Proxy, t1: Target, t2: Target, certificates: MakeCertificate
) -> None:
    """It has no certificate; the root service of its host answers (7.1, 7.2)."""
    certificate = deploy_tls(proxy, "root", t1, certificates("t.com"), "t.com")
    proxy.deploy("api", t2, "--host", "t.com", "--path-prefix", "/api")
    assert [served(proxy, "") for _ in range(4)] == [certificate] * 4


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        (["-tls1_3"], "TLSv1.3, Cipher is TLS_"),
        (["-tls1_2"], "TLSv1.2, Cipher is ECDHE-"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"),
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], None),
        (["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], None),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], None),
        (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], None),
    ],
)
def test_case_066_protocols_and_ciphers(
    proxy: Proxy, t1: Target, certificates: MakeCertificate, options: list[str], agreed: str | None
) -> None:
    """TLS 1.2 and 1.3; with 1.2 only forward secrecy and authenticated encryption."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    said = s_client(proxy, "t.com", *options)
    assert (agreed or "Cipher is (NONE)") in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_resume_without_tickets_of_a_lasting_key(
    proxy: Proxy, t1: Target, certificates: MakeCertificate, tmp_path: Path, version: str
) -> None:
    """Session state stays in the proxy's memory: a key that leaks later opens no recorded traffic."""
    deploy_tls(proxy, "s", t1, certificates("t.com"), "t.com")
    session = str(tmp_path / "session")
    request = "GET /echo HTTP/1.1\r\nHost: t.com\r\nConnection: close\r\n\r\n"
    first = s_client(proxy, "t.com", version, "-sess_out", session, "-ign_eof", said=request)
    assert "New, TLS" in first
    assert len(ticket_lines(first)) <= 2, "a stateless ticket carries the whole session, many lines of it"
    again = s_client(proxy, "t.com", version, "-sess_in", session, "-ign_eof", said=request)
    assert "Reused, TLS" in again
    assert "HTTP/1.1 200" in again


def ticket_lines(said: str) -> list[str]:
    """The hexadecimal lines of the last ticket that openssl shows."""
    lines = said.splitlines()
    start = max((number for number, line in enumerate(lines) if "TLS session ticket:" in line), default=len(lines))
    return [line for line in lines[start + 1 :] if line.strip()[:4].isdigit() and " - " in line]


@pytest.mark.skipif(not IS_OURS or os.geteuid() != 0, reason="needs to become somebody else")
def test_files_for_everybody_are_read_by_a_proxy_of_uid_1000(
    own_proxy: Proxy, t1: Target, certificates: MakeCertificate
) -> None:
    """As in the container, where Ruby Kamal puts the files with mode 0644; a key for root alone is refused (3.3)."""
    shutil.copytree(own_proxy.sources, own_proxy.home / "src", ignore=shutil.ignore_patterns("__pycache__"))
    own_proxy.sources = own_proxy.home / "src"
    become = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
    own_proxy.command = [*become, "/usr/bin/python3", "-m", "pykamal.proxy"]
    own_proxy.start()
    pair = own_proxy.home / "cert.pem", own_proxy.home / "key.pem"
    for source, copy in zip(certificates("t.com"), pair, strict=True):
        shutil.copyfile(source, copy)
        copy.chmod(0o644)
    assert deploy_tls(own_proxy, "s", t1, pair, "t.com") == served(own_proxy, "t.com")
    pair[1].chmod(0o600)
    files = ["--tls-certificate-path", str(pair[0]), "--tls-private-key-path", str(pair[1])]
    refused = own_proxy.refuse("deploy", "s", "--target", t1.address, "--tls", "--host", "t.com", *files)
    assert refused == "unable to load certificate"
