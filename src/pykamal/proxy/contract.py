"""The contract between `kamal`, the proxy's control plane and its data plane: settings, access log, sockets, limits.

Configuration and command builders import it as well as the proxy; `pykamal.proxy.nginx` makes nginx.conf and
`kamal/contract.lua` from it. It imports nothing of pykamal.

A setting has one name: in the state file, in the control plane, in the documents for nginx, and in Lua. Durations
are in nanoseconds, and in milliseconds under `NAME_ms` in Lua. Flags keep the names of the reference (spec/proxy.md 3),
and options the names of its state file (spec/proxy.md 4).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000


class Setting(NamedTuple):
    """One setting.

    `kind` is one of bool, int, number, duration, string, list, and of the special forms in SHOWN_KINDS. `key` is its
    place below `x-pykamal/proxy` in deploy.yml, where it has one; `least` and `most` bound what is not the default.
    """

    name: str
    flag: str
    kind: str
    default: Any
    summary: str
    key: str = ""
    least: float = 0
    most: float = 2**63 - 1


SHOWN_KINDS: Final = {"networks": "list", "paths": "list", "headers": "lines", "printable": "string"}
"""Special forms, as the help calls them: addresses or CIDR, exact paths, lines `Name: value`, printable ASCII."""

LISTS: Final = ("list", "networks", "paths", "headers")

# fmt: off
DRAIN_TIMEOUT: Final = Setting(
    "drain_timeout", "drain-timeout", "duration", 30 * SECOND, "Maximum time that requests in flight may finish"
)

TARGETS: Final = (
    Setting("targets", "target", "list", (), "Target host(s) to deploy"),
    Setting("readers", "read-target", "list", (), "Read-only target host(s) to deploy"),
    Setting("deploy_timeout", "deploy-timeout", "duration", 30 * SECOND,
            "Maximum time to wait for the new targets to become healthy"),
    DRAIN_TIMEOUT._replace(summary="Maximum time that the replaced targets may finish"),
)

SERVICE_OPTIONS: Final = (
    Setting("hosts", "host", "list", (), "Host(s) to serve; any host when empty"),
    Setting("path_prefixes", "path-prefix", "list", (), "Path prefix(es) to serve"),
    Setting("strip_prefix", "strip-path-prefix", "bool", True, "Remove the matched prefix before forwarding"),
    Setting("tls_enabled", "tls", "bool", False, "Serve with TLS"),
    Setting("tls_redirect", "tls-redirect", "bool", True, "With TLS, redirect plain HTTP"),
    Setting("tls_certificate_path", "tls-certificate-path", "string", "", "Certificate file (PEM)"),
    Setting("tls_private_key_path", "tls-private-key-path", "string", "", "Private key file (PEM)"),
    Setting("tls_on_demand_url", "tls-on-demand-url", "string", "", "Endpoint that approves hosts for certificates"),
    Setting("acme_cache_path", "tls-acme-cache-path", "string", "", "Where automatic certificates are stored"),
    Setting("canonical_host", "canonical-host", "string", "", "Redirect every other host to this one"),
    Setting("writer_affinity_timeout", "writer-affinity-timeout", "duration", SECOND,
            "How long a client stays on writers after a write"),
    Setting("read_targets_accept_websockets", "read-target-websockets", "bool", False,
            "WebSocket handshakes may go to read targets"),
    Setting("error_page_path", "error-pages", "string", "", "Directory of error pages"),
    Setting("exclude_metrics_paths", "exclude-metrics-path", "list", (), "Exact path(s) kept out of metrics"),
    Setting("client_ip_header", "client-ip-header", "string", "", "Request header with the client's address"),
)

HEALTH_CHECK: Final = (
    Setting("interval", "health-check-interval", "duration", SECOND, "Pause between health checks"),
    Setting("timeout", "health-check-timeout", "duration", 5 * SECOND, "Limit for one health check"),
    Setting("path", "health-check-path", "string", "/up", "Path of the health check"),
    Setting("port", "health-check-port", "int", 0, "Port of the health check; the target's when 0"),
    Setting("host", "health-check-host", "string", "", "Host header of the health check"),
)
"""Within `health_check_config` of the target options."""

TARGET_OPTIONS: Final = (
    Setting("response_timeout", "target-timeout", "duration", 30 * SECOND,
            "How long to wait for response headers; forever when 0"),
    Setting("buffer_requests", "buffer-requests", "bool", False, "Read the whole request before contacting the target"),
    Setting("buffer_responses", "buffer-responses", "bool", False,
            "Take the response off the target as fast as it can write"),
    Setting("max_memory_buffer_size", "buffer-memory", "int", 1024 * 1024, "Bytes of a body kept in memory"),
    Setting("max_request_body_size", "max-request-body", "int", 0, "Largest request body in bytes; no limit when 0"),
    Setting("max_response_body_size", "max-response-body", "int", 0, "Largest response body in bytes; no limit when 0"),
    Setting("log_request_headers", "log-request-header", "list", (), "Extra request header(s) in the access log"),
    Setting("log_response_headers", "log-response-header", "list", (), "Extra response header(s) in the access log"),
    Setting("forward_headers", "forward-headers", "bool", False, "Trust X-Forwarded-*; on unless --tls is given"),
    Setting("scope_cookie_paths", "scope-cookie-paths", "bool", False, "Put the path prefix in front of cookie paths"),
)

ONE_DEPLOY: Final = (
    Setting("force", "force", "bool", False, "Do not wait for health"),
    Setting("tls_staging", "tls-staging", "bool", False, "Use the staging directory of Let's Encrypt"),
)
"""Flags of one `deploy` that the service does not keep."""

PROTECTIONS: Final = (
    Setting("trusted_proxies", "trusted-proxy", "networks", (),
            "Network(s) that may set X-Forwarded-*; replaces --forward-headers", "trusted_proxies"),
    Setting("allow", "allow", "networks", (), "Network(s) that may use the service; others get 403", "allow"),
    Setting("deny", "deny", "networks", (), "Network(s) that get 403", "deny"),
    Setting("rate_limit", "rate-limit", "number", 0.0,
            "Requests per second that one client may send; no limit when 0",
            "rate_limit/requests_per_second", 0.001, 1_000_000),
    Setting("rate_limit_burst", "rate-limit-burst", "int", -1,
            "Requests at once beyond that; one second's worth when negative", "rate_limit/burst", 0, 10**9),
    Setting("connection_limit", "connection-limit", "int", 0,
            "Requests that one client may have open at once; no limit when 0", "connection_limit", 1, 10**9),
    Setting("body_limit", "body-limit", "int", 0,
            "Largest request body in bytes, buffered or not; no limit when 0", "body_limit", 1, 2**36),
    Setting("basic_auth_file", "basic-auth-file", "string", "",
            "File with a line name:hash for each user; asks for a password", "basic_auth/users"),
    Setting("basic_auth_realm", "basic-auth-realm", "printable", "Restricted",
            "What the browser shows when it asks", "basic_auth/realm"),
    Setting("basic_auth_except", "basic-auth-except", "paths", (),
            "Exact path(s) that need no password, with the path prefix or without", "basic_auth/except"),
    Setting("security_headers", "security-header", "headers", (),
            "Response header, as 'Name: value', unless the target sets it", "security_headers"),
)
"""Protections of a service, each off by default. The reference has none of them."""

STATE_KEY: Final = "pykamal_protection"
"""Key of the protections in a service's record of the state file; the reference drops it when it writes."""

