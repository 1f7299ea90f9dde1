"""Commands that replace the proxy's container, with the shortest possible time without a listener.

The new container is made before the old one is stopped, so that nothing is pulled, made or removed in between. They
change names while neither runs: wherever a switch is cut off, `docker container start kamal-proxy || docker run ...`,
with which both tools boot a proxy, has one serving again. Both containers work on one volume, which the two engines'
images may own as different users: as long as either may write, both can.
"""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, Effect, Simple, command, query
from pykamal.commands.proxy import CONTAINER, STATE_VOLUME, create
from pykamal.commands.proxy_image import reference
from pykamal.commands.words import Syntax, render
from pykamal.config.models.service import Config

NEXT: Final = f"{CONTAINER}-next"
"""The new container's name until the old one is stopped."""

REPLACED: Final = f"{CONTAINER}-replaced"
"""The old container's name from then on, until the new one serves."""

ANSWERS_SECONDS: Final = 30
"""The seconds that the new proxy has to answer; 10,000 services take one or two."""

PUT_BACK_SECONDS: Final = 8
"""The seconds that the old proxy has when it is put back; one that was ending by then is started again."""

_MADE: Final = query("docker", "container", "inspect", CONTAINER).redirected("> /dev/null 2>&1")
_SHARED: Final = 'chown -R "${1%%:*}" /state && chmod -R g+rwX /state'
_OWNED: Final = (
    'chown -R "$1" /state && chmod -R u+rwX,go-w /state && chmod 0700 /state && '
    "if [ -d /state/certs ]; then chmod -R go-rwx /state/certs; fi"
)


def share_state(config: Config, host: str) -> Command:
    """Let the new proxy's user write the state as well as the old one's, by its group."""
    return _state_for(config, host, unless_of=CONTAINER, script=_SHARED, summary="# share the state with the new proxy")


def own_state(config: Config, host: str) -> Command:
    """Give the state to the new proxy's user alone, once it serves, with the modes that both engines give it."""
    return _state_for(config, host, unless_of=REPLACED, script=_OWNED, summary="# give the state to the new proxy")


def claim_state(config: Config, host: str) -> Command:
    """Give the state that an earlier proxy left to the user of a proxy that is about to be made."""
    return _state_for(config, host, unless_of=None, script=_OWNED, summary="# give the proxy what an earlier one left")


def unless_made(prepared: Command) -> Command:
    """Run a command only where no container of the proxy exists."""
    return _MADE.or_(prepared.grouped())


def clear() -> Command:
    """Remove the remains of an interrupted switch; the last remaining proxy gets its name back."""
    renamed = command("docker", "container", "rename", REPLACED, CONTAINER).redirected("> /dev/null 2>&1")
    left = command("docker", "container", "rm", "--force", NEXT, REPLACED).redirected("> /dev/null 2>&1")
    return _MADE.or_(renamed).then(left).failing_allowed()


def make(config: Config, host: str) -> Command:
    """Create the new container without starting it."""
    return create(config, host, name=NEXT).redirected("> /dev/null")


def switch() -> Command:
    """Stop the old container, if any, and start the new one. Requests in flight have the engine's stop timeout."""
    text = f"""
    docker container stop {CONTAINER} > /dev/null 2>&1
    docker container rename {CONTAINER} {REPLACED} > /dev/null 2>&1
    docker container rename {NEXT} {CONTAINER} && docker container start {CONTAINER} > /dev/null"""
    return _shell(text, f"docker container stop {CONTAINER} ; docker container start {NEXT}, which takes its name")


def wait() -> Command:
    """Wait until the new proxy answers, which means that it has read its state. Fails where it keeps restarting."""
    return _shell(_answers(ANSWERS_SECONDS), f"# wait until {CONTAINER} answers, at most {ANSWERS_SECONDS} seconds")


def remove_replaced() -> Command:
    return command("docker", "container", "rm", REPLACED).redirected("> /dev/null 2>&1").failing_allowed()


def put_back() -> Command:
    """Restore the old container after a failure: under its name, running, with the state's ownership."""
    text = f"""
    if {_exists(REPLACED)}; then
      docker container rm --force {CONTAINER} > /dev/null 2>&1
      docker container rename {REPLACED} {CONTAINER} || exit 1
    else
      {_exists(NEXT)} || exit 0
    fi
    docker container rm --force {NEXT} > /dev/null 2>&1
    {_exists(CONTAINER)} || exit 0
    {_run_on_state(f"$(docker container inspect --format '{{{{.Image}}}}' {CONTAINER})", _OWNED, _user_of(CONTAINER))}
    docker container start {CONTAINER} > /dev/null || exit 1
    ({_answers(PUT_BACK_SECONDS)}) > /dev/null 2>&1 || docker container restart {CONTAINER} > /dev/null"""
    return _shell(text, f"# put the old {CONTAINER} back")


def _answers(seconds: int) -> str:
    """Test from outside the container that the proxy answers, because not every image has a shell."""
    return f"""
    tries=0
    until docker exec {CONTAINER} kamal-proxy list > /dev/null 2>&1; do
      tries=$((tries + 1))
      restarts=$(docker container inspect --format '{{{{.RestartCount}}}}' {CONTAINER}) || exit 1
      if [ "$tries" -ge {seconds * 5} ] || [ "$restarts" -gt 2 ]; then
        echo "{CONTAINER} does not answer (restarted $restarts times)" >&2
        exit 1
      fi
      sleep 0.2
    done"""


def _state_for(config: Config, host: str, *, unless_of: str | None, script: str, summary: str) -> Command:
    """Run `script` as root on the volume with the new image's user as `$1`; not for the user of container `unless_of`.

    Without `unless_of` it runs where there is no container yet.
    """
    image = render(reference(config, host), shown=False)
    needed = f'[ "$user" != {_user_of(unless_of)} ]' if unless_of else f"! docker container inspect {CONTAINER}"
    text = f"""
    docker volume inspect {STATE_VOLUME} > /dev/null 2>&1 || exit 0
    user=$(docker image inspect --format '{{{{.Config.User}}}}' {image}) || exit 1
    if {needed} > /dev/null 2>&1; then
      {_run_on_state(image, script, '"${user:-0:0}"')}
    fi"""
    return _shell(text, summary)


def _run_on_state(image: str, script: str, user: str) -> str:
    line = "docker run --rm --pull never --user 0 --network none --volume"
    return f"{line} {STATE_VOLUME}:/state {image} sh -c {render(script, shown=False)} sh {user}"


def _exists(container: str) -> str:
    return f"docker container inspect {container} > /dev/null 2>&1"


def _user_of(container: str) -> str:
    return f"\"$(docker container inspect --format '{{{{.Config.User}}}}' {container} 2> /dev/null)\""


def _shell(text: str, summary: str) -> Command:
    dedented = "\n".join(line.removeprefix("    ") for line in text.strip("\n").split("\n"))
    return Command(Simple((Syntax(dedented),)), Effect.CHANGE, summary=summary)
