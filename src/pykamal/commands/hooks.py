"""The hooks: when each runs, the variables it gets, its sample, and the command that runs it (spec/cli.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pykamal.commands.command import Command, command


@dataclass(frozen=True, slots=True)
class Hook:
    """A script of the team's own that runs at a fixed moment, if a file of its name is there.

    `about` says in sentences when it runs and what it is good for; `example` is the shell script of its sample.
    `variables` are environment variables of its own, or with a value of its own, beside `COMMON_VARIABLES`; who runs
    the hook gives their values. With `gets_secrets`, the entries of the secrets files are variables as well.
    """

    name: str
    about: str
    example: str
    variables: Mapping[str, str] = field(default_factory=dict)
    gets_secrets: bool = False


COMMON_VARIABLES: Final = {
    "KAMAL_RECORDED_AT": "the time, in UTC",
    "KAMAL_PERFORMER": "who runs the command: the e-mail address that Git knows, else the user",
    "KAMAL_SERVICE": "the service",
    "KAMAL_SERVICE_VERSION": "the service with the first letters of the version",
    "KAMAL_VERSION": "the version",
    "KAMAL_DESTINATION": "the destination, if there is one",
    "KAMAL_HOSTS": "the selected servers, separated by commas",
    "KAMAL_ROLES": "the roles that --roles selected, if it did",
    "KAMAL_COMMAND": "the command or its group, such as deploy or app",
    "KAMAL_SUBCOMMAND": "the command of a group, such as boot",
    "KAMAL_LOCK": "true where the deploy lock is held, else false",
}
"""The environment variables of every hook."""

_GROUP: Final = {"KAMAL_HOSTS": "the servers of the group, separated by commas"}

PRE_CONNECT: Final = Hook(
    "pre-connect",
    "Runs once, before anything is built or any server is connected to. A non-zero exit status stops the command. "
    "A place to open a VPN to the servers or to wake DNS caches; secret managers are asked before.",
    """\
for host in $(echo "$KAMAL_HOSTS" | tr "," " "); do
  getent hosts "${host##*@}" > /dev/null || { echo "$host has no address" >&2; exit 1; }
done
""",
    gets_secrets=True,
)
DOCKER_SETUP: Final = Hook(
    "docker-setup",
    "Runs here once `kamal server bootstrap` or `kamal setup` has made sure of Docker on the servers.",
    'echo "Docker is ready on $KAMAL_HOSTS"\n',
)
PRE_BUILD: Final = Hook(
    "pre-build",
    "Runs before the image is built. A non-zero exit status stops the deploy. "
    "A place to check that what is about to be built is what everybody else has.",
    """\
if [ -n "$(git status --porcelain)" ]; then
  echo "There are changes that are not committed" >&2
  exit 1
fi

branch=$(git branch --show-current)
if [ "$(git rev-parse HEAD)" != "$(git ls-remote origin "refs/heads/$branch" | cut -f 1)" ]; then
  echo "$branch is not pushed" >&2
  exit 1
fi
""",
)
PRE_DEPLOY: Final = Hook(
    "pre-deploy",
    "Runs under the deploy lock, after the build and before any container is touched. A non-zero exit status stops "
    "the deploy. A place to ask whether the tests of the version have passed.",
    """\
case "$KAMAL_COMMAND" in
  rollback) exit 0 ;;
esac

if [ "$KAMAL_DESTINATION" = "production" ] && [ "$(date +%u)" -gt 5 ]; then
  echo "Not at the weekend, $KAMAL_PERFORMER" >&2
  exit 1
fi
""",
    gets_secrets=True,
)
PRE_APP_BOOT: Final = Hook(
    "pre-app-boot",
    "Runs before the app is started on a group of servers. `boot/limit` makes the groups. A non-zero exit status "
    "stops the deploy before that group.",
    'echo "Starting $KAMAL_SERVICE_VERSION on $KAMAL_HOSTS"\n',
    _GROUP,
)
POST_APP_BOOT: Final = Hook(
    "post-app-boot",
    "Runs after the app was started on a group of servers. A non-zero exit status stops the deploy before the next "
    "group.",
    'echo "Started $KAMAL_SERVICE_VERSION on $KAMAL_HOSTS"\n',
    _GROUP,
)
PRE_PROXY_REBOOT: Final = Hook(
    "pre-proxy-reboot",
    "Runs before the proxy is replaced on a group of servers. A place to take them out of a load balancer.",
    'echo "Replacing the proxy on $KAMAL_HOSTS"\n',
    _GROUP,
)
POST_PROXY_REBOOT: Final = Hook(
    "post-proxy-reboot",
    "Runs after the proxy was replaced on a group of servers. A place to put them back into a load balancer.",
    'echo "Replaced the proxy on $KAMAL_HOSTS"\n',
    _GROUP,
)
POST_DEPLOY: Final = Hook(
    "post-deploy",
    "Runs after a deploy, redeploy or rollback, when the lock was given back. A place to tell everybody.",
    'echo "$KAMAL_PERFORMER deployed $KAMAL_SERVICE_VERSION in $KAMAL_RUNTIME seconds"\n',
    {"KAMAL_RUNTIME": "how many whole seconds it took"},
    gets_secrets=True,
)

HOOKS: Final = (
    *(PRE_CONNECT, DOCKER_SETUP, PRE_BUILD, PRE_DEPLOY, PRE_APP_BOOT, POST_APP_BOOT),
    *(PRE_PROXY_REBOOT, POST_PROXY_REBOOT, POST_DEPLOY),
)
"""Every hook, in the order in which they run."""


def run(path: str) -> Command:
    """Run a hook. A name without a folder is a file of the working directory, never of the PATH."""
    return command(path if "/" in path else f"./{path}")
