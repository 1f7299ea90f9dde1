"""The data plane's one static configuration and its process (spec/proxy.md 24)."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from pykamal.proxy import contract
from pykamal.proxy.contract import MILLISECOND, SECOND
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.pages import BUILT_IN, built_in
from pykamal.proxy.run_settings import RunSettings
from pykamal.proxy.service_options import TargetOptions

HERE = Path(__file__).parent
BINARIES = (Path("/usr/sbin/nginx"), Path("/usr/local/nginx/sbin/nginx"), Path("/usr/local/openresty/nginx/sbin/nginx"))
MODULE_DIRECTORIES = (Path("/usr/lib/nginx/modules"), Path("/usr/share/nginx/modules"))
LUA_LIBRARY = Path("/usr/share/lua/5.1")
MAXIMUM_WORKERS = 16
MAXIMUM_CONNECTIONS = 16384

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
"""For TLS 1.2: forward secrecy and authenticated encryption, of which the client chooses. TLS 1.3 has no others."""

_CURVES = ("X25519", "prime256v1", "secp384r1", "secp521r1")
"""The groups for key exchange. OpenSSL's own choice has finite fields as well, where one hello of a client that
computes nothing keeps a worker busy for a quarter of a second."""

_HOP_BY_HOP = ("Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer")
"""Response headers that end here (spec/proxy.md 14.2), beside those that nginx leaves out by itself."""

_LOGGED = (
    *contract.ACCESS_LOG,
    *(
        contract.LogField(f"req_{name}", f"http_{name}", is_foreign=True)
        for name in (header.lower().replace("-", "_") for header in contract.LOGGED_REQUEST_HEADERS)
    ),
)
"""The log fields of a service that logs the headers Kamal asks for."""


class Placeholders(Template):
    """`@NAME@`: the configuration is full of dollar signs of its own."""

    delimiter = "@"
    pattern = r"@(?:(?P<escaped>@)|(?P<named>[A-Z_]+)@|(?P<braced>(?!))|(?P<invalid>(?!)))"  # type: ignore[assignment]


def find_nginx() -> str:
    """The nginx binary. Raises ProxyError when there is none."""
    for binary in BINARIES:
        if binary.exists():
            return str(binary)
    raise ProxyError("nginx is not installed (Debian packages: nginx libnginx-mod-http-lua lua-cjson)")


def write_configuration(directory: Path, settings: RunSettings) -> Path:
    """Writes nginx.conf, pages.json and kamal/contract.lua into `directory` and returns the path of the first."""
    internal = f"/.{secrets.token_hex(12)}"
    both = {"INTERNAL": internal, "LOCATIONS": _locations()}
    protocol = " proxy_protocol" if settings.proxy_protocol_from else ""
    servers = [
        _render("server.conf.template", LISTEN=_listen(settings.http_port, protocol), SECURE="false", **both),
        _render("server.conf.template", LISTEN=_listen_tls(settings.https_port, protocol), SECURE="true", **both),
    ]
    text = _render(
        "nginx.conf.template",
        MODULES=_modules(),
        # Otherwise workers of a server that root starts become somebody else and cannot reach its directories.
        USER="user root root;" if os.geteuid() == 0 else "",
        WORKERS=str(min(len(os.sched_getaffinity(0)), MAXIMUM_WORKERS)),
        CONNECTIONS=str(MAXIMUM_CONNECTIONS),
        RUN=str(directory),
        ERROR_LEVEL="info" if settings.debug else "error",
        LUA=str(HERE / "lua"),
        LUA_LIBRARY=str(LUA_LIBRARY),
        LUA_MODULES=_lua_modules(),
        INTERNAL=internal,
        HOP_BY_HOP=_hidden(_HOP_BY_HOP, indent=4),
        SHORT_DURATIONS="\n".join(f'        "0.{ms:03}" {ms * 1_000_000};' for ms in range(100)),
        HEADER_TIMEOUT=f"{settings.client_header_timeout // MILLISECOND}ms",
        BODY_TIMEOUT=f"{settings.client_body_timeout // MILLISECOND}ms",
        REAL_ADDRESSES=_real_addresses(settings.proxy_protocol_from),
        METRICS="true" if settings.metrics_port else "false",
        METRICS_SERVER=_metrics_server(settings.metrics_port) if settings.metrics_port else "",
        SERVERS="\n".join(servers),
        **_from_contract(),
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(text)
    pages = {str(status): built_in(status) for status in BUILT_IN}
    (directory / "pages.json").write_text(json.dumps(pages))
    (directory / "kamal").mkdir(exist_ok=True)
    (directory / "kamal/contract.lua").write_text(f"return {_lua(lua_contract())}\n")
    return configuration


def _from_contract() -> dict[str, str]:
    """Values of nginx.conf that the contract has."""
    return {
        "ADMIN_SOCKET": contract.ADMIN_SOCKET,
        "ACCESS_LOG": _log_format(contract.ACCESS_LOG),
        "ACCESS_LOG_WITH_HEADERS": _log_format(_LOGGED),
        "FOREIGN": "|".join(dict.fromkeys(f"${each.variable}" for each in _LOGGED if each.is_foreign)),
        "LONGEST_LOG_LINE": str(contract.LONGEST_LOG_LINE),
        "MAX_HEADER_BYTES": str(contract.MAX_HEADER_BYTES),
        "CONNECT_TIMEOUT": f"{contract.CONNECT_TIMEOUT // SECOND}s",
        "STREAM_TIMEOUT": f"{contract.STREAM_TIMEOUT // SECOND}s",
        "RESPONSE_TIMEOUT": f"{TargetOptions().response_timeout // MILLISECOND}ms",
    }


def lua_contract() -> dict[str, object]:
    """The content of kamal/contract.lua."""
    return {
        "access_log": [field._asdict() for field in contract.ACCESS_LOG],
        "body_size_steps": contract.BODY_SIZE_STEPS,
        "connect_timeout_s": contract.CONNECT_TIMEOUT / SECOND,
        "control_socket": contract.CONTROL_SOCKET,
        "control_timeout_ms": contract.CONTROL_TIMEOUT / MILLISECOND,
        "heartbeat_s": contract.HEARTBEAT / SECOND,
        "logged_request_headers": contract.LOGGED_REQUEST_HEADERS,
        "longest_log_line": contract.LONGEST_LOG_LINE,
        "max_header_bytes": contract.MAX_HEADER_BYTES,
        "response_timeout_ms": TargetOptions().response_timeout / MILLISECOND,
        "stream_timeout_s": contract.STREAM_TIMEOUT / SECOND,
    }


def _lua(value: object) -> str:
    """A literal of Lua."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_lua(item)}" for name, item in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "{ " + ", ".join(map(_lua, value)) + " }"
    return json.dumps(value)


