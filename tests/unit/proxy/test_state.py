"""The state file's record of a service, and what comes back from it (spec/proxy.md 4)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.proxy.contract import SECOND
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.service_options import HealthCheckOptions, ServiceOptions, TargetOptions
from pykamal.proxy.services import Pause, Service, Split, document
from pykamal.proxy.state import Saved, StateFile, record_of, service_of
from pykamal.proxy.targets import TargetSet

pytestmark = pytest.mark.unit

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
hosts = st.lists(st.from_regex(r"(\*\.)?[a-z]{1,8}\.com", fullmatch=True), max_size=3).map(tuple)
addresses = st.lists(st.from_regex(r"[a-z0-9]{2,12}:[1-9][0-9]{1,3}", fullmatch=True), min_size=1, max_size=3)

services = st.builds(
    Service,
    name=names,
    options=st.builds(
        ServiceOptions,
        hosts=hosts.map(lambda found: found or ("",)),
        path_prefixes=st.sampled_from([("/",), ("/api", "/v2")]),
        strip_prefix=st.booleans(),
        tls_redirect=st.booleans(),
        writer_affinity_timeout=st.integers(0, 10 * SECOND),
        exclude_metrics_paths=st.sampled_from([(), ("/up",)]),
        client_ip_header=st.sampled_from(["", "X-Client"]),
    ),
    target_options=st.builds(
        TargetOptions,
        health_check_config=st.builds(HealthCheckOptions, port=st.integers(0, 65535), host=st.just("h")),
        buffer_requests=st.booleans(),
        max_request_body_size=st.integers(0, 2**40),
        log_request_headers=st.sampled_from([(), ("A", "B")]),
        forward_headers=st.booleans(),
    ),
    active=addresses.map(TargetSet),
    rollout=st.none() | addresses.map(TargetSet),
    pause=st.builds(Pause, state=st.sampled_from(["running", "paused", "stopped"]), fail_after=st.integers(0, SECOND)),
    split=st.none() | st.builds(Split, percentage=st.integers(0, 100), allowlist=st.sampled_from([(), ("vip",)])),
)


@given(services)
def test_a_record_gives_the_same_service_back(service: Service) -> None:
    """Through JSON and back, options, targets, pause and split are unchanged."""
    restored = service_of(json.loads(json.dumps(record_of(service))))
    assert record_of(restored) == record_of(service)
    assert (restored.options, restored.target_options) == (service.options, service.target_options)
    assert all(target.state == "healthy" for target in restored.active.targets)


def test_empty_lists_are_null_where_the_reference_writes_null() -> None:
    """`exclude_metrics_paths` and the log headers; never hosts or targets."""
    record = record_of(Service("s", ServiceOptions(), TargetOptions(), TargetSet(["web:80"])))
    assert record["options"]["exclude_metrics_paths"] is None
    assert record["target_options"]["log_request_headers"] is None
    assert record["options"]["hosts"] == [""]
    assert record["active_readers"] == []
    assert record["rollout_controller"] is None


def test_the_split_point_is_a_fraction_of_the_hash_space() -> None:
    """30 percent is 1288490188.5, as in the example of section 4."""
    service = Service("s", ServiceOptions(), TargetOptions(), TargetSet(["web:80"]), split=Split(30, ("vip",)))
    assert record_of(service)["rollout_controller"] == {
        "percentage": 30,
        "percentage_split_point": 1288490188.5,
        "allowlist": ["vip"],
    }


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"name": "s"},
        {"name": 5, "active_targets": ["web"]},
        {"name": "s", "active_targets": ["http://x"]},
        {"name": "s", "active_targets": "web"},
    ],
)
def test_a_record_that_cannot_be_served_is_an_error(record: dict[str, Any]) -> None:
    """The caller keeps such a record aside instead of starting without any service (D3)."""
    with pytest.raises((ProxyError, TypeError, ValueError)):
        service_of(record)


def _places(record: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a record with each of its keys or indices."""
    inside = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in list(inside):
        yield record, key
        yield from _places(value)


@pytest.mark.parametrize("hostile", [None, 5, -1, 10**30, 1.5, float("nan"), True, "x", "", [5], ["x"], {"a": 1}, {}])
def test_a_value_of_another_type_is_found_at_the_start(hostile: object) -> None:
    """Deviation D3: whatever stands in a record, it is refused, or nginx can be told of the service."""
    protection = {
        "allow": ("10.0.0.0/8",),
        "rate_limit": 1.0,
        "rate_limit_burst": 2,
        "connection_limit": 3,
        "body_limit": 4,
        "basic_auth_realm": "R",
        "basic_auth_except": ("/up",),
        "security_headers": ("A: b",),
    }
    whole = Service(
        "s", ServiceOptions(exclude_metrics_paths=("/up",)), TargetOptions(log_request_headers=("A",)),
        TargetSet(["web:80"], ["web:81"]), rollout=TargetSet(["web:82"]), pause=Pause("stopped", "gone", SECOND),
        split=Split(30, ("vip",)), protection=protection,
    )  # fmt: skip
    count = len(list(_places(record_of(whole))))
    assert count > 60
    for number in range(count):
        record = json.loads(json.dumps(record_of(whole)))
        container, key = list(_places(record))[number]
        container[key] = hostile
        with contextlib.suppress(ProxyError, TypeError, ValueError):
            json.loads(document(service_of(record), None))


