"""The command line as data: every subcommand, its flags, their types and defaults (spec/proxy.md 3)."""

from __future__ import annotations

from pykamal.proxy.durations import SECOND, format_duration
from pykamal.proxy.environment import data_directory

TARGETS = (
    ("target", "list", None, "Target host(s) to deploy"),
    ("read-target", "list", None, "Read-only target host(s) to deploy"),
    ("deploy-timeout", "duration", 30 * SECOND, "Maximum time to wait for the new targets to become healthy"),
    ("drain-timeout", "duration", 30 * SECOND, "Maximum time that the replaced targets may finish"),
)

SERVICE = (
    ("host", "list", None, "Host(s) to serve; any host when empty"),
    ("path-prefix", "list", None, "Path prefix(es) to serve"),
    ("strip-path-prefix", "bool", True, "Remove the matched prefix before forwarding"),
    ("tls", "bool", False, "Serve with TLS"),
    ("tls-redirect", "bool", True, "With TLS, redirect plain HTTP"),
    ("tls-staging", "bool", False, "Use the staging directory of Let's Encrypt"),
    ("tls-certificate-path", "string", "", "Certificate file (PEM)"),
    ("tls-private-key-path", "string", "", "Private key file (PEM)"),
    ("tls-on-demand-url", "string", "", "Endpoint that approves hosts for certificates"),
    ("tls-acme-cache-path", "string", "", "Where automatic certificates are stored"),
    ("canonical-host", "string", "", "Redirect every other host to this one"),
    ("force", "bool", False, "Do not wait for health"),
    ("health-check-interval", "duration", SECOND, "Pause between health checks"),
    ("health-check-timeout", "duration", 5 * SECOND, "Limit for one health check"),
    ("health-check-path", "string", "/up", "Path of the health check"),
    ("health-check-port", "int", 0, "Port of the health check; the target's when 0"),
    ("health-check-host", "string", "", "Host header of the health check"),
    ("writer-affinity-timeout", "duration", SECOND, "How long a client stays on writers after a write"),
    ("read-target-websockets", "bool", False, "WebSocket handshakes may go to read targets"),
    ("target-timeout", "duration", 30 * SECOND, "How long to wait for response headers; forever when 0"),
    ("buffer-requests", "bool", False, "Read the whole request before contacting the target"),
    ("buffer-responses", "bool", False, "Take the response off the target as fast as it can write"),
    ("buffer-memory", "int", 1024 * 1024, "Bytes of a body kept in memory"),
    ("max-request-body", "int", 0, "Largest request body in bytes; no limit when 0"),
    ("max-response-body", "int", 0, "Largest response body in bytes; no limit when 0"),
    ("error-pages", "string", "", "Directory of error pages"),
    ("log-request-header", "list", None, "Extra request header(s) in the access log"),
    ("log-response-header", "list", None, "Extra response header(s) in the access log"),
    ("exclude-metrics-path", "list", None, "Exact path(s) kept out of metrics"),
    ("forward-headers", "bool", False, "Trust X-Forwarded-*; on unless --tls is given"),
    ("client-ip-header", "string", "", "Request header with the client's address"),
    ("scope-cookie-paths", "bool", False, "Put the path prefix in front of cookie paths"),
)

PROTECTION = (
    ("trusted-proxy", "list", None, "Network(s) that may set X-Forwarded-*; replaces --forward-headers"),
    ("allow", "list", None, "Network(s) that may use the service; others get 403"),
    ("deny", "list", None, "Network(s) that get 403"),
    ("rate-limit", "number", 0.0, "Requests per second that one client may send; no limit when 0"),
    ("rate-limit-burst", "int", -1, "Requests at once beyond that; one second's worth when negative"),
    ("connection-limit", "int", 0, "Requests that one client may have open at once; no limit when 0"),
    ("body-limit", "int", 0, "Largest request body in bytes, buffered or not; no limit when 0"),
    ("basic-auth-file", "string", "", "File with a line name:hash for each user; asks for a password"),
    ("basic-auth-realm", "string", "Restricted", "What the browser shows when it asks"),
    ("basic-auth-except", "list", None, "Exact path(s) that need no password, with the path prefix or without"),
    ("security-header", "lines", None, "Response header, as 'Name: value', unless the target sets it"),
)
"""What the reference does not know."""

RUN = (
    ("debug", "bool", False, "Log at DEBUG level"),
    ("http-port", "int", 80, "Port for plain HTTP"),
    ("https-port", "int", 443, "Port for TLS"),
    ("metrics-port", "int", 0, "Port for Prometheus metrics; off when 0"),
    ("http3", "bool", False, "Accepted; HTTP/3 is not served"),
    ("client-header-timeout", "duration", 60 * SECOND, "How long a client may take to send a request's headers"),
    ("client-body-timeout", "duration", 3600 * SECOND, "How long a client may be silent inside a request's body"),
    ("proxy-protocol-from", "list", None, "Network(s) whose PROXY protocol header is believed; all must send one"),
)

DRAIN = ("drain-timeout", "duration", 30 * SECOND, "Maximum time that requests in flight may finish")

Flag = tuple[str, str, object, str]


class Command:
    """One subcommand: its words, its help line, how many arguments it takes, and its flags."""

    __slots__ = ("arguments", "flags", "one_of", "required", "summary", "words")

    def __init__(
        self,
        words: str,
        summary: str,
        *,
        arguments: int = 1,
        flags: tuple[Flag, ...] = (),
        required: tuple[str, ...] = (),
        one_of: tuple[str, ...] = (),
    ) -> None:
        self.words = words
        self.summary = summary
        self.arguments = arguments
        self.flags = flags
        self.required = required
        self.one_of = one_of


COMMANDS = (
    Command("deploy", "Deploy a target host", flags=TARGETS + SERVICE + PROTECTION, required=("target",)),
    Command("list", "List the services that are being proxied", arguments=0),
    Command(
        "pause",
        "Hold a service's requests",
        flags=(DRAIN, ("max-pause", "duration", 30 * SECOND, "How long a request may be held")),
    ),
    Command("remove", "Remove a service"),
    Command("resume", "Resume a paused or stopped service"),
    Command("rollout deploy", "Deploy a rollout target host", flags=TARGETS, required=("target",)),
    Command(
        "rollout set",
        "Set which traffic goes to the rollout target",
        flags=(
            ("percent", "int", 0, "Percentage of the cookie values"),
            ("list", "list", None, "Cookie values that always use the rollout target"),
        ),
        one_of=("percent", "list"),
    ),
    Command("rollout stop", "Send no traffic to the rollout target"),
    Command("run", "Run the server", arguments=0, flags=RUN),
    Command(
        "stop",
        "Answer a service's requests with a maintenance page",
        flags=(DRAIN, ("message", "string", "", "Message on the page")),
    ),
)
ALIASES = {"rm": "remove", "ls": "list"}


def default_acme_cache_path() -> str:
    """`--tls-acme-cache-path` unless given; computed by the client (spec/proxy.md 2)."""
    return f"{data_directory()}/certs"


def default_text(kind: str, default: object) -> str:
    """` (default 30s)` for the help, empty where the default says nothing."""
    if kind == "duration" and isinstance(default, int):
        return f" (default {format_duration(default)})"
    if default in (None, "", False, 0, -1):
        return ""
    return f" (default {str(default).lower()})"
