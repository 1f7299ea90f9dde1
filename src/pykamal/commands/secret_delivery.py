"""Env files as hosts keep them: as plain files, in memory, or encrypted (`x-pykamal/secrets/delivery`).

In memory, the directory of env files is a link into a tmpfs, so that every other command finds them under the paths of
plain files. Encrypted files end in `.age`; Docker reads what they hold from a descriptor whose file has no name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pykamal.commands import host_files, run_directory
from pykamal.commands.command import Command, Effect, Simple, command
from pykamal.commands.script import Step
from pykamal.commands.words import SingleQuoted, Syntax, render
from pykamal.config.models.secrets_extension import SecretDelivery
from pykamal.config.models.service import Config
from pykamal.core.sensitive import Sensitive

_DESCRIPTOR: Final = 4
"""The next after that of `exec_env`."""

_SOURCE: Final = f"/dev/fd/{_DESCRIPTOR}"

_KEY_DIRECTORY: Final = '"$HOME"/.config/kamal'
_KEY: Final = f"{_KEY_DIRECTORY}/age.key"

_FIND_MEMORY: Final = """
memory_kind() { stat -f -c %T "${1%/*}" 2> /dev/null; }
find_memory() {
  memory=/dev/shm/kamal-$(id -un) || return 1
  if [ "$(id -u)" -eq 0 ]; then case $(memory_kind /run/kamal) in tmpfs|ramfs) memory=/run/kamal ;; esac; fi
  case $(memory_kind "$memory") in
    tmpfs|ramfs) ;;
    *) echo "no tmpfs for secrets: ${memory%/*} is none" >&2; return 1 ;;
  esac
  mkdir -m 0700 "$memory" 2> /dev/null && return
  if [ ! -L "$memory" ] && [ -d "$memory" ] && [ -O "$memory" ]; then chmod 0700 "$memory"
  else echo "no tmpfs for secrets: $memory is of another user" >&2; return 1; fi
}"""
"""Sets `$memory` to a directory in a tmpfs that nobody else can enter, or names the one that another user made."""


def env_flags(config: Config, path: str) -> list[str]:
    """Return the flags with which Docker reads an env file; `opened` gives it the file, where that is encrypted."""
    return ["--env-file", _SOURCE if _encrypted(config) else path]


def prepare(config: Config, directory: str) -> Command:
    """Make a directory for env files, and remove those that were kept in another way."""
    made = run_directory.make_private(directory)
    line = _link_to_memory(config, directory) if _in_memory(config) else remove_memory(config).and_(made)
    return replace(line, summary=made.display_text())


def remove_memory(config: Config) -> Command:
    """Remove env files in memory, and the link to them; nothing where there is no such link of ours."""
    link = render(config.env_directory, shown=False)
    text = f"""
{{
  memory=$(readlink {link} || :)
  case $memory in
    /run/kamal/*|/dev/shm/kamal-*) rm -rf "$memory" && rm -f {link} ;;
  esac
}}"""
    return _shell(text, f"# remove secrets of {config.service_with_destination} in memory")


def _link_to_memory(config: Config, directory: str) -> Command:
    link, below = (render(each, shown=False) for each in (config.env_directory, directory))
    app = render(config.app_directory, shown=False)
    target = render(config.env_directory.removeprefix(f"{run_directory.RUN_DIRECTORY}/"), shown=False)
    text = f"""{{{_FIND_MEMORY}
  find_memory || exit 1
  target="$memory"/{target}
  if [ "$(readlink {link})" != "$target" ]; then
    {run_directory.make(config.app_directory).shell_text()} || exit 1
    {remove_memory(config).shell_text()}
    rm -rf {link} && ln -s "$target" {app}/env.new-$$ && mv -fT {app}/env.new-$$ {link} || exit 1
  fi
  umask 077
  mkdir -p "$target" && mkdir -p {below}
}}"""
    return _shell(text, "# secrets in memory").in_subshell()


# -- encrypted files


def write(config: Config, path: str, text: Sensitive) -> Command:
    """Write an env file under its name, when it is complete. Makes the key of the host where there is none."""
    if not _encrypted(config):
        return host_files.write(path, text, "0600")
    encrypted = command("age", "--encrypt", "--identity", Syntax(_KEY)).fed(text)
    written = host_files.write_output(path, encrypted, "0600")
    plain = command("rm", "-f", path.removesuffix(".age"))
    return replace(_make_key().and_(written).and_(plain), summary=f"# write {path}, encrypted with age")


def age_steps(config: Config) -> tuple[Step, ...]:
    """See that a host can encrypt, where its env files are encrypted."""
    return (Step("check age", _require_age()),) if _encrypted(config) else ()


def _require_age() -> Command:
    missing = 'echo "age is not installed: $program is missing" >&2; exit 1'
    text = f'for program in age age-keygen; do command -v "$program" > /dev/null || {{ {missing}; }}; done'
    return replace(_shell(text, "# see that age is installed"), effect=Effect.READ)


def _make_key() -> Command:
    """Make the key of the host, whole or not at all: two roles may come to it at once."""
    text = f"""{{ [ -s {_KEY} ] || (
  umask 077
  new={_KEY}.new-$$
  mkdir -p {_KEY_DIRECTORY} && age-keygen -o "$new" 2> /dev/null &&
    {{ ln "$new" {_KEY} 2> /dev/null || [ -s {_KEY} ]; }}
  made=$?
  rm -f "$new"
  exit "$made"
); }}"""
    return _shell(text, "# make the host's key")


def opened(config: Config, path: str, run: Command) -> Command:
    """`run`, whose Docker reads the env file by `env_flags`. Of an encrypted one no plain text has a name by then."""
    if not _encrypted(config):
        return run
    line = _open(path).and_(run).in_subshell()
    return replace(line, summary=run.display_text(), user_line=run.user_line)


def opened_by_login(config: Config, path: str, line: Command) -> Command:
    """The same for a line that the login's own shell reads, whichever that is."""
    if not _encrypted(config):
        return line
    run = _open(path).and_(command("exec", "env", "SHLVL=1", Syntax('"${SHELL:-sh}"'), "-c", Syntax('"$0"')))
    shell = command("sh", "-c", SingleQuoted(run), SingleQuoted(line))
    return replace(shell, summary=line.display_text(), user_line=True)


def _open(path: str) -> Command:
    text = f"""{{{_FIND_MEMORY}
  find_memory && plain=$(mktemp "$memory"/plain.XXXXXX) || exit 1
  trap 'rm -f "$plain"; exit 143' HUP INT TERM
  {decrypted(path)} > "$plain" && exec {_DESCRIPTOR}< "$plain" || {{ rm -f "$plain"; exit 1; }}
  rm -f "$plain"
  trap - HUP INT TERM
}}"""
    return _shell(text, f"# decrypt {path}")


def decrypted(path: str) -> str:
    """Return shell text that prints what an encrypted file holds."""
    return f"age --decrypt --identity {_KEY} {render(path, shown=False)}"


def _encrypted(config: Config) -> bool:
    return config.extension.secrets.delivery is SecretDelivery.ENCRYPTED


def _in_memory(config: Config) -> bool:
    return config.extension.secrets.delivery is SecretDelivery.TMPFS


def _shell(text: str, summary: str) -> Command:
    return Command(Simple((Syntax(text),)), summary=summary)


# -- files that nothing uses


def prune(config: Config, host: str) -> Command:
    """Remove env files of roles and accessories that a host has not and no container there is of, and left-over copies.

    A copy is one for a rotation that was interrupted, or a file whose writing was: the latter only when it is old,
    since commands without the deploy lock write env files too.
    """
    roles = " ".join(role.name for role in config.roles if host in role.host_names)
    accessories = " ".join(each.name for each in config.accessories if host in each.hosts)
    other = "$name.env" if _encrypted(config) else "$name.env.age"
    text = f"""
env={render(config.env_directory, shown=False)}
service={render(config.service, shown=False)}
of_role() {{
  docker ps --all --quiet --filter "label=service=$service" --filter "label=role=$1" \\
    --filter {render(f"label=destination={config.destination or ''}", shown=False)}
}}
of_accessory() {{ docker ps --all --quiet --filter "label=service=$service-$1"; }}
unused() {{
  for file in "$env/$1"/*; do
    [ -f "$file" ] || continue
    case $file in *.before) rm -f "$file"; continue ;; *.env|*.env.age) ;; *) continue ;; esac
    name=${{file##*/}} name=${{name%.age}} name=${{name%.env}}
    case $2 in
      *" $name "*) [ "${{file##*/}}" != "{other}" ] || rm -f "$file" ;;
      *) used=$("$3" "$name") || return 1; [ -n "$used" ] || rm -f "$file" ;;
    esac
  done
}}
unused roles {render(f" {roles} ", shown=False)} of_role &&
  unused accessories {render(f" {accessories} ", shown=False)} of_accessory || exit 1
find "$env/" -type f -name '*.new-*' -mmin +10 -exec rm -f {{}} + 2> /dev/null || :"""
    return _shell(text, f"# remove env files of {config.service_with_destination} that no container uses").in_subshell()


def remove(path: str) -> Command:
    """Remove an env file, its copies and what is left of it from another way of keeping it."""
    plain = path.removesuffix(".age")
    return command("rm", "-f", *(f"{each}{kept}" for each in (plain, f"{plain}.age") for kept in ("", ".before")))