@pytest.mark.parametrize(
    "written", [["x"], "x", 5, {"allow": "10.0.0.0/8"}, {"rate_limit": "5"}, {"connection_limit": {}}]
)
def test_no_service_starts_without_its_protection(written: object) -> None:
    """A protection that cannot be understood makes its service unusable rather than open."""
    record = {"name": "s", "active_targets": ["web:80"], "pykamal_protection": written}
    with pytest.raises((ProxyError, TypeError)):
        service_of(record)


def test_unusable_records_stay_in_the_file(tmp_path: Path) -> None:
    """They are written back as they were, until a service of that name exists again."""
    file = StateFile(tmp_path / "state")
    file.unusable["bad"] = {"name": "bad", "anything": 1}
    asyncio.run(file.save({}, []))
    assert file.read() == Saved([{"name": "bad", "anything": 1}])
    service = Service("bad", ServiceOptions(), TargetOptions(), TargetSet(["web:80"]))
    asyncio.run(file.save({"bad": service}, ["bad"]))
    assert names_in(file) == ["bad"]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    asyncio.run(file.save({}, ["bad"]))
    assert names_in(file) == [], "the service was removed, and what it replaced is back"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "\ud800"},
        {"pause_controller": {"state": 2, "stop_message": "\udc80"}},
        {"options": {"hosts": ["\ud800"]}},
    ],
)
def test_half_a_surrogate_pair_is_no_text(changed: dict[str, Any]) -> None:
    """JSON can write it, and nginx would not start with it (D3)."""
    with pytest.raises(TypeError, match="cannot be"):
        service_of({"name": "s", "active_targets": ["web:80"]} | changed)


def test_what_did_not_fit_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file would take the last room of a full disk; one that a killed server left is no hindrance."""
    leftover = tmp_path / ".state.new"
    leftover.write_text("half")
    leftover.chmod(0o400)
    file = StateFile(tmp_path / "state")
    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail_with_no_space)
        with pytest.raises(OSError, match="No space"):
            asyncio.run(file.save({}, []))
    assert list(tmp_path.iterdir()) == []
    asyncio.run(file.save({}, []))
    assert file.read() == Saved([])


def fail_with_no_space(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_encodes_only_changed_services(tmp_path: Path) -> None:
    """The records of other services are written unchanged."""
    file = StateFile(tmp_path / "state")
    services = {name: Service(name, ServiceOptions(), TargetOptions(), TargetSet(["web:80"])) for name in ("a", "b")}
    asyncio.run(file.save(services, ["a", "b"]))
    services["a"].pause = Pause("stopped", "message")
    asyncio.run(file.save(services, ["a"]))
    assert file.read() == Saved([record_of(service) for service in services.values()])


@pytest.mark.parametrize("separator", [", ", ",\n", ","])
def test_the_complete_records_of_a_file_that_was_cut_off(tmp_path: Path, separator: str) -> None:
    """The upstream writes in place (4): a full disk leaves the beginning. What is whole of it is served (D3)."""
    services = [Service(name, ServiceOptions(), TargetOptions(), TargetSet(["web:80"])) for name in ("a", "b", "c")]
    text = separator.join(json.dumps(record_of(service)) for service in services)
    path = tmp_path / "state"
    for length in (len(text) - 1, len(text) - 300, len(text)):
        path.write_text(f"[{text[:length]}")
        saved = StateFile(path).read()
        assert saved is not None
        assert [record["name"] for record in saved.records] == (["a", "b"] if length < len(text) else ["a", "b", "c"])
        assert "moved to" in saved.damage
        assert path.with_name("state.corrupt").exists()


def test_thousands_of_records_of_a_damaged_file_are_found_quickly(tmp_path: Path) -> None:
    """The time grows with the file, not with its square: this is the start of a proxy."""
    path = tmp_path / "state"
    path.write_text("[" + ",".join(json.dumps({"name": f"s{number}", "more": "x" * 500}) for number in range(10_000)))
    assert len(names_in(StateFile(path))) == 10_000


def test_changes_at_the_same_time_share_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many deploys at once cost two writes: the one under way, and one for all that came meanwhile."""
    services = {f"s{n}": Service(f"s{n}", ServiceOptions(), TargetOptions(), TargetSet(["web:80"])) for n in range(20)}
    file = StateFile(tmp_path / "state")
    written: list[int] = []
    replace = file._replace

    def counted(records: list[bytes]) -> None:
        written.append(len(records))
        replace(records)

    monkeypatch.setattr(file, "_replace", counted)

    async def save_all() -> None:
        await asyncio.gather(*(file.save(services, [name]) for name in services))

    asyncio.run(save_all())
    assert len(written) <= 2
    assert len(names_in(file)) == 20


def test_a_file_that_may_not_be_read_is_not_written_over(tmp_path: Path) -> None:
    """The reader is told by an error, and ends: it would soon write a file without the services."""
    path = tmp_path / "state"
    path.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        StateFile(path).read()


def names_in(file: StateFile) -> list[str]:
    saved = file.read()
    return [str(record["name"]) for record in saved.records] if saved else []
