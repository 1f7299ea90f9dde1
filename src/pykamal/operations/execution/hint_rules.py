"""The rules of `pykamal.operations.execution.hints`, by what they are about; the first that matches counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pykamal.commands.subject import Action, Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is looked for in lower case; `hint` is one for all kinds of subjects, or one for each.

    In it `{title}` and `{setting}` are the subject's, `{place}` is where the step ran and `{user}` as whom. Without
    `actions` the rule is for every step.
    """

    pattern: str
    hint: str | Mapping[Kind, str]
    actions: frozenset[Action] = frozenset()


def _on(*actions: Action) -> frozenset[Action]:
    return frozenset(actions)


_PULLING: Final = _on(Action.PULL, Action.RUN)
_CONTAINER: Final = _on(Action.RUN, Action.START)
_AT_SWITCH: Final = _on(Action.SWITCH)
_EXECUTING: Final = _on(Action.EXECUTE)

_MISSING: Final = (
    r"manifest unknown|manifest for \S+ not found|failed to resolve reference .*not found|name unknown"
    r"|no such image"
)
_DENIED: Final = (
    r"pull access denied|unauthorized|no basic auth credentials|authentication required|(?<!permission )denied: "
)
_SILENT: Final = r"dial tcp|: eof$|tls handshake timeout|i/o timeout|context deadline exceeded|connection reset by peer"


_REGISTRY_SILENT: Final = "the registry does not answer: check whether it is up and in reach from there, and {0}"
_BAD_CERTIFICATE: Final = (
    "the registry shows a certificate that this engine does not trust: renew it, or put its authority into "
    "/etc/docker/certs.d {place}"
)

_REGISTRY_RULES: Final = (
    Rule(
        r"cannot perform an interactive login|password is empty",
        "the registry's password is empty: see what .kamal/secrets makes of it (kamal secrets print)",
        _on(Action.LOG_IN),
    ),
    Rule(
        r"error saving credentials|config\.json.*(permission denied|no such file)",
        "Docker cannot keep the login: see who owns ~/.docker {place}",
        _on(Action.LOG_IN),
    ),
    Rule(
        r"unauthorized|incorrect username or password|denied",
        "the registry refused the credentials: check {setting}/username and {setting}/password",
        _on(Action.LOG_IN),
    ),
    Rule(_SILENT, _REGISTRY_SILENT.format("{setting}/server in deploy.yml"), _on(Action.LOG_IN)),
    Rule(r"x509:", _BAD_CERTIFICATE, _on(Action.LOG_IN)),
    Rule(
        r"no matching manifest for",
        {
            Kind.APP: "the image was not built for that processor: add it to builder/arch",
            Kind.ROLE: "the image was not built for that processor: add it to builder/arch",
            Kind.ACCESSORY: "there is no such image for the processor of that host: name another in {setting}/image",
            Kind.PROXY: "there is no such image for the processor of that host: see {setting}",
        },
        _PULLING,
    ),
    Rule(
        _MISSING,
        {
            Kind.APP: "the image is not in the registry: build and push it (kamal build push), or check --version",
            Kind.ROLE: "the image is neither there nor in the registry: build and push it (kamal build push), or check "
            "--version",
            Kind.ACCESSORY: "the registry has no such image: check {setting}/image, its tag too, and "
            "{setting}/registry",
            Kind.PROXY: "the registry has no such image: check registry, repository and version in {setting}",
        },
        _PULLING,
    ),
    Rule(
        _DENIED,
        {
            Kind.APP: "the image is not in the registry, or the registry refused the credentials: check image, "
            "registry/username and registry/password; `kamal registry login` logs in",
            Kind.ROLE: "the image is not in the registry, or the registry refused the credentials: check image, "
            "registry/username and registry/password; `kamal build pull` logs in and brings the image",
            Kind.ACCESSORY: "the registry has no such image, or gives it to nobody who has not logged in: check "
            "{setting}/image, and give {setting}/registry a username and a password where it is private",
            Kind.PROXY: "the registry has no such image, or gives it to nobody who has not logged in: check registry, "
            "repository and version in {setting}",
        },
        _PULLING,
    ),
    Rule(
        r"toomanyrequests|rate limit",
        "the registry has given out too many images for now: log in to it, or wait",
        _PULLING,
    ),
    Rule(
        r"invalid reference format",
        {
            Kind.APP: "that is no name of an image, or no tag: see image and registry/server in deploy.yml, and "
            "--version or VERSION",
            Kind.ROLE: "that is no name of an image, or no tag: see image and registry/server in deploy.yml, and "
            "--version or VERSION",
            Kind.ACCESSORY: "that is no name of an image, or no tag: see {setting}/image and {setting}/registry",
            Kind.PROXY: "that is no name of an image, or no tag: see registry, repository and version in {setting}",
        },
        _PULLING,
    ),
    Rule(
        _SILENT,
        {
            Kind.APP: _REGISTRY_SILENT.format("registry/server in deploy.yml"),
            Kind.ROLE: _REGISTRY_SILENT.format("registry/server in deploy.yml"),
            Kind.ACCESSORY: _REGISTRY_SILENT.format("the registry that {setting} names"),
            Kind.PROXY: _REGISTRY_SILENT.format("{setting}/registry in deploy.yml"),
            Kind.REGISTRY: "Docker Hub, which has the image of the local registry, does not answer: load or pull "
            "registry:3 {place} by another way",
        },
        _PULLING,
    ),
    Rule(r"x509:", _BAD_CERTIFICATE, _PULLING),
    Rule(
        r"is missing the 'service' label",
        "it was not built by kamal: build it with `kamal build push`, or let its Dockerfile give it the label",
        _on(Action.CHECK_IMAGE),
    ),
    Rule(
        r"no such (image|object)",
        "the image is not on that host: `kamal build pull` brings it there",
        _on(Action.CHECK_IMAGE),
    ),
)

