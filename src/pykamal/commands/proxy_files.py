"""Commands for files that only their owner and the proxy may read: private keys, password hashes.

They belong to the login that deploys, so that either tool can replace them, and to the group of the proxy's user, which
is no group of the login's. A directory with the set-group-ID bit passes its group on to the files that are made in it.
Only root can give it that group; root of the proxy's container may, since the directory is mounted there.
"""

from __future__ import annotations

from typing import Final

from pykamal.commands import run_directory
from pykamal.commands.command import Command, Effect, Simple
from pykamal.commands.proxy import CONTAINER
from pykamal.commands.proxy_paths import APPS_DIRECTORY, APPS_DIRECTORY_INSIDE, inside_proxy
from pykamal.commands.words import Syntax, render

FILE_MODE: Final = "0640"

_GRANT: Final = f"""
group=$1; shift
[ "$group" ] || while read -r name group rest && [ "$name" != Gid: ]; do :; done < /proc/1/status
[ $# -gt 0 ] || set -- {APPS_DIRECTORY_INSIDE}/*/tls/* {APPS_DIRECTORY_INSIDE}/*/auth
for directory do
  [ -d "$directory" ] || continue
  chown -R ":$group" "$directory" && chmod -R o-r "$directory" && chmod 2711 "$directory" || exit 1
  while [ "$directory" != {APPS_DIRECTORY_INSIDE} ]; do directory=${{directory%/*}}; chmod go+x "$directory"; done
done"""
"""Directories can be traversed by all, so that any proxy finds the files that Ruby Kamal writes."""


def make_directory(directory: str) -> Command:
    """Make a directory for such files below `APPS_DIRECTORY`; `grant` comes next."""
    return run_directory.make(directory)


def grant(directory: str) -> Command:
    """Let the proxy, which must run, read present and future files of a directory."""
    target = render(inside_proxy(directory), shown=False)
    return _shell(_granted(f" {target}"), f"# let the proxy alone read {directory}")


def grant_all() -> Command:
    """Let the proxy read every such directory, after another proxy was started."""
    none = f"""[ "$(find {APPS_DIRECTORY} -mindepth 2 -maxdepth 2 '(' -name tls -o -name auth ')')" ] || exit 0"""
    return _shell(f"{none}\n{_granted()}", "# let the proxy alone read the private files of apps").failing_allowed()


def open_to_any_proxy() -> Command:
    """Let a proxy of any group read the files until `grant_all`; the run directory keeps other users out."""
    text = f"""for directory in {APPS_DIRECTORY}/*/tls {APPS_DIRECTORY}/*/auth; do
  [ ! -d "$directory" ] || chmod -R o+r "$directory"
done"""
    return _shell(text, "# open the private files of apps to the next proxy").failing_allowed()


def _granted(targets: str = "") -> str:
    """By the proxy's own container; by one of its image where the proxy may not change groups, or where its users are
    not the host's.
    """
    script = render(_GRANT, shown=False)
    return f"""docker exec --user 0 {CONTAINER} sh -c {script} sh ''{targets} 2> /dev/null || {{
  running=$(docker container inspect --format '{{{{.State.Pid}}}} {{{{.Image}}}}' {CONTAINER}) || exit 1
  group=$(awk '$1 == "Gid:" {{ print $3 }}' "/proc/${{running%% *}}/status") || exit 1
  docker run --rm --pull never --user 0 --userns host --network none \\
    --volume "$PWD/{APPS_DIRECTORY}:{APPS_DIRECTORY_INSIDE}" "${{running#* }}" sh -c {script} sh "$group"{targets}
}}"""


def _shell(text: str, summary: str) -> Command:
    return Command(Simple((Syntax(text),)), Effect.CHANGE, summary=summary)
