"""Automatic certificates from a real authority: spec/proxy.md 7.3, with the clients that people use."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance.acme_authority import Authority, handshake_fails, s_client, serial, store
from tests.conformance.proxy_process import IS_OURS, Proxy, find_child, is_running, wait_until
from tests.conformance.refusing_authority import RefusingAuthority
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference knows no authority but Let's Encrypt")

STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@pytest.fixture
def proxy(acme_proxy: Proxy) -> Proxy:
    return acme_proxy


def test_a_certificate_is_issued_at_the_first_handshake(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """Lazily, not at the deploy; curl verifies the chain and the name, and is served over HTTP/2."""
    proxy.deploy("s", t1, "--tls", "--host", "first.com")
    assert authority.requested("first.com") == 0
    url = f"https://first.com:{proxy.https_port}/echo"
    resolve = f"first.com:{proxy.https_port}:127.0.0.1"
    command = ["curl", "-sS", "--cacert", str(authority.root), "--resolve", resolve, "-w", "\n%{http_version}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert '"name": "T1"' in done.stdout
    assert done.stdout.endswith("\n2")
    assert authority.requested("first.com") == 1
    issued = proxy.log_lines("Certificate issued")[-1]
    assert (issued["service"], issued["host"], issued["key_type"]) == ("s", "first.com", "ecdsa")


def test_files_are_private_and_in_the_layout_of_the_reference(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """Directories 0700, files 0600; the key before the chain; names by domain (7.3). The state tells where (4)."""
    proxy.deploy("s", t1, "--tls", "--host", "layout.com")
    serial(proxy, authority, "layout.com")
    directory = store(proxy, authority.url)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory.parent, directory)] == [0o700, 0o700]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    lines = (directory / "layout.com").read_text().splitlines()
    blocks = [line.strip("-").removeprefix("BEGIN ") for line in lines if "BEGIN" in line]
    assert blocks == ["EC PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]
    assert "EC PRIVATE KEY" in (directory / "acme_account+key").read_text().splitlines()[0]
    (record,) = json.loads(proxy.state_path.read_text())
    assert (record["options"]["acme_directory"], record["options"]["tls_enabled"]) == ("", True)
    assert record["options"]["acme_cache_path"] == str(directory.parent)


def test_handshakes_at_the_same_time_share_one_order(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """Twelve clients, one certificate."""
    proxy.deploy("s", t1, "--tls", "--host", "crowd.com")
    with ThreadPoolExecutor(12) as pool:
        serials = set(pool.map(lambda _: serial(proxy, authority, "crowd.com"), range(12)))
    assert len(serials) == 1
    assert authority.requested("crowd.com") == 1


def test_clients_without_ecdsa_get_a_certificate_of_their_own(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """An RSA key, stored as `<domain>+rsa`; others keep ECDSA (7.3)."""
    proxy.deploy("s", t1, "--tls", "--host", "old.com")
    serial(proxy, authority, "old.com")
    said = s_client(proxy, "old.com", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    assert "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in said
    assert "RSA PRIVATE KEY" in (store(proxy, authority.url) / "old.com+rsa").read_text()
    assert "Cipher is ECDHE-ECDSA-" in s_client(proxy, "old.com", "-tls1_2")
    assert "Peer signature type: RSA-PSS" in s_client(proxy, "old.com", "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
    assert "Peer signature type: RSA" in s_client(proxy, "old.com", "-tls1_2", "-sigalgs", "RSA+SHA256")
    assert "Peer signature type: ECDSA" in s_client(proxy, "old.com", "-tls1_3")
    issued = [line["key_type"] for line in proxy.log_lines("Certificate issued") if line["host"] == "old.com"]
    assert issued == ["ecdsa", "rsa"]


@pytest.mark.parametrize("state", ["stop", "pause"])
def test_a_service_that_does_not_serve_still_gets_its_certificate(
    proxy: Proxy, authority: Authority, t1: Target, state: str
) -> None:
    """The challenge is answered before redirects, pause and stop (6, 7.3)."""
    proxy.deploy("s", t1, "--tls", "--host", f"{state}ped.com")
    proxy.succeed(state, "s")
    assert serial(proxy, authority, f"{state}ped.com")
    assert not [seen for seen in t1.requests if "acme-challenge" in seen.target]


def test_challenges_are_the_proxys_own(proxy: Proxy, authority: Authority, t1: Target, t2: Target) -> None:
    """Taken also where another service holds the path's prefix, and where plain HTTP is served (7.3, case 68)."""
    proxy.deploy("s", t1, "--tls", "--tls-redirect=false", "--host", "taken.com")
    proxy.deploy("w", t2, "--host", "taken.com", "--path-prefix", "/.well-known")
    response = proxy.ask("/.well-known/acme-challenge/zz", host="taken.com")
    assert (response.status, response.header("Content-Type")) == (404, "text/plain; charset=utf-8")
    assert proxy.ask("/.well-known/other", host="taken.com").served_by == "T2"
    assert serial(proxy, authority, "taken.com")
    assert proxy.access_log("/.well-known/acme-challenge/zz")[0]["service"] == "w"
    assert not t1.requests


