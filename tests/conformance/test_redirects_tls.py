"""Redirects and TLS: spec/proxy.md 23.3 (cases 54 to 74), sections 6 and 7."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.raw_http import Connection
from tests.conformance.scripted_target import Target

MakeCertificate = Callable[[str], tuple[Path, Path]]


def tls_flags(pair: tuple[Path, Path], *hosts: str) -> list[str]:
    certificate, key = pair
    files = ["--tls-certificate-path", str(certificate), "--tls-private-key-path", str(key)]
    return ["--tls", *files, *(f"--host={host}" for host in hosts)]


def served_certificate(connection: Connection) -> bytes:
    assert isinstance(connection.socket, ssl.SSLSocket)
    found = connection.socket.getpeercert(binary_form=True)
    assert found is not None
    return found


def der(certificate: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def test_case_054_the_canonical_host_is_redirected_to(proxy: Proxy, t1: Target) -> None:
    """301 with path and query as received; the canonical host itself is served (6)."""
    proxy.deploy("s", t1, "--host", "c.com,www.c.com", "--canonical-host", "c.com")
    response = proxy.ask("/a//b?c=d", host="www.c.com")
    assert (response.status, response.header("Location")) == (301, "http://c.com/a//b?c=d")
    assert response.header("Connection") == "close"
    assert (response.header("Content-Type") or "").startswith("text/html")
    assert b"http://c.com/a//b?c=d" in response.body
    assert proxy.ask(host="c.com").status == 200


def test_capitals_in_a_canonical_host(proxy: Proxy, t1: Target) -> None:
    """It is the same name as the one among the hosts (5, deviation D6)."""
    proxy.deploy("s", t1, "--host", "C.com,www.c.com", "--canonical-host", "C.com")
    assert proxy.ask(host="c.com").status == 200
    assert proxy.ask("/a", host="www.c.com").header("Location") == "http://C.com/a"


def test_case_055_redirects_of_other_methods_are_empty(proxy: Proxy, t1: Target) -> None:
    """POST gets no body; a port in the host does not make it another host."""
    proxy.deploy("s", t1, "--host", "c.com,www.c.com", "--canonical-host", "c.com")
    response = proxy.ask("/a", host="www.c.com", method="POST", body=b"x")
    assert (response.status, response.body) == (301, b"")
    assert proxy.ask("/a", host="c.com:8080").status == 200


def test_case_056_plain_http_is_redirected_to_https(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """The port is dropped, path and query stay."""
    proxy.deploy("s", t1, *tls_flags(certificates("t.com"), "t.com"))
    response = proxy.ask("/a//b?c=d", host=f"t.com:{proxy.http_port}")
    assert (response.status, response.header("Location")) == (301, "https://t.com/a//b?c=d")
    assert proxy.listing()[0][-1] == "yes"


def test_case_057_https_is_served_with_the_given_certificate(
    proxy: Proxy, t1: Target, certificates: MakeCertificate
) -> None:
    """The target is told the scheme (7.3, 14.1)."""
    pair = certificates("t.com")
    proxy.deploy("s", t1, *tls_flags(pair, "t.com"))
    with proxy.connect(server_name="t.com") as connection:
        assert served_certificate(connection) == der(pair[0])
        response = connection.ask(host="t.com")
    assert response.status == 200
    assert response.seen_header("X-Forwarded-Proto") == "https"


def test_case_058_redirect_can_be_turned_off(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """Both schemes are then served."""
    proxy.deploy("s", t1, *tls_flags(certificates("t.com"), "t.com"), "--tls-redirect=false")
    plain = proxy.ask(host="t.com")
    assert (plain.status, plain.seen_header("X-Forwarded-Proto")) == (200, "http")
    assert proxy.ask(host="t.com", server_name="t.com").status == 200


def test_case_059_two_reasons_make_one_redirect(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """Straight to the canonical host over https."""
    flags = tls_flags(certificates("c.com"), "c.com", "www.c.com")
    proxy.deploy("s", t1, *flags, "--canonical-host", "c.com")
    assert proxy.ask("/x", host="www.c.com").header("Location") == "https://c.com/x"
    over_tls = proxy.ask("/x", host="www.c.com", server_name="www.c.com")
    assert over_tls.header("Location") == "https://c.com/x"


@pytest.mark.parametrize("name", ["e.com", "unknown.com"])
def test_case_060_a_handshake_without_a_tls_service_fails(
    proxy: Proxy, t1: Target, certificates: MakeCertificate, name: str
) -> None:
    """A plain service and an unknown name have no certificate (7.1)."""
    proxy.deploy("t", t1, *tls_flags(certificates("t.com"), "t.com"))
    proxy.deploy("e", t1, "--host", "e.com")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.connect(server_name=name)


def test_case_061_tls_request_for_a_plain_service(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """503 (7.1)."""
    proxy.deploy("t", t1, *tls_flags(certificates("t.com"), "t.com"))
    proxy.deploy("e", t1, "--host", "e.com")
    assert proxy.ask(host="e.com", server_name="t.com").status == 503


def test_case_062_no_server_name(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """The first host of some TLS service is assumed (7.1)."""
    pair = certificates("t.com")
    proxy.deploy("t", t1, *tls_flags(pair, "t.com"))
    with proxy.connect(server_name="") as connection:
        assert served_certificate(connection) == der(pair[0])
        assert connection.ask(host="t.com").status == 200


def test_case_063_a_path_service_takes_the_root_services_tls(
    proxy: Proxy, t1: Target, t2: Target, certificates: MakeCertificate
) -> None:
    """Redirect and TLS flag are copied, the root's certificate serves the whole host (7.2)."""
    proxy.deploy("root", t1, *tls_flags(certificates("t.com"), "t.com"))
    proxy.deploy("api", t2, "--host", "t.com", "--path-prefix", "/api")
    assert proxy.ask("/api/x", host="t.com").header("Location") == "https://t.com/api/x"
    assert proxy.ask("/api/x", host="t.com", server_name="t.com").served_by == "T2"
    assert [row[-1] for row in proxy.listing()] == ["yes", "yes"]


