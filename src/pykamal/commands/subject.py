"""The subject of a step, from which a failure's possible causes and its settings in deploy.yml follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from pykamal.config.models.accessory import Accessory
from pykamal.config.models.role import Role


class Action(Enum):
    """The action of a step."""

    INSTALL = auto()
    """Make the engine of a host answer."""
    LOG_IN = auto()
    CREATE_BUILDER = auto()
    BUILD = auto()
    PULL = auto()
    CHECK_IMAGE = auto()
    RUN = auto()
    """Make a container and start it."""
    START = auto()
    STOP = auto()
    REMOVE_CONTAINER = auto()
    WAIT = auto()
    """Watch a container until it works."""
    RECHECK = auto()
    """Check that a container that worked still does."""
    REMOVE = auto()
    """Remove files, or a service from the proxy; a failure does not end the run."""
    SWITCH = auto()
    """Send a command to the proxy."""
    EXECUTE = auto()
    """Run a line that the user gave."""
    LOOK = auto()


class Kind(Enum):
    """The kind of object that a step acts on."""

    APP = auto()
    ROLE = auto()
    ACCESSORY = auto()
    PROXY = auto()
    REGISTRY = auto()
    HOST = auto()


@dataclass(frozen=True, slots=True)
class Subject:
    """The object of a step. `name` is that of a role or an accessory, `service` the label of its containers.

    `setting` is the key path of deploy.yml that describes it. `deploy_timeout` is how many seconds a step waits,
    `check_interval` how many pass between two checks of the proxy.
    """

    action: Action
    kind: Kind
    setting: str = ""
    name: str = ""
    service: str = ""
    deploy_timeout: int | None = None
    check_interval: int | None = None

    @property
    def title(self) -> str:
        """Return its name in a sentence: `role web`."""
        match self.kind:
            case Kind.ROLE:
                return f"role {self.name}"
            case Kind.ACCESSORY:
                return f"accessory {self.name}"
            case Kind.PROXY:
                return "kamal-proxy"
            case Kind.REGISTRY:
                return "the registry"
            case Kind.HOST:
                return "the host"
        return "the app"


def of_app(action: Action) -> Subject:
    return Subject(action, Kind.APP)


def of_role(action: Action, role: Role, *, deploy_timeout: int | None = None) -> Subject:
    setting = f"servers/{role.name}"
    interval = role.proxy.healthcheck.interval if role.proxy is not None else None
    return Subject(action, Kind.ROLE, setting, role.name, role.service, deploy_timeout, interval)


def of_accessory(action: Action, accessory: Accessory, *, deploy_timeout: int | None = None) -> Subject:
    setting = f"accessories/{accessory.name}"
    return Subject(action, Kind.ACCESSORY, setting, accessory.name, accessory.service, deploy_timeout)


def of_proxy(action: Action) -> Subject:
    return Subject(action, Kind.PROXY, "proxy/run")


def of_registry(setting: str = "registry") -> Subject:
    """Return the subject of a login; `setting` is the registry's key path, an accessory's own below the accessory."""
    return Subject(Action.LOG_IN, Kind.REGISTRY, setting)


def of_local_registry() -> Subject:
    """Return the subject for the container of a local registry."""
    return Subject(Action.RUN, Kind.REGISTRY, "registry/server")


def of_host(action: Action) -> Subject:
    return Subject(action, Kind.HOST)