def test_services_with_files_do_not_take_challenges(
    proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """They are redirected like everything else (7.3)."""
    certificate, key = certificates("files.com")
    files = ["--tls-certificate-path", str(certificate), "--tls-private-key-path", str(key)]
    proxy.deploy("s", t1, "--tls", "--host", "files.com", *files)
    assert proxy.ask("/.well-known/acme-challenge/zz", host="files.com").status == 301


def test_a_client_without_a_name_gets_the_first_host(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """And the log says so (7.1)."""
    proxy.deploy("s", t1, "--tls", "--host", "nameless.com,other.com")
    assert "BEGIN CERTIFICATE" in s_client(proxy, "")
    assert authority.requested("nameless.com") == 1
    assert authority.requested("other.com") == 0
    assert proxy.log_lines("TLS handshake without a server name")[-1]["service"] == "s"


def test_what_cannot_be_validated_is_logged_with_its_remedy(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """The handshake fails with an alert; a second one does not order again; a redeploy does at once."""
    authority.lose_name("lost.com")
    proxy.deploy("s", t1, "--tls", "--host", "lost.com")
    assert "alert internal error" in s_client(proxy, "lost.com")
    (line,) = [line for line in proxy.log_lines("Unable to obtain certificate") if line["host"] == "lost.com"]
    assert (line["level"], line["kind"], line["retry_in"]) == ("ERROR", "validation", "1m0s")
    assert "DNS" in line["remedy"]
    assert "port 80" in line["remedy"]
    assert handshake_fails(proxy, "lost.com")
    requests = authority.requested("lost.com")
    time.sleep(2.5)  # longer than nginx remembers a refusal by itself
    assert handshake_fails(proxy, "lost.com")
    assert authority.requested("lost.com") == requests == 1
    proxy.deploy("s", t1, "--tls", "--host", "lost.com")
    wait_until(lambda: handshake_fails(proxy, "lost.com") and authority.requested("lost.com") == 2, 20)


def test_what_the_authority_refuses_is_logged_with_its_word(proxy: Proxy, t1: Target) -> None:
    """`rejectedIdentifier` for a name on its list."""
    proxy.deploy("s", t1, "--tls", "--host", "blocked.example")
    assert handshake_fails(proxy, "blocked.example")
    (line,) = [line for line in proxy.log_lines("Unable to obtain certificate") if line["host"] == "blocked.example"]
    assert line["kind"] == "rejectedIdentifier"
    assert "blocked.example" in line["remedy"]


def test_a_failure_is_not_repeated_after_a_restart(own_proxy: Proxy, t1: Target) -> None:
    """A proxy that starts again and again must not use up what an authority allows; a deploy still helps at once."""
    authority = RefusingAuthority(403, "unauthorized")
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "again.com")
        assert handshake_fails(own_proxy, "again.com")
        own_proxy.stop()
        own_proxy.start(environment=authority.environment)
        assert handshake_fails(own_proxy, "again.com")
        assert authority.asked == 1
        (line,) = own_proxy.log_lines("No order for a certificate yet")
        assert line["host"] == "again.com"
        assert "deploy" in line["remedy"]
        own_proxy.deploy("s", t1, "--tls", "--host", "again.com")
        wait_until(lambda: handshake_fails(own_proxy, "again.com") and authority.asked == 2, 10)
    finally:
        authority.dispose()


@pytest.mark.parametrize("status", [429, 503])
def test_an_authority_that_puts_off_is_left_alone(own_proxy: Proxy, t1: Target, status: int) -> None:
    """For as long as its Retry-After says (RFC 8555, 6.6), whatever is deployed or started meanwhile."""
    authority = RefusingAuthority(status, "rateLimited", {"Retry-After": "9000"})
    try:
        own_proxy.start(environment=authority.environment)
        for _ in range(2):
            own_proxy.deploy("s", t1, "--tls", "--host", "later.com")
            assert handshake_fails(own_proxy, "later.com")
        own_proxy.stop()
        own_proxy.start(environment=authority.environment)
        assert handshake_fails(own_proxy, "later.com")
        (line,) = own_proxy.log_lines("Unable to obtain certificate")
        assert (line["kind"], line["error"], line["retry_in"]) == ("rateLimited", "not now", "2h30m0s")
        assert authority.asked == 1
    finally:
        authority.dispose()


def test_a_broken_account_is_told(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """With the file that has to go; no second account is made behind the operator's back."""
    account = proxy.home / "other" / store(proxy, authority.url).name / "acme_account+key"
    leave(proxy, account, "no key")
    proxy.deploy("s", t1, "--tls", "--host", "account.com", "--tls-acme-cache-path", str(account.parents[1]))
    assert handshake_fails(proxy, "account.com")
    line = proxy.log_lines("Unable to obtain certificate")[-1]
    assert (line["host"], line["kind"]) == ("account.com", "account")
    assert str(account) in line["remedy"]


@pytest.mark.parametrize("host", ["localhost", "a_b.com", "-a.com", "10.0.0.1"])
def test_hosts_that_no_authority_knows(proxy: Proxy, authority: Authority, t1: Target, host: str) -> None:
    """Nothing is ordered; the log names the remedy."""
    proxy.deploy("s", t1, "--tls", "--host", host)
    said = s_client(proxy, host)
    assert "alert internal error" in said
    assert proxy.log_lines("No authority issues for this host")[-1]["host"] == host
    assert authority.requested(host) == 0


def test_certificates_that_the_reference_left_are_served(
    proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """Of Let's Encrypt's staging directory: the file of that name is found, nothing is ordered (7.3)."""
    certificate, key = certificates("left.com")
    leave(proxy, store(proxy, STAGING) / "left.com", key.read_text() + certificate.read_text())
    proxy.deploy("s", t1, "--tls", "--tls-staging", "--host", "left.com")
    with proxy.connect(server_name="left.com") as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        served = connection.socket.getpeercert(binary_form=True)
    assert served == ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert json.loads(proxy.state_path.read_text())[0]["options"]["acme_directory"] == STAGING


def leave(proxy: Proxy, file: Path, text: str) -> None:
    """Writes as the proxy would have done, and as its user."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    owner = proxy.state_path.parent.stat().st_uid
    for path in (file, *file.parents[:2]):
        os.chown(path, owner, owner)


@pytest.mark.parametrize("damage", ["truncated", "of another key", "expired"])
def test_unusable_files_are_replaced(
    proxy: Proxy, authority: Authority, t1: Target, certificates: Callable[[str], tuple[Path, Path]], damage: str
) -> None:
    """As if they were not there."""
    host = f"{damage.replace(' ', '-')}.com"
    certificate, key = certificates(host)
    text = key.read_text() + certificate.read_text()
    if damage == "of another key":
        text = certificates(host)[1].read_text() + certificate.read_text()
    elif damage == "expired":
        pair = key.with_suffix(".old")
        make = ["openssl", "x509", "-in", str(certificate), "-signkey", str(key), "-days", "-1", "-out", str(pair)]
        subprocess.run(make, check=True, capture_output=True)
        text = key.read_text() + pair.read_text()
    file = store(proxy, authority.url) / host
    leave(proxy, file, text[:300] if damage == "truncated" else text)
    proxy.deploy("s", t1, "--tls", "--host", host)
    assert serial(proxy, authority, host)
    assert file.read_text() != text


def test_a_restart_reuses_certificates_and_account(own_proxy: Proxy, t1: Target) -> None:
    """Nothing is ordered anew, and the next order is of the same account."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "again.com,next.com")
        before = serial(own_proxy, authority, "again.com")
        own_proxy.stop()
        own_proxy.start(environment=authority.environment)
        assert serial(own_proxy, authority, "again.com") == before
        assert authority.requested("again.com") == 1
        serial(own_proxy, authority, "next.com")
        assert (authority.issued, authority.accounts) == (2, 1)
    finally:
        authority.dispose()


def test_without_the_authority_what_is_there_is_served(own_proxy: Proxy, t1: Target) -> None:
    """An issued certificate stays; a new host fails clearly; when the authority is back a redeploy helps at once."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "here.com,new.com")
        before, root = serial(own_proxy, authority, "here.com"), authority.root.read_text()
        authority.stop()
        assert handshake_fails(own_proxy, "new.com")
        (line,) = own_proxy.log_lines("Unable to obtain certificate")
        assert (line["host"], line["kind"], line["directory"]) == ("new.com", "unreachable", authority.url)
        assert "KAMAL_PROXY_ACME_CA_FILE" in line["remedy"]
        own_proxy.stop()
        own_proxy.start(environment=authority.environment)
        context = ssl.create_default_context(cadata=root)
        with (
            socket.create_connection(("127.0.0.1", own_proxy.https_port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="here.com") as secure,
        ):
            assert (secure.getpeercert() or {})["serialNumber"] == before
        authority.start()
        own_proxy.deploy("s", t1, "--tls", "--host", "here.com,new.com")
        assert serial(own_proxy, authority, "new.com")
    finally:
        authority.dispose()


def test_an_authority_that_hangs_holds_up_nothing_else(own_proxy: Proxy, t1: Target) -> None:
    """Other handshakes, plain requests, deploys and the end of the proxy do not wait for an order (20)."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "quick.com,stuck.com")
        before = serial(own_proxy, authority, "quick.com")
        authority.hang()
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(handshake_fails, own_proxy, "stuck.com")
            wait_until(lambda: len(own_proxy.log_lines("Ordering certificate")) == 2, 10)
            assert serial(own_proxy, authority, "quick.com") == before
            own_proxy.deploy("plain", t1, "--host", "plain.com")
            assert own_proxy.ask(host="plain.com").status == 200
            assert not stuck.done()
            started = time.monotonic()
            assert own_proxy.stop() == 0
            assert time.monotonic() - started < 9, "not even the ten seconds that requests have"
            assert stuck.result()
    finally:
        authority.dispose()


def test_either_side_of_the_proxy_may_be_killed(own_proxy: Proxy, t1: Target) -> None:
    """Without the control plane nginx serves what it has; a new nginx gets it from disk. Nothing is ordered twice."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "kept.com,later.com")
        before = serial(own_proxy, authority, "kept.com")
        os.kill(find_child(own_proxy, "pykamal.proxy.control_plane"), signal.SIGKILL)
        assert serial(own_proxy, authority, "kept.com") == before
        wait_until(lambda: own_proxy.call("list").returncode == 0, 20)
        assert serial(own_proxy, authority, "later.com")
        killed = find_child(own_proxy, "nginx: master")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not is_running(killed) and not handshake_fails(own_proxy, "kept.com"), 20)
        assert serial(own_proxy, authority, "kept.com") == before
        assert (authority.issued, authority.accounts) == (2, 1)
    finally:
        authority.dispose()


def test_an_order_outlives_nginx(own_proxy: Proxy, t1: Target) -> None:
    """Its challenge waits for the next one, which serves the certificate; nothing counts as a failure."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "during.com")
        master = find_child(own_proxy, "nginx: master")  # found early: the kill has to come before the challenge
        with ThreadPoolExecutor(1) as pool:
            interrupted = pool.submit(handshake_fails, own_proxy, "during.com")
            wait_until(lambda: own_proxy.log_lines("Ordering certificate"), 10)
            os.kill(master, signal.SIGKILL)
            assert interrupted.result()
        wait_until(lambda: not handshake_fails(own_proxy, "during.com"), 20)
        assert not own_proxy.log_lines("Unable to obtain certificate")
        assert authority.issued == 1
    finally:
        authority.dispose()


def test_certificates_are_renewed_while_they_are_served(own_proxy: Proxy, t1: Target) -> None:
    """In their last third, in the background, with the account that is there: no handshake fails meanwhile."""
    authority = Authority(http_port=own_proxy.http_port, validity_s=20).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "short.com")
        seen: list[str] = []

        def renewed() -> bool:
            time.sleep(0.2)  # the renewal needs the processor too
            seen.append(serial(own_proxy, authority, "short.com"))
            return seen[-1] != seen[0]

        wait_until(renewed, 60)
        assert authority.accounts == 1
        assert len(own_proxy.log_lines("Certificate issued")) == 2
    finally:
        authority.dispose()


def test_many_renewals_leave_room_for_handshakes(own_proxy: Proxy, t1: Target) -> None:
    """Of what is due at the same time, say after days without the authority, a few are ordered and the rest waits."""
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        hosts, text = [f"due{number}.com" for number in range(40)], nearly_expired()
        for host in hosts:
            leave(own_proxy, store(own_proxy, authority.url) / host, text)
        own_proxy.deploy("s", t1, "--tls", "--host", ",".join(hosts))
        own_proxy.stop()
        authority.hang()
        own_proxy.start(environment=authority.environment)
        wait_until(lambda: own_proxy.log_lines("Ordering certificate"), 10)
        time.sleep(2.5)  # longer than from one look at what is due to the next
        assert len(own_proxy.log_lines("Ordering certificate")) == 16
    finally:
        authority.dispose()


def nearly_expired() -> str:
    """A key and a certificate with a third of its life left, less an hour."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    start, end = now - timedelta(hours=49), now + timedelta(hours=23)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    chain = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return (key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()) + chain).decode()


def test_a_renewal_that_fails_leaves_the_old_one(own_proxy: Proxy, t1: Target) -> None:
    """Until it expires; then handshakes fail and say why in the log."""
    authority = Authority(http_port=own_proxy.http_port, validity_s=12).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "going.com")
        serial(own_proxy, authority, "going.com")
        authority.stop()
        wait_until(lambda: own_proxy.log_lines("Unable to obtain certificate"), 12)
        with own_proxy.connect(server_name="going.com") as connection:
            assert connection.ask(host="going.com").status == 200
        wait_until(lambda: handshake_fails(own_proxy, "going.com"), 12)
    finally:
        authority.dispose()


def test_an_unwritable_cache_is_told_and_survived(own_proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """The certificate is served from memory, and the log says what to mend."""
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    authority = Authority(http_port=own_proxy.http_port).start()
    try:
        own_proxy.start(environment=authority.environment)
        own_proxy.deploy("s", t1, "--tls", "--host", "memory.com", "--tls-acme-cache-path", str(blocked / "certs"))
        assert serial(own_proxy, authority, "memory.com") == serial(own_proxy, authority, "memory.com")
        (line,) = own_proxy.log_lines("Unable to save certificate")
        assert "writable" in line["remedy"]
        assert authority.issued == 1
    finally:
        authority.dispose()


def test_no_key_is_shown(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """Neither in the log nor, while an order runs, in the list of processes."""
    proxy.deploy("s", t1, "--tls", "--host", "quiet.com")
    with ThreadPoolExecutor(1) as pool:
        handshake = pool.submit(serial, proxy, authority, "quiet.com")
        shown = ""
        while not handshake.done():
            shown += subprocess.run(["ps", "axeww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "PRIVATE KEY" not in shown
    assert "PRIVATE KEY" not in proxy.log_path.read_text()
