"""Commands by which a host tells of secrets that it has what they are compared with, and nothing else.

Each value becomes a keyed hash there. The keys are random, of one run, and go to the host on standard input with the
script; neither they nor a value are an argument of a program, as far as `printf` is a part of the shell.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pykamal.commands import secret_delivery
from pykamal.commands.command import Command, Effect, Simple
from pykamal.commands.words import Syntax, Word, render
from pykamal.core.sensitive import Sensitive, encoded

FILE: Final = "file"
"""Stands for the env file in the first field of a line; a container has its name there."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Two keys, each as long as a block of SHA-256.

    The hash is NMAC with the hexadecimal form of the inner hash: HMAC itself needs bytes that a shell cannot write.
    """

    inner: Sensitive
    outer: Sensitive

    @classmethod
    def random(cls) -> Keys:
        return cls(Sensitive(secrets.token_hex(32)), Sensitive(secrets.token_hex(32)))

    def digest(self, value: Sensitive) -> str:
        """Return the keyed hash of a value, as the host makes it."""
        inner = hashlib.sha256(encoded(self.inner.reveal() + value.reveal())).hexdigest()
        return hashlib.sha256(encoded(self.outer.reveal() + inner)).hexdigest()


def digests(keys: Keys, env_file: str, containers: Iterable[Word], names: Iterable[str]) -> Command:
    """Print `file`, name and keyed hash of each line of an env file, then those of containers; separated by tabs.

    `containers` are the flags by which `docker ps` finds them, and `names` the variables of them that count. A line of
    a container has its name and its state instead of `file`.
    """
    wanted = render(f" {' '.join(names)} ", shown=False)
    flags = " ".join(render(word, shown=False) for word in containers)
    reading = secret_delivery.decrypted(env_file) if env_file.endswith(".age") else 'cat "$file"'
    inner, outer = (render(key, shown=False) for key in (keys.inner, keys.outer))
    text = f"""digests() {{
  while IFS= read -r line || [ -n "$line" ]; do
    name=${{line%%=*}}
    [ "$name" != "$line" ] || continue
    case $3 in ''|*" $name "*) ;; *) continue ;; esac
    hash=$(printf '%s%s' {inner} "${{line#*=}}" | sha256sum) || exit 1
    hash=$(printf '%s%s' {outer} "${{hash%% *}}" | sha256sum) || exit 1
    printf '%s\\t%s\\t%s\\t%s\\n' "$1" "$2" "$name" "${{hash%% *}}"
  done
}}
file={render(env_file, shown=False)}
if [ -e "$file" ]; then
  lines=$({reading}) || exit 1
  printf '%s\\n' "$lines" | digests {FILE} '' '' || exit 1
fi
containers=$(docker ps --all {flags} --format '{{{{.Names}}}} {{{{.State}}}}') || exit 1
echo "$containers" | while read -r container state; do
  [ -n "$container" ] || continue
  printf '%s\\t%s\\n' "$container" "$state"
  environment=$(
    docker container inspect --format '{{{{range .Config.Env}}}}{{{{println .}}}}{{{{end}}}}' "$container"
  ) || exit 1
  printf '%s\\n' "$environment" | digests "$container" "$state" {wanted} || exit 1
done"""
    summary = f"# keyed hashes of {env_file} and of the environment of its containers"
    return Command(Simple((Syntax(Sensitive(text)),)), Effect.READ, summary=summary)
