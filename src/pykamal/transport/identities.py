"""The keys to log in with, in the order in which they are offered."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncssh

from pykamal.core.printable import printable
from pykamal.core.sensitive import Sensitive, encoded, reveal
from pykamal.transport.known_hosts import fingerprint

DEFAULT_KEYS: Final = ("~/.ssh/id_ed25519", "~/.ssh/id_rsa", "~/.ssh/id_ecdsa")


@dataclass(frozen=True, slots=True)
class Identities:
    """`pairs` in the order to offer; `tried` names each for people; `problems` tells of keys that could not be used."""

    pairs: tuple[asyncssh.SSHKeyPair, ...]
    tried: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Keyring:
    """Reads each key once and keeps one connection to the agent, for all hosts of a run."""

    def __init__(self, key_data: Sequence[str | Sensitive], prompts: Prompts) -> None:
        self._key_data = tuple(key_data)
        self._prompts = prompts
        self._files: dict[str, list[asyncssh.SSHKeyPair] | str] = {}
        self._agents: dict[str, asyncssh.SSHAgentClient | None] = {}

    async def identities(
        self,
        *,
        files: Sequence[str],
        default_files: bool,
        only_these: bool,
        agent_path: str | None,
    ) -> Identities:
        """`files` and the key texts come first, then, unless `only_these`, the agent's keys and the default files.

        A key file that needs a passphrase is used through the agent, if the agent has it.
        """
        agent_pairs = await self._agent_pairs(agent_path)
        by_blob = {pair.public_data: pair for pair in agent_pairs}
        found = _Found()
        for path in files:
            await self._add_file(found, str(Path(path).expanduser()), by_blob, required=True)
        for number, text in enumerate(self._key_data, 1):
            self._add_text(found, number, text)
        if not only_these:
            for pair in agent_pairs:
                _add(found, pair, f"{_comment(pair)} of the agent")
        if default_files and not only_these:
            for path in DEFAULT_KEYS:
                await self._add_file(found, str(Path(path).expanduser()), by_blob, required=False)
        return Identities(tuple(found.pairs), tuple(found.tried), tuple(found.problems))

    def close(self) -> None:
        for agent in self._agents.values():
            if agent is not None:
                agent.close()
        self._agents.clear()

    async def _agent_pairs(self, path: str | None) -> Sequence[asyncssh.SSHKeyPair]:
        if not path:
            return ()
        if path not in self._agents:
            try:
                self._agents[path] = await asyncssh.connect_agent(path)
            except OSError:
                self._agents[path] = None
        agent = self._agents[path]
        if agent is None:
            return ()
        try:
            return await agent.get_keys()
        except (OSError, ValueError):
            return ()

    async def _add_file(
        self, found: _Found, path: str, by_blob: dict[bytes, asyncssh.SSHKeyPair], *, required: bool
    ) -> None:
        loaded = self._files.get(path) or _load(path)
        held = by_blob.get(_public_blob(path))
        if isinstance(loaded, _Locked) and held is None and required:
            passphrase = await self._prompts.secret(f"Enter passphrase for key '{path}': ")
            known = self._files.get(path, loaded)  # another host may have needed the key too, and waited with us
            loaded = _load(path, passphrase) if passphrase and isinstance(known, _Locked) else known
        self._files[path] = loaded
        if not isinstance(loaded, str):
            for pair in loaded:
                _add(found, pair, path)
        elif held is not None:
            _add(found, held, f"{path} through the agent")
        elif required or Path(path).exists():
            found.problems.append(f"{path}: {loaded}")

    def _add_text(self, found: _Found, number: int, text: str | Sensitive) -> None:
        name = f"key_data {number}"
        if name not in self._files:
            try:
                self._files[name] = list(asyncssh.load_keypairs([encoded(reveal(text))]))
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
                self._files[name] = str(error)
        loaded = self._files[name]
        if isinstance(loaded, str):
            found.problems.append(f"{name}: {loaded}")
        else:
            for pair in loaded:
                _add(found, pair, name)


def _add(found: _Found, pair: asyncssh.SSHKeyPair, name: str) -> None:
    if all((pair.public_data, pair.algorithm) != (other.public_data, other.algorithm) for other in found.pairs):
        found.pairs.append(pair)
        found.tried.append(f"{name} ({fingerprint(pair.public_data)})")


def _load(path: str, passphrase: Sensitive | None = None) -> list[asyncssh.SSHKeyPair] | str:
    """The key pairs of a file, with its certificate if there is one beside it; or why it cannot be used."""
    try:
        return list(asyncssh.load_keypairs([path], passphrase=passphrase.reveal() if passphrase else None))
    except FileNotFoundError:
        return "no such file"
    except asyncssh.KeyImportError as error:
        if "passphrase" in str(error).lower():
            return _Locked(f"needs a passphrase; add it to the agent: ssh-add {path}")
        return str(error)
    except asyncssh.KeyEncryptionError as error:
        return f"{error} (wrong passphrase?)"
    except (OSError, ValueError) as error:
        return str(error)


class _Locked(str):
    """A key that cannot be used, because it has a passphrase."""

    __slots__ = ()


def _public_blob(path: str) -> bytes:
    try:
        return asyncssh.read_public_key(f"{path}.pub").public_data
    except (OSError, ValueError):
        return b""


def _comment(pair: asyncssh.SSHKeyPair) -> str:
    return pair.get_comment("utf-8", "replace") or "a key"


def agent_socket(configured: str | None) -> str | None:
    """The agent to use: IdentityAgent of the client configuration, else `SSH_AUTH_SOCK`."""
    if configured and configured != "SSH_AUTH_SOCK":
        return str(Path(configured).expanduser())
    return os.environ.get("SSH_AUTH_SOCK") or None


class Prompts:
    """Questions for secrets. Each question is asked once a run; without a terminal the answer is None at once."""

    def __init__(self) -> None:
        self._answers: dict[str, Sensitive | None] = {}
        self._turn = asyncio.Lock()

    async def secret(self, question: str) -> Sensitive | None:
        """The answer, which is not shown while it is typed; None without a terminal, for no answer, and at its end."""
        async with self._turn:
            if question not in self._answers:
                self._answers[question] = await self._ask(question)
            return self._answers[question]

    async def _ask(self, question: str) -> Sensitive | None:
        if not sys.stdin.isatty():
            return None
        typed = ""
        with suppress(EOFError):
            typed = await asyncio.get_running_loop().run_in_executor(None, getpass.getpass, printable(question))
        return Sensitive(typed) if typed else None