PROXY_LIMITS: Final = (
    Setting("client_header_timeout", "client-header-timeout", "duration", 60 * SECOND,
            "How long a client may take to send a request's headers",
            "run/client_header_timeout", MILLISECOND, 10**9 * SECOND),
    Setting("client_body_timeout", "client-body-timeout", "duration", 3600 * SECOND,
            "How long a client may be silent inside a request's body",
            "run/client_body_timeout", MILLISECOND, 10**9 * SECOND),
    Setting("proxy_protocol_from", "proxy-protocol-from", "networks", (),
            "Network(s) whose PROXY protocol header is believed; all must send one", "run/proxy_protocol_from"),
)
"""Protections of the whole proxy, from its start on. The reference has none of them."""

RUN: Final = (
    Setting("debug", "debug", "bool", False, "Log at DEBUG level"),
    Setting("http_port", "http-port", "int", 80, "Port for plain HTTP"),
    Setting("https_port", "https-port", "int", 443, "Port for TLS"),
    Setting("metrics_port", "metrics-port", "int", 0, "Port for Prometheus metrics; off when 0"),
    Setting("http3", "http3", "bool", False, "Accepted; HTTP/3 is not served"),
    *PROXY_LIMITS,
)

PAUSE: Final = (
    DRAIN_TIMEOUT,
    Setting("fail_after", "max-pause", "duration", 30 * SECOND, "How long a request may be held"),
)
STOP: Final = (DRAIN_TIMEOUT, Setting("stop_message", "message", "string", "", "Message on the page"))
SPLIT: Final = (
    Setting("percentage", "percent", "int", 0, "Percentage of the cookie values"),
    Setting("allowlist", "list", "list", (), "Cookie values that always use the rollout target"),
)
DEPLOY: Final = (*TARGETS, *SERVICE_OPTIONS, *HEALTH_CHECK, *TARGET_OPTIONS, *ONE_DEPLOY, *PROTECTIONS)

