"""Logs of commands beside the terminal: a file and a collector (spec/cli.md 11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector import Collector, attributes, collecting
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


@pytest.fixture
def logging(application: Application, collector: Collector) -> Application:
    """The example application with both loggers and a secret."""
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}TOKEN=hush-hush\n")
    application.configure(
        output={"file": {"path": "log/kamal"}, "otel": {"endpoint": f"{collector.endpoint}/"}},
        env={"secret": ["TOKEN"]},
        builder={"arch": "amd64", "driver": "docker", "args": {**_registry(application), "BUILD_TOKEN": "also-hush"}},
    )
    application.hook("pre-deploy", "echo hook says $TOKEN")
    application.commit("with logs")
    return application


def _registry(application: Application) -> dict[str, str]:
    return {"REGISTRY": application.sandbox.manifest.registry_server}


def logs(application: Application) -> list[Path]:
    return sorted((application.folder / "log" / "kamal").glob("*"))


def test_a_deploy_and_one_that_fails(logging: Application, collector: Collector) -> None:
    """spec/cli.md 11: every line at all levels, even with -q; where it went; how it ended; no secret."""
    outcome = logging.kamal("setup", "-q")
    (file,) = logs(logging)
    shown = file.relative_to(logging.folder)
    assert outcome.stdout.endswith(f"Logs written to {shown}\nLogs sent to {collector.endpoint}/\n")
    assert file.name.endswith("_setup.log")
    text = file.read_text()
    assert "Ensure kamal-proxy is running...\n" in text
    assert "\n DEBUG [" in text
    assert "#1 [internal] load build definition from Dockerfile" in text, "the build is in it"
    assert "hook says [REDACTED]" in text
    assert text.splitlines()[-1].startswith("# Completed in ")
    for secret in ("hush-hush", "also-hush", logging.sandbox.manifest.registry_password):
        assert secret not in text
        assert secret not in json.dumps(collector.records)
    assert collector.texts[0] == "kamal.start"
    assert collector.texts[-1] == "kamal.complete"
    assert "Ensure kamal-proxy is running..." in collector.texts
    hosts = {host.address for host in logging.hosts}
    addresses = {attributes(record).get("server.address") for record in collector.records} - {None}
    assert addresses == hosts

    collector.requests.clear()
    outcome = logging.kamal("rollback", "0000000", expect=1)
    failed = logs(logging)[-1]
    assert failed.name.endswith("_rollback.log")
    assert failed.read_text().splitlines()[-1].startswith("# FAILED: ")
    assert collector.records[-1]["eventName"] == "kamal.failed"
    assert outcome.stdout.index("Logs written to") < outcome.stdout.index("ERROR (")


def test_what_changes_nothing_keeps_no_log(logging: Application, collector: Collector) -> None:
    """spec/cli.md 12: reading and exec are not instrumented; a log that fails leaves the command alone."""
    logging.kamal("server", "exec", "true")
    logging.kamal("app", "containers")
    logging.kamal("deploy", "--plan")
    assert logs(logging) == []
    assert collector.records == []
    logging.configure(output={"file": {"path": "Dockerfile"}, "otel": {"endpoint": "http://127.0.0.1:9"}})
    outcome = logging.kamal("prune", "containers")
    assert outcome.stderr.splitlines() == [
        "Output logger setup failed: FileExistsError: [Errno 17] File exists: 'Dockerfile'",
        "OTel log shipping failed: ConnectionRefusedError: [Errno 111] Connection refused",
    ]
    assert "Logs " not in outcome.stdout