def _log_format(fields: Sequence[contract.LogField]) -> str:
    """The format of a line of the access log, a field on each line of the configuration."""
    parts = []
    for field in fields:
        value = f"${field.variable}" if field.variable else field.text
        parts.append(f'"{field.name}":{value}' if field.is_number else f'"{field.name}":"{value}"')
    return ",'\n        '".join(parts)


def has_ipv6() -> bool:
    """Return True when this machine (or container) can listen on IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _render(template: str, **values: str) -> str:
    return Placeholders((HERE / template).read_text()).substitute(values)


def _listen(port: int, extra: str = "") -> str:
    lines = [f"        listen {port}{extra} backlog=4096;"]
    if has_ipv6():
        lines.append(f"        listen [::]:{port} ipv6only=on{extra} backlog=4096;")
    return "\n".join(lines)


def _listen_tls(port: int, extra: str) -> str:
    # The certificate comes from the service table; nginx only insists that some directive names one.
    return "\n".join(
        [
            _listen(port, f" ssl http2{extra}"),
            '        ssl_certificate "data:$kamal_service";',
            '        ssl_certificate_key "data:$kamal_service";',
            '        ssl_certificate_by_lua_block { require("kamal.certificate")() }',
            "        ssl_protocols TLSv1.2 TLSv1.3;",
            f"        ssl_ciphers {':'.join(_CIPHERS)};",
            f"        ssl_ecdh_curve {':'.join(_CURVES)};",
            "        ssl_session_cache shared:tls:10m;",
            # The keys of tickets would be those of the start for as long as nginx runs.
            "        ssl_session_tickets off;",
        ]
    )


def _real_addresses(networks: tuple[str, ...]) -> str:
    """Networks whose PROXY protocol header is believed; from elsewhere it is read and ignored."""
    lines = [f"    set_real_ip_from {network};" for network in networks]
    return "\n".join([*lines, "    real_ip_header proxy_protocol;"]) if lines else ""


def _locations() -> str:
    """A location for each way of carrying a body up and down; kamal/access.lua chooses by name."""
    blocks = []
    for (request, request_on, free), (response, response_on, limit) in itertools.product(
        (("buffered", "on", ""), ("streamed", "off", 'require("kamal.requests").answered() ')),
        (
            ("buffered", "on", ""),
            ("streamed", "off", ""),
            ("limited", "on", 'return require("kamal.response_limit")() '),
        ),
    ):
        name = f"@{request}_{response}"
        body_filter = f"\n            body_filter_by_lua_block {{ {free}{limit}}}" if free or limit else ""
        blocks.append(
            f"        location {name} {{\n"
            '            header_filter_by_lua_block { require("kamal.response").adapt() }'
            f"{body_filter}\n"
            f"            proxy_request_buffering {request_on};\n"
            f"            proxy_buffering {response_on};\n"
            "            proxy_pass http://$kamal_pool$kamal_uri;\n"
            "        }"
        )
    blocks.append(
        "        location @upgrade {\n"
        '            header_filter_by_lua_block { require("kamal.response").adapt() }\n'
        "            proxy_request_buffering off;\n"
        "            proxy_buffering off;\n"
        f"{_hidden(_HOP_BY_HOP, indent=12)}\n"
        "            proxy_socket_keepalive on; # however silent it is, the end of its host is noticed\n"
        "            proxy_pass http://$kamal_pool$kamal_uri;\n"
        "        }"
    )
    blocks += [
        f"        location @measure_{step} {{\n"
        f"            client_max_body_size {step};\n"
        '            access_by_lua_block { return require("kamal.body_size")() }\n'
        "            proxy_pass http://fresh;\n"
        "        }"
        for step in contract.BODY_SIZE_STEPS
    ]
    return "\n".join(blocks)


def _hidden(headers: tuple[str, ...], indent: int) -> str:
    return "\n".join(f"{' ' * indent}proxy_hide_header {header};" for header in headers)


def _metrics_server(port: int) -> str:
    return (
        "    server {\n"
        f"{_listen(port)}\n"
        "        location / {\n"
        '            default_type "text/plain; version=0.0.4; charset=utf-8";\n'
        '            content_by_lua_block { ngx.print(require("kamal.metrics").render()) }\n'
        "        }\n"
        "    }"
    )


def _modules() -> str:
    for directory in MODULE_DIRECTORIES:
        if (directory / "ngx_http_lua_module.so").exists():
            names = ("ndk_http_module", "ngx_http_lua_module")
            return "\n".join(f"load_module {directory}/{name}.so;" for name in names)
    return ""


def _lua_modules() -> str:
    for found in sorted(Path("/usr/lib").glob("*/lua/5.1/cjson.so")):
        return str(found.parent)
    return str(LUA_LIBRARY)
