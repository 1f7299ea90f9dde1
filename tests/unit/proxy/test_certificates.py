"""The pure parts of automatic certificates: validity, names, addresses, storage (spec/proxy.md 7.3, 7.4)."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pykamal.proxy.acme.acme_client import retry_after_s
from pykamal.proxy.acme.approval import with_host
from pykamal.proxy.acme.backoff import Backoff
from pykamal.proxy.acme.certificate_spec import PRODUCTION_DIRECTORY, Authority, CertificateSpec, is_issuable
from pykamal.proxy.acme.certificate_store import ACCOUNT, CertificateStore, IssuedCertificate, validity
from pykamal.proxy.acme.manager import CertificateManager, remedy
from pykamal.proxy.acme.socket_server import open_socket
from pykamal.proxy.contract import CONTROL_SOCKET
from pykamal.proxy.dataplane import DataPlane
from pykamal.proxy.service_options import STAGING_DIRECTORY, ServiceOptions, TargetOptions
from pykamal.proxy.service_table import ServiceTable
from pykamal.proxy.services import Service
from pykamal.proxy.state import StateFile, record_of, service_of
from pykamal.proxy.targets import TargetSet

pytestmark = pytest.mark.unit

PRODUCTION = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def certificate(start: datetime, end: datetime) -> IssuedCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.com")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    chain = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return IssuedCertificate.parse(key=pem, chain=chain)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 4, 2, 3, 4, 5, tzinfo=UTC)),
        (datetime(1999, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2050, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)),
    ],
)
def test_validity_is_read_from_both_forms_of_time(start: datetime, end: datetime) -> None:
    """Two digits for the year until 2049, four from 2050 on (RFC 5280, 4.1.2.5)."""
    found = certificate(start, end)
    assert (found.not_before, found.not_after) == (start.timestamp(), end.timestamp())


@pytest.mark.process
@pytest.mark.parametrize("version", ["1", "3"])
def test_validity_of_what_openssl_makes(tmp_path: Path, version: str) -> None:
    """With and without the field that names the version."""
    key, request, made = (tmp_path / name for name in ("key", "request", "certificate"))
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-subj", "/CN=a"]
    subprocess.run([*new, "-out", str(request)], check=True, capture_output=True)
    extensions = tmp_path / "extensions"
    extensions.write_text("basicConstraints=CA:FALSE\n")
    sign = ["openssl", "x509", "-req", "-in", str(request), "-signkey", str(key), "-days", "10", "-out", str(made)]
    subprocess.run([*sign, *(["-extfile", str(extensions)] if version == "3" else [])], check=True, capture_output=True)
    not_before, not_after = validity(made.read_text())
    assert not_after - not_before == 10 * 86400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB////\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_has_no_validity(text: str) -> None:
    """ValueError, whatever the bytes are."""
    with pytest.raises(ValueError, match=r".*"):
        validity(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.com", True),
        ("xn--bcher-kva.example", True),
        ("a-b.c-d.e", True),
        (f"{'a' * 63}.com", True),
        (f"{'a' * 64}.com", False),
        (".".join(["a" * 49] * 6), False),
        ("com", False),
        ("", False),
        ("A.com", False),
        ("a.com.", False),
        (".a.com", False),
        ("a..com", False),
        ("-a.com", False),
        ("a-.com", False),
        ("a_b.com", False),
        ("*.a.com", False),
        ("10.0.0.1", False),
        ("..", False),
        ("a/b.com", False),
        ("a.com\n", False),
        ("bücher.example", False),
    ],
)
def test_names_that_an_authority_can_issue_for(host: str, expected: bool) -> None:
    """They become file names: nothing else may pass."""
    assert is_issuable(host) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/ok", "/ok?host=a.com"),
        ("/ok?token=1", "/ok?token=1&host=a.com"),
        ("/ok?host=b.com&token=&x=%26", "/ok?token=&x=%26&host=a.com"),
        ("https://h:1/x?y=z#f", "https://h:1/x?y=z&host=a.com"),
    ],
)
def test_the_host_is_set_in_the_query(url: str, expected: str) -> None:
    """Other parameters stay, another host goes (7.4)."""
    assert with_host(url, "a.com") == expected


def test_the_store_has_the_layout_of_the_reference(tmp_path: Path) -> None:
    """Production counts as the empty address; private modes; key before chain (7.3)."""
    store = CertificateStore(str(tmp_path / "certs"), "")
    assert store.path == tmp_path / "certs" / PRODUCTION
    now = datetime.now(UTC).replace(microsecond=0)
    issued = certificate(now, now + timedelta(days=90))
    assert (store.read("a.com"), store.account_key()) == (None, "")
    store.write("a.com", issued)
    store.write_account_key("key")
    assert (store.read("a.com"), store.account_key()) == (issued, "key")
    assert (store.path / "a.com").read_text() == issued.key + issued.chain
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.iterdir()}
    assert modes == {"a.com": 0o600, ACCOUNT: 0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (store.path.parent, store.path)] == [0o700, 0o700]


def test_every_failure_has_a_remedy() -> None:
    """With the host or the directory in it where that helps."""
    wanted = CertificateSpec("a.com", "ecdsa", "https://ca/dir", "/certs")
    assert "a.com" in remedy("validation", wanted)
    assert "https://ca/dir" in remedy("unreachable", wanted)
    assert str(wanted.store.path) in remedy("account", wanted)
    assert remedy("somethingNew", wanted)


def a_service() -> Service:
    return Service("s", ServiceOptions(), TargetOptions(), TargetSet(["10.0.0.1"]))


WANTED = CertificateSpec("a.com", "ecdsa", "", "/certs")


def test_pauses_double_up_to_an_hour(tmp_path: Path) -> None:
    """Pauses start at a minute; a limit means an hour at once. A deploy replaces the service and ends them."""
    service, deployed = a_service(), a_service()
    pauses = Backoff(tmp_path / "pauses", {})
    assert pauses.end(WANTED, service) == 0
    lengths = [pauses.fail(WANTED, service, at_a_limit=False) for _ in range(8)]
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert pauses.end(WANTED, service) > time.time() + 3500
    assert pauses.end(WANTED, deployed) == 0
    assert pauses.fail(WANTED, deployed, at_a_limit=False) == 60
    assert pauses.fail(WANTED, deployed, at_a_limit=True) == 3600
    pauses.forget(WANTED)
    assert pauses.fail(WANTED, deployed, at_a_limit=False) == 60


def test_an_authority_says_how_long_a_pause_is(tmp_path: Path) -> None:
    """Between a minute and a week; no deploy ends it, and it is doubled by nothing."""
    pauses = Backoff(tmp_path / "pauses", {})
    asked = (1.0, 7200.0, 1e9, 90.0)
    lengths = [pauses.fail(WANTED, a_service(), at_a_limit=True, asked_s=asked_s) for asked_s in asked]
    assert lengths == [60, 7200, 7 * 86400, 90]
    assert pauses.end(WANTED, a_service()) > time.time() + 80


def test_pauses_outlive_the_process(tmp_path: Path) -> None:
    """Of services that are restored, with their length; not those after denials, nor what a success ended."""
    first, file = Backoff(tmp_path / "pauses", {}), tmp_path / "pauses"
    service, restored = a_service(), a_service()
    denied, done, asked = (CertificateSpec(host, "rsa", "", "/certs") for host in ("b.com", "c.com", "d.com"))
    first.deny(denied, service)
    first.fail(done, service, at_a_limit=False)
    first.fail(asked, service, at_a_limit=True, asked_s=600)
    first.fail(WANTED, service, at_a_limit=False)
    first.forget(done)
    second = Backoff(file, {"s": restored})
    assert [second.end(wanted, restored) for wanted in (denied, done)] == [0, 0]
    assert [second.end(wanted, restored) for wanted in (asked, WANTED)] == [
        first.end(wanted, service) for wanted in (asked, WANTED)
    ]
    assert second.fail(WANTED, restored, at_a_limit=False) == 120
    assert Backoff(file, {}).end(WANTED, restored) == 0
    assert Backoff(file, {}).end(asked, restored) > 0


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", "[{}]", '[{"service": "s", "length_s": "x", "end": 1}]'])
def test_a_broken_file_of_pauses_is_none(tmp_path: Path, text: str) -> None:
    """And the next failure replaces it; where that is impossible the pause holds without it."""
    file = tmp_path / "pauses"
    file.write_text(text)
    assert Backoff(file, {}).fail(WANTED, a_service(), at_a_limit=False) == 60
    assert "a.com" in file.read_text()
    assert Backoff(tmp_path / "none" / "pauses", {}).fail(WANTED, a_service(), at_a_limit=False) == 60


@pytest.mark.parametrize(
    ("value", "expected"), [("", 0), ("120", 120), ("-1", 0), ("soon", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0)]
)
def test_times_to_come_back_at(value: str, expected: float) -> None:
    """Seconds or a date (RFC 9110, 10.2.3)."""
    assert retry_after_s(value) == expected


def test_a_date_to_come_back_at() -> None:
    """A date is converted to the seconds until then."""
    assert 595 < retry_after_s(format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)) <= 600


@pytest.mark.parametrize(
    "tls",
    [
        {"hosts": ["a.com"], "tls_on_demand_url": "", "acme_directory": STAGING_DIRECTORY},
        {"hosts": [""], "tls_on_demand_url": "/ok?token=1", "acme_directory": ""},
    ],
)
def test_saved_services_with_automatic_tls_are_restored(tls: dict[str, object]) -> None:
    """Records of either proxy, without a look at any file; written again they are the same (4)."""
    options = {"path_prefixes": ["/"], "tls_enabled": True, "tls_redirect": True, "acme_cache_path": "/certs", **tls}
    service = service_of({"name": "s", "options": options, "target_options": {}, "active_targets": ["10.0.0.1:80"]})
    assert service.options.is_automatic
    written = record_of(service)["options"]
    assert {key: written[key] for key in options} == options


def test_the_directory_decides_where_certificates_lie() -> None:
    """A service's own before the server's; production under any of its names is the empty one (7.3)."""
    options = ServiceOptions(acme_cache_path="/certs")
    staging = replace(options, acme_directory=STAGING_DIRECTORY)
    private = Authority("https://ca/dir")
    assert CertificateSpec.by(options, "a.com", "ecdsa", Authority()).directory == ""
    assert CertificateSpec.by(options, "a.com", "ecdsa", Authority(PRODUCTION_DIRECTORY)).directory == ""
    assert CertificateSpec.by(options, "a.com", "ecdsa", private).directory_url == "https://ca/dir"
    assert CertificateSpec.by(staging, "a.com", "ecdsa", private).directory_url == STAGING_DIRECTORY
    assert CertificateSpec.by(options, "a.com", "ecdsa", Authority()).directory_url == PRODUCTION_DIRECTORY
    assert CertificateSpec.by(options, "a.com", "rsa", private).file_name == "a.com+rsa"


def test_a_question_while_nginx_is_away_is_not_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The worker that asked is away too, or uses the answer that it has, so the log stays empty."""

    async def ask() -> bytes:
        registry = ServiceTable(DataPlane(str(tmp_path)), StateFile(tmp_path / "state"))
        options = ServiceOptions(hosts=("a.com",), tls_enabled=True, acme_cache_path=str(tmp_path))
        registry.services["s"] = Service("s", options, TargetOptions(), TargetSet(["10.0.0.1"]))
        now = datetime.now(UTC)
        CertificateStore(str(tmp_path), "").write("a.com", certificate(now, now + timedelta(days=90)))
        async with await open_socket(tmp_path, CertificateManager(registry, Authority())):
            reader, writer = await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET)
            writer.write(b'{"ask": "certificate", "service": "s", "host": "a.com", "key_type": "ecdsa"}\n')
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(ask()) == b""
    assert caplog.records == []