def test_case_064_and_loses_it_with_the_root_service(
    proxy: Proxy, t1: Target, t2: Target, certificates: MakeCertificate
) -> None:
    """Plain HTTP is served again and the handshake fails."""
    proxy.deploy("root", t1, *tls_flags(certificates("t.com"), "t.com"))
    proxy.deploy("api", t2, "--host", "t.com", "--path-prefix", "/api")
    proxy.succeed("remove", "root")
    assert proxy.ask("/api/x", host="t.com").served_by == "T2"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.connect(server_name="t.com")


def test_a_path_service_follows_every_change_of_its_root(
    proxy: Proxy, t1: Target, t2: Target, certificates: MakeCertificate
) -> None:
    """It may be there first; its own redirect flag never counts (7.2)."""
    flags = tls_flags(certificates("t.com"), "t.com")

    def api() -> int:
        return proxy.ask("/api/x", host="t.com").status

    proxy.deploy("api", t2, "--host", "t.com", "--path-prefix", "/api", "--tls-redirect=false")
    assert api() == 200
    proxy.deploy("root", t1, *flags)
    assert api() == 301
    proxy.deploy("api", t2, "--host", "t.com", "--path-prefix", "/api", "--tls-redirect=false")
    assert api() == 301
    proxy.deploy("root", t1, *flags, "--tls-redirect=false")
    assert api() == 200
    proxy.deploy("root", t1, *flags)
    proxy.deploy("root", t1, "--host", "t.com")
    assert api() == 200
    assert [row[-1] for row in proxy.listing()] == ["no", "no"]


