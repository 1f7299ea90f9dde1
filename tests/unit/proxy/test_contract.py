"""The contract between configuration, control plane and data plane: one name, one default, no place forgotten."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pykamal.commands import proxy_flags
from pykamal.config.decoding import proxy_extension as decoder
from pykamal.config.models import Proxy, ProxyRun
from pykamal.config.models.extension import Extension
from pykamal.config.schema import section
from pykamal.config.yaml_reader import read_yaml
from pykamal.erb.rendered import Rendered
from pykamal.proxy import arguments, contract, protection
from pykamal.proxy.commands import COMMANDS, Command
from pykamal.proxy.contract import PROTECTIONS, PROXY_LIMITS, SECOND, Setting
from pykamal.proxy.nginx import lua_contract, write_configuration
from pykamal.proxy.run_settings import settings_of
from pykamal.proxy.state import record_of, service_of
from tests.config_catalogue import OWN_KEYS
from tests.unit.samples import config

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src/pykamal/proxy"
LUA = {path.stem: path.read_text() for path in sorted((PACKAGE / "lua/kamal").glob("*.lua"))}
USE_OF_CONTRACT = r'(?:\bcontract|"kamal\.contract"\))\.(\w+)'
INVENTED = Setting("header_limit", "header-limit", "int", 0, "Header lines of a request", "header_limit", 1, 100)


# -- a protection is complete


def schema_entry(setting: Setting) -> dict[str, Any]:
    """The entry of the schema for a setting; empty where there is none."""
    entry: dict[str, Any] = section("x-pykamal-proxy")
    for key in setting.key.split("/"):
        entry = entry.get("properties", {}).get(key, {})
    return entry


def missing_places(setting: Setting) -> list[str]:
    """The places that do not have a protection: schema, help, enforcement, documentation, sample."""
    command = "run" if setting in PROXY_LIMITS else "deploy"
    (flags,) = (each.flags for each in COMMANDS if each.words == command)
    documented = (ROOT / "docs/proxy.md").read_text()
    enforcement = LUA["protection"] + LUA["passwords"] if command == "deploy" else (PACKAGE / "nginx.py").read_text()
    places = {
        "schema": bool(schema_entry(setting).get("description")),
        "flags": setting in flags,
        "enforcement": bool(re.search(rf"\b(given|settings)\.{setting.name}\b", enforcement)),
        "documentation": re.search(rf"^\| `.*`--{setting.flag}`.*\|$", documented, re.MULTILINE) is not None,
        "sample": setting.key.rpartition("/")[2] in OWN_KEYS,
    }
    return [place for place, has_it in places.items() if not has_it]


@pytest.mark.parametrize("setting", [*PROTECTIONS, *PROXY_LIMITS], ids=lambda setting: setting.name)
def test_a_protection_is_in_every_place(setting: Setting) -> None:
    """CONTRIBUTING.md, Where things go: contract, schema, Lua, documentation; the sample is for tests/parity."""
    assert missing_places(setting) == []


def test_a_protection_that_was_forgotten_is_found() -> None:
    """The check of the test above sees each place that lacks one."""
    assert missing_places(INVENTED) == ["schema", "flags", "enforcement", "documentation", "sample"]


def test_a_row_of_the_contract_is_all_that_python_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new protection goes from deploy.yml to its flag, through the state file, and to nginx, under its one name."""
    for module in (decoder, proxy_flags, protection):
        monkeypatch.setattr(module, "PROTECTIONS", (*PROTECTIONS, INVENTED))
    node, _ = read_yaml(Rendered.untouched("deploy.yml", "{engine: pykamal, header_limit: 7}"))
    proxy = decoder.proxy_extension(node)
    flags = [str(word) for word in proxy_flags.protections(config(extension=Extension(proxy=proxy)))]
    assert flags == ["--header-limit=7"]
    monkeypatch.setitem(arguments._COMMANDS, "deploy", Command("deploy", "", flags=(*contract.DEPLOY, INVENTED)))
    call = arguments.parse(["deploy", "s", "--target", "t:80", *flags])
    assert isinstance(call, arguments.Call)
    given = protection.protection_from_flags(call.values)
    assert protection.protection_from_state(json.loads(json.dumps(protection.state_of(given)))) == given
    document = protection.document_of(given, {})
    assert isinstance(document, dict)
    assert document["header_limit"] == 7


# -- names and defaults


def test_names_are_given_once() -> None:
    """A setting has one name, a flag one setting, and options of a service are in one table only."""
    deploy = [each for each in contract.DEPLOY if each not in contract.HEALTH_CHECK]
    for settings in (deploy, contract.RUN, contract.HEALTH_CHECK):
        assert len({each.name for each in settings}) == len(settings)
    assert len({each.flag for each in contract.DEPLOY}) == len(contract.DEPLOY)


def test_the_defaults_of_the_documentation_are_those_of_the_proxy() -> None:
    """The schema and the proxy have the same defaults (the schema gives durations in seconds)."""
    defaults = [(schema_entry(each).get("default"), each) for each in (*PROTECTIONS, *PROXY_LIMITS)]
    for written, setting in defaults:
        unit = SECOND if setting.kind == "duration" else 1
        assert written in (None, False) or written * unit == setting.default
    assert schema_entry(PROXY_LIMITS[0])["default"] == 60
    assert section("proxy")["properties"]["run"]["properties"]["version"]["default"] == contract.REFERENCE_VERSION
    assert ProxyRun().version == contract.REFERENCE_VERSION
    assert Proxy().log_request_headers == contract.LOGGED_REQUEST_HEADERS