_BUILD_RULES: Final = (
    Rule(r'no builder "kamal-', "make the builder first: kamal build create", _on(Action.BUILD)),
    Rule(
        r"existing instance for",
        "the builder is there already; kamal build remove removes it",
        _on(Action.CREATE_BUILDER),
    ),
    Rule(
        r"failed to (solve|push).*(denied|unauthorized|authorization failed|no basic auth credentials)"
        r"|no basic auth credentials|push access denied",
        "the registry refused the login of this machine: check registry/username and registry/password, whether that "
        "user may push the image, and whether a base image in the Dockerfile is private",
        _on(Action.BUILD),
    ),
    Rule(
        r"did not complete successfully",
        "a step of the Dockerfile failed: the output above says why",
        _on(Action.BUILD),
    ),
    Rule(
        r"failed to calculate checksum|failed to compute cache key",
        "the Dockerfile copies a file that is not in the build context: see that it is committed, and not named in "
        ".dockerignore",
        _on(Action.BUILD),
    ),
    Rule(
        rf"failed to (solve|resolve).*(not found|{_MISSING})|{_MISSING}",
        "a base image that the Dockerfile names is not in its registry: check its FROM lines",
        _on(Action.BUILD),
    ),
    Rule(
        r"no match for platform|no matching manifest for",
        "a base image that the Dockerfile names does not exist for builder/arch: check both",
        _on(Action.BUILD),
    ),
    Rule(
        _SILENT,
        "the registry does not answer, that of the image (registry/server) or of a base image: see the output above",
        _on(Action.BUILD),
    ),
    Rule(r"x509:", _BAD_CERTIFICATE, _on(Action.BUILD)),
)