def test_case_065_http_2_over_tls(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """ALPN chooses h2 and requests become HTTP/1.1 to the target."""
    curl = shutil.which("curl")
    assert curl, "this case needs curl"
    import subprocess

    proxy.deploy("t", t1, *tls_flags(certificates("t.com"), "t.com"))
    with proxy.connect(server_name="t.com", alpn=["h2", "http/1.1"]) as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        assert connection.socket.selected_alpn_protocol() == "h2"
    url = f"https://t.com:{proxy.https_port}/echo"
    options = ["-sk", "--http2", "--resolve", f"t.com:{proxy.https_port}:127.0.0.1", "-w", "\n%{http_version}"]
    done = subprocess.run([curl, *options, url], capture_output=True, text=True, check=True)
    assert '"name": "T1"' in done.stdout
    assert done.stdout.endswith("\n2")


def test_case_066_old_protocols_are_refused(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """TLS 1.2 and 1.3 only."""
    proxy.deploy("t", t1, *tls_flags(certificates("t.com"), "t.com"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", proxy.https_port)) as plain,
            context.wrap_socket(plain, server_hostname="t.com") as secure,
        ):
            assert secure.version() == version.name.replace("_", ".")


def test_case_067_wildcard_certificates(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """Automatic TLS refuses a wildcard host, certificate files serve it."""
    message = proxy.refuse("deploy", "s", "--target", t1.address, "--tls", "--host", "*.a.com")
    assert message == "automatic TLS does not support wildcards"
    proxy.deploy("s", t1, *tls_flags(certificates("*.a.com"), "*.a.com"))
    assert proxy.ask(host="x.a.com", server_name="x.a.com").status == 200


def test_case_068_challenges_are_answered_before_redirects(proxy: Proxy, t1: Target) -> None:
    """An unknown token is 404, any other path is redirected."""
    proxy.deploy("s", t1, "--tls", "--host", "a.com")
    assert proxy.ask("/.well-known/acme-challenge/zz", host="a.com").status == 404
    assert proxy.ask("/other", host="a.com").status == 301


def test_case_069_certificate_problems(proxy: Proxy, t1: Target, certificates: MakeCertificate, tmp_path: Path) -> None:
    """Missing files, what is no PEM and files that are no pair are refused (3.3); nothing is routed."""
    one, other = certificates("t.com"), certificates("t.com")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    pairs = [(tmp_path / "none", one[1]), (one[0], tmp_path / "none"), (nonsense, one[1]), (one[0], nonsense)]
    for pair in (*pairs, (one[0], other[1]), (one[1], one[0])):
        flags = tls_flags(pair, "t.com")
        assert proxy.refuse("deploy", "s", "--target", t1.address, *flags) == "unable to load certificate"
    assert proxy.listing() == []


@pytest.mark.skipif(not IS_OURS, reason="the reference logs no reason")
def test_the_log_says_what_is_wrong_with_a_certificate(
    proxy: Proxy, t1: Target, certificates: MakeCertificate, tmp_path: Path
) -> None:
    """Both files, and which one is missing."""
    missing = tmp_path / "none"
    certificate, _ = certificates("t.com")
    proxy.refuse("deploy", "s", "--target", t1.address, *tls_flags((certificate, missing), "t.com"))
    line = proxy.log_lines("Unable to load certificate")[-1]
    assert (line["certificate"], line["private_key"]) == (str(certificate), str(missing))
    assert f"No such file or directory: '{missing}'" in line["error"]


def test_words_around_a_certificate_do_not_matter(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """As openssl writes them before it with `-text`, names in whatever encoding (7.3)."""
    certificate, key = certificates("t.com")
    worded = certificate.with_suffix(".worded")
    worded.write_bytes(b"Issuer: CN=M\xfcller\n" + certificate.read_bytes())
    proxy.deploy("s", t1, *tls_flags((worded, key), "t.com"))
    with proxy.connect(server_name="t.com") as connection:
        assert served_certificate(connection) == der(certificate)


def test_case_070_a_stopped_service_still_redirects(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """301, not 503 (6)."""
    proxy.deploy("s", t1, *tls_flags(certificates("t.com"), "t.com"))
    proxy.succeed("stop", "s")
    assert proxy.ask(host="t.com").status == 301
    assert proxy.ask(host="t.com", server_name="t.com").status == 503


def test_case_071_certificates_are_read_at_deploy(proxy: Proxy, t1: Target, certificates: MakeCertificate) -> None:
    """Replaced files need a redeploy (7.3)."""
    pair, new = certificates("t.com"), certificates("t.com")
    old_der = der(pair[0])
    flags = tls_flags(pair, "t.com")
    proxy.deploy("s", t1, *flags)
    for source, destination in zip(new, pair, strict=True):
        shutil.copyfile(source, destination)
    with proxy.connect(server_name="t.com") as connection:
        assert served_certificate(connection) == old_der
    proxy.deploy("s", t1, *flags)
    with proxy.connect(server_name="t.com") as connection:
        assert served_certificate(connection) == der(new[0])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tls", "--tls-on-demand-url=/ok", "--host=a.com"], "cannot set hosts when using a TLS on-demand URL"),
        (["--tls-on-demand-url=/ok"], "TLS must be enabled to use a TLS on-demand URL"),
        (["--tls", "--tls-on-demand-url=ftp://x/"], 'unsupported scheme "ftp" in tls-on-demand-url'),
        (
            ["--tls", "--tls-on-demand-url=//h/x"],
            "tls-on-demand-url must be a path or an absolute http(s) URL",
        ),
        (
            ["--tls", "--tls-on-demand-url=/ok", "--tls-certificate-path=/c", "--tls-private-key-path=/k"],
            "cannot use a custom TLS certificate with a TLS on-demand URL",
        ),
    ],
)
def test_case_074_on_demand_options_are_validated(proxy: Proxy, t1: Target, flags: list[str], message: str) -> None:
    """The combinations of 3.3."""
    refused = proxy.refuse("deploy", "s", "--target", t1.address, *flags)
    assert refused == f"service options invalid: {message}"