# -- state files of servers that run


RECORD_OF_AN_OLDER_BUILD = {
    "name": "web",
    "options": {"hosts": ["a.example"], "path_prefixes": ["/"], "tls_enabled": False, "strip_prefix": True},
    "target_options": {"health_check_config": {"path": "/up", "port": 0, "interval": 10**9, "timeout": 5 * 10**9}},
    "active_targets": ["web:80"],
    "pykamal_protection": {
        "trusted_proxies": ["10.0.0.0/8"],
        "allow": [],
        "deny": ["192.0.2.7"],
        "rate_limit": 20.0,
        "rate_limit_burst": None,
        "connection_limit": 50,
        "body_limit": 0,
        "basic_auth_file": "",
        "basic_auth_realm": "Restricted",
        "basic_auth_except": [],
        "security_headers": ["X-Frame-Options: DENY"],
    },
}
"""All keys of the protections, as builds before the contract wrote them."""


def test_a_state_file_of_an_older_build_loads() -> None:
    """With every protection that it names. Each key is written again as it was, so that build reads it as well."""
    service = service_of(RECORD_OF_AN_OLDER_BUILD)
    assert service.protection == {
        "trusted_proxies": ("10.0.0.0/8",),
        "deny": ("192.0.2.7",),
        "rate_limit": 20.0,
        "connection_limit": 50,
        "security_headers": ("X-Frame-Options: DENY",),
    }
    old: Any = RECORD_OF_AN_OLDER_BUILD["pykamal_protection"]
    written = json.loads(json.dumps(record_of(service)))["pykamal_protection"]
    assert {name: old[name] for name in written} == written


# -- the data plane


@pytest.fixture
def configuration(tmp_path: Path) -> tuple[str, str]:
    """nginx.conf and kamal/contract.lua as `run` writes them."""
    call = arguments.parse(["run"])
    assert isinstance(call, arguments.Call)
    conf = write_configuration(tmp_path, settings_of(call))
    return conf.read_text(), (tmp_path / "kamal/contract.lua").read_text()


def test_lua_uses_what_is_generated(configuration: tuple[str, str]) -> None:
    """Every value that Lua takes from the contract is there, and each of them is used."""
    used = {name for text in LUA.values() for name in re.findall(USE_OF_CONTRACT, _code(text))}
    assert used == set(lua_contract())
    assert all(f" {name} = " in configuration[1] for name in used)


def test_one_list_makes_every_line_of_the_access_log(configuration: tuple[str, str]) -> None:
    """The fields are the contract's, in order, for lines that nginx writes and for those that Lua writes."""
    formats = re.findall(r"log_format (\w+) escape=json (.*?);\n", configuration[0], re.DOTALL)
    names = [each.name for each in contract.ACCESS_LOG]
    headers = ["req_cache_control", "req_last_modified", "req_user_agent"]
    found = {name: re.findall(r'"(\w+)":', text) for name, text in formats}
    assert found == {"requests": names, "requests_with_headers": [*names, *headers]}
    assert re.findall(r'\{ name = "(\w+)"', configuration[1]) == names


def test_calls_of_the_control_plane_have_an_answer() -> None:
    """Each call of proxy/dataplane.py is answered by kamal/admin.lua, and nothing else is."""
    called = set(re.findall(r'\("(/[a-z-]+)"', (PACKAGE / "dataplane.py").read_text()))
    assert called == set(re.findall(r'^answers\["(/[a-z-]+)"\]', LUA["admin"], re.MULTILINE))


def declared(module: str, name: str) -> list[str]:
    """The fields of a class of Lua that is declared in a module; each has a comment."""
    block = re.search(rf"^---@class kamal\.{name}\n((?:---@field .*\n)+)", LUA[module], re.MULTILINE)
    assert block is not None
    fields = re.findall(r"^---@field (\w+) \S+ +(\S.*)$", block[1], re.MULTILINE)
    assert len(fields) == block[1].count("\n"), "a field without a comment"
    return [field for field, _ in fields]


def test_the_record_of_a_request_is_declared() -> None:
    """kamal/requests.lua declares each field of it with a comment, and none that is not used."""
    used = {name for text in LUA.values() for name in re.findall(r"\b(?:record|current\(\))\.(\w+)", _code(text))}
    fields = declared("requests", "Record")
    assert fields == sorted(fields)
    assert set(fields) == used


def test_fields_of_a_service_come_from_its_document() -> None:
    """A field is in the document of proxy/services.py, or is declared where it is made."""
    document = set(re.findall(r'^ {8}"(\w+)": ', (PACKAGE / "services.py").read_text(), re.MULTILINE))
    made = set(declared("services", "Service"))
    used = {name for text in LUA.values() for name in re.findall(r"\bservice\.(\w+)", _code(text))}
    assert document & made == set()
    assert used - made - {"document"} <= document, "kamal/services.lua: a field of neither"
    assert made <= used


def test_modules_of_lua_carry_the_prefix() -> None:
    """`require("kamal.x")` cannot meet a module of nginx's own libraries."""
    for text in [*LUA.values(), *(path.read_text() for path in PACKAGE.glob("*.template"))]:
        required = re.findall(r'require\("([\w.]+)"\)', text)
        assert not set(LUA) & set(required)
        own = {name.removeprefix("kamal.") for name in required if name.startswith("kamal.")}
        assert own <= {*LUA, "contract"}


def _code(text: str) -> str:
    return re.sub(r"--.*", "", text)