# fmt: on


# -- headers

FRAMING_HEADERS: Final = frozenset(
    {
        *("connection", "content-encoding", "content-length", "date", "keep-alive", "proxy-connection", "server"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Response headers that say where an answer ends, or who gave it: no service may choose them."""

HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
LOGGED_REQUEST_HEADERS: Final = ("Cache-Control", "Last-Modified", "User-Agent")
"""Request headers in the log unless deploy.yml says otherwise. nginx writes such lines without Lua."""


# -- the access log


class LogField(NamedTuple):
    """One field of the access log: the nginx variable that holds it, or a text that it always has.

    `is_foreign` marks what clients or targets choose, which must be checked before it is JSON; nginx.conf adds the
    received request id.
    """

    name: str
    variable: str
    text: str = ""
    is_number: bool = False
    is_foreign: bool = False


ACCESS_LOG: Final = (
    LogField("time", "kamal_time"),
    LogField("level", "", text="INFO"),
    LogField("msg", "", text="Request"),
    LogField("host", "kamal_authority", is_foreign=True),
    LogField("port", "server_port", is_number=True),
    LogField("path", "kamal_log_path", is_foreign=True),
    LogField("request_id", "kamal_request_id"),
    LogField("status", "status", is_number=True),
    LogField("service", "kamal_service"),
    LogField("target", "kamal_target"),
    LogField("duration", "kamal_duration_ns", is_number=True),
    LogField("method", "kamal_log_method", is_foreign=True),
    LogField("req_content_length", "kamal_request_length", is_number=True),
    LogField("req_content_type", "content_type", is_foreign=True),
    LogField("resp_content_length", "body_bytes_sent", is_number=True),
    LogField("resp_content_type", "sent_http_content_type", is_foreign=True),
    LogField("client_addr", "remote_addr"),
    LogField("client_port", "remote_port"),
    LogField("remote_addr", "kamal_log_remote", is_foreign=True),
    LogField("user_agent", "http_user_agent", is_foreign=True),
    LogField("proto", "kamal_protocol"),
    LogField("scheme", "scheme"),
    LogField("query", "kamal_query", is_foreign=True),
)
"""In this order (spec/proxy.md 19); the headers that are logged follow."""

LONGEST_LOG_LINE: Final = 4096
"""Bytes. A pipe takes so much at once: lines of several processes never mix."""


# -- limits and places that control plane and data plane share

BODY_SIZE_STEPS: Final = tuple(4**power for power in range(5, 19))
"""Static limits on a request body, 1 KiB to 64 GiB: nginx's own limit cannot be set for each service."""

MAX_HEADER_BYTES: Final = 2**20
"""The largest head of a request."""

CONNECT_TIMEOUT: Final = 60 * SECOND
STREAM_TIMEOUT: Final = 86400 * SECOND
"""Longest silence of an event stream or an upgraded connection."""

HEARTBEAT: Final = SECOND // 2
"""Time between two signs of a worker that its event loop turns."""

ADMIN_SOCKET: Final = "admin.sock"
"""Socket of nginx for calls of the control plane, in the run directory."""

CONTROL_SOCKET: Final = "certificates.sock"
"""Socket of the control plane for questions of nginx, in the run directory."""

CONTROL_TIMEOUT: Final = 50 * SECOND
"""Time for the answer to a question; a handshake waits for its certificate meanwhile."""

HOME: Final = "/home/kamal-proxy"
"""Of the proxy's user in its image, as in the reference's."""

DATA_DIRECTORY: Final = ".config/kamal-proxy"
"""Below the home directory: the state file and the certificates."""

STATE_FILE: Final = "kamal-proxy.state"
OWN_REPOSITORY: Final = "pykamal/kamal-proxy"
"""Not the reference's name: where Ruby Kamal makes a container, it makes one of the reference's image."""

REVISION_LABEL: Final = "org.opencontainers.image.revision"
"""Label of an image with the digests of what it was built from."""

REFERENCE_VERSION: Final = "v0.9.2"
"""The version of the reference whose behaviour the proxy has; Kamal refuses proxies that are older than its minimum."""