_CONTAINER_RULES: Final = (
    Rule(
        r'name "/?\S+" is already in use',
        {
            Kind.PROXY: "there is a proxy that cannot start: kamal proxy reboot makes it anew",
            Kind.ACCESSORY: "a container of that name is there already: see `docker ps --all` there; `kamal accessory "
            "reboot` makes it anew",
            Kind.ROLE: "a container of that name is there already, which is none of this role: see `docker ps --all` "
            "there, and rename or remove it",
        },
        _CONTAINER,
    ),
    Rule(
        r"port is already allocated|address already in use",
        {
            Kind.REGISTRY: "something {place} has the port of the local registry: see who listens there (ss -ltnp, "
            "docker ps), or choose another port in {setting}"
        },
        _CONTAINER,
    ),
    Rule(
        r"executable file not found|exec: .*(no such file or directory|permission denied)",
        {
            Kind.ROLE: "the image cannot run that program: see {setting}/cmd, or the CMD and ENTRYPOINT of the "
            "Dockerfile; the file must be in the image, and executable",
            Kind.ACCESSORY: "the image cannot run that program: see {setting}/cmd",
            Kind.PROXY: "the image is none of kamal-proxy: see registry, repository and version in {setting}",
        },
        _CONTAINER,
    ),
    Rule(
        r"exec format error",
        "the image is for another processor than this host's: build it for that one too, with builder/arch",
        _CONTAINER,
    ),
    Rule(
        r"network \S+ not found",
        {
            Kind.ROLE: "the network is not there: kamal proxy boot makes it",
            Kind.PROXY: "the network is not there: kamal proxy boot makes it",
            Kind.ACCESSORY: "the network is not there: `kamal accessory boot` makes kamal's own; another one that "
            "{setting}/network names is yours to make (docker network create)",
        },
        _CONTAINER,
    ),
    Rule(
        r"unknown (shorthand )?flag|invalid argument|flag needs an argument|invalid (volume|mount|memory|cpu)"
        r"|invalid specification|bind source path does not exist|conflicting options",
        {
            Kind.ROLE: "Docker does not take an option of {title}: check {setting}/options, volumes and logging",
            Kind.ACCESSORY: "Docker does not take an option of {title}: check options, volumes, files and directories "
            "in {setting}",
            Kind.PROXY: "Docker does not take an option of {title}: check {setting}/options",
        },
        _CONTAINER,
    ),
    Rule(
        r"no such container",
        {
            Kind.PROXY: "there is no proxy yet: kamal proxy boot",
            Kind.ACCESSORY: "there is no container of {title} yet: kamal accessory boot",
            Kind.ROLE: "there is no container of that version: see `kamal app containers`, and choose one with "
            "--version",
        },
        _on(Action.START),
    ),
)

_PROXY_RULES: Final = (
    Rule(
        r"target failed to become healthy",
        "the app runs but its health check does not answer 2xx in time: check proxy/app_port and "
        "proxy/healthcheck/path, or raise deploy_timeout",
        _AT_SWITCH,
    ),
    Rule(
        r"host settings conflict with another service",
        "another service has got that host and path meanwhile: `kamal server exec docker exec kamal-proxy kamal-proxy "
        "list` shows all; choose another proxy/host or proxy/path_prefix",
        _AT_SWITCH,
    ),
    Rule(
        r"unknown flag: --",
        "the proxy that runs there does not know a setting of deploy.yml: `kamal proxy build` and `kamal proxy "
        "reboot` make it pykamal's newest",
        _AT_SWITCH,
    ),
    Rule(r"no such container: kamal-proxy", "the proxy does not run there: kamal proxy boot", _AT_SWITCH),
    Rule(r"is not running", "the proxy is stopped: kamal proxy start", _AT_SWITCH),
    Rule(r"service not found", "the proxy does not know {title} yet: kamal app boot, or kamal deploy", _AT_SWITCH),
    Rule(
        r"dial unix|kamal-proxy\.sock",
        "the proxy does not answer: see `kamal proxy logs`; `kamal proxy reboot` makes it anew",
        _AT_SWITCH,
    ),
)

