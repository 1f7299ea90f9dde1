"""Commands that stop a container and check that it no longer runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pykamal.commands.command import Command, Effect, Simple
from pykamal.commands.words import Syntax, render

SLOW_SECONDS: Final = 2
"""A container that ended sooner was not killed: Docker waits for ten seconds, or for `stop_timeout`."""

_END: Final = (
    '{"state": {{json .State}}, "program": {{json .Path}}, "arguments": {{json .Args}}, '
    '"init": {{json .HostConfig.Init}}}'
)


def stop(container: str, *flags: str, words: Sequence[str] = ("docker", "stop")) -> Command:
    """Stop a container. One that does not run, or is gone, counts as stopped. Fails where it still runs.

    Prints how it ended where that took long: seconds, and as JSON its state, its program with the arguments, and
    whether it has an init.
    """
    name, line = render(container, shown=False), _line(words, flags)
    return _stopping(f"container={name}", line, summary=f"{line} {name}")


def stop_found(found: Command, *flags: str) -> Command:
    """Stop the container whose identifier another command prints; nothing where it prints none."""
    line = _line(("docker", "stop"), flags)
    finding = f'container=$({found.shell_text()})\n[ -n "$container" ] || exit 0'
    return _stopping(finding, line, summary=f"{found.display_text()} | xargs {line}")


def _line(words: Sequence[str], flags: Sequence[str]) -> str:
    return " ".join(render(word, shown=False) for word in (*words, *flags))


def _stopping(finding: str, line: str, *, summary: str) -> Command:
    text = f"""{finding}
begun=$(date +%s)
if ! {line} "$container" > /dev/null; then
  case $(docker container inspect --format '{{{{.State.Running}}}}' "$container" 2>&1) in
    false | *[Nn]"o such container"*) ;;
    *) exit 1 ;;
  esac
fi
seconds=$(($(date +%s) - begun))
[ "$seconds" -ge {SLOW_SECONDS} ] || exit 0
printf '%s ' "$seconds"
docker container inspect --format '{_END}' "$container" || :"""
    return Command(Simple((Syntax(text),)), Effect.CHANGE, summary=summary)