_EXECUTE_RULES: Final = (
    Rule(
        r"executable file not found|exec \S+ failed: no such file",
        "the image has no such program; what only a shell understands goes as one word: sh -c '...'",
        _EXECUTING,
    ),
    Rule(
        r"network \S+ not found",
        "nothing was deployed there yet: kamal setup, or kamal proxy boot for the network",
        _EXECUTING,
    ),
    Rule(
        rf"{_MISSING}|{_DENIED}",
        {
            Kind.ROLE: "the image is neither there nor in the registry: choose a version with --version, or deploy one",
            Kind.ACCESSORY: "the image is neither there nor in the registry: check {setting}/image and "
            "{setting}/registry",
        },
        _EXECUTING,
    ),
    Rule(
        r"no such container",
        {
            Kind.ROLE: "no container of that version is there: see `kamal app version`, or leave --reuse away",
            Kind.ACCESSORY: "{title} has no container there: kamal accessory boot, or leave --reuse away",
        },
        _EXECUTING,
    ),
    Rule(
        r"is not running",
        {
            Kind.ROLE: "its container is stopped: kamal app start starts it; without --reuse a new one is made",
            Kind.ACCESSORY: "its container is stopped: kamal accessory start starts it; without --reuse a new one is "
            "made",
        },
        _EXECUTING,
    ),
    Rule(
        r"port is already allocated|address already in use",
        "a new container gets the options of {title} too, and the port that they publish has been given away: run it "
        "in the container that there is, with --reuse",
        _EXECUTING,
    ),
    Rule(r"exit status 127", {Kind.HOST: "the host has no such program, or not where it is looked for"}, _EXECUTING),
)

_LOOK_RULES: Final = (
    Rule(
        r"no such container",
        {
            Kind.PROXY: "the proxy does not run there: kamal proxy boot",
            Kind.ACCESSORY: "{title} has no container there: kamal accessory boot",
            Kind.ROLE: "no such container is there: list the containers with `kamal app containers`",
        },
        _on(Action.LOOK),
    ),
    Rule(
        r"-audit\.log.*no such file",
        "nothing was done there by kamal yet, or somebody removed the log: kamal setup, kamal deploy",
        _on(Action.LOOK),
    ),
)

_HOST_RULES: Final = (
    Rule(
        r"age is not installed",
        "install age {place} (apt-get install age), or set x-pykamal/secrets/delivery to file or tmpfs",
    ),
    Rule(
        r"no tmpfs for secrets",
        "mount a tmpfs at /dev/shm {place} that every user may write to, or set x-pykamal/secrets/delivery to file",
    ),
    Rule(
        r"cannot connect to the docker daemon|error during connect",
        "the Docker engine is not running {place}: start it (systemctl start docker)",
    ),
    Rule(
        r"permission denied while trying to connect",
        "{user} may not use Docker {place}: where it has sudo rights, run kamal server bootstrap; else let root run "
        "`usermod -aG docker USER`",
    ),
    Rule(
        r"docker: (command )?not found|docker: no such file or directory",
        "Docker is not installed {place}: on hosts kamal server bootstrap does it, and kamal setup",
    ),
    Rule(
        r"no space left on device|disk quota exceeded",
        "the disk {place} is full: see `df -h`; `kamal prune all` removes old containers and images",
    ),
    Rule(
        r"read-only file system",
        "the file system {place} can only be read: see `mount` and `dmesg`, a disk may be broken",
    ),
    Rule(
        r"permission denied",
        "{user} may not do that {place}: see the owner and mode of the files",
    ),
)

RULES: Final = (
    *_REGISTRY_RULES,
    *_BUILD_RULES,
    *_CONTAINER_RULES,
    *_PROXY_RULES,
    *_EXECUTE_RULES,
    *_LOOK_RULES,
    *_HOST_RULES,
)
