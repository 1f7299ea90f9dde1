"""Harnesses of the adapters for what lives in files and on the machine, for the conformance suite."""

from __future__ import annotations

import gc
import hashlib
import hmac
import importlib
import json
import os
import secrets
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from pykamal.secrets.adapters import adapter
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE
from pykamal.secrets.conformance import Fault, Harness
from tests.managers.file_tools import BIN, AgeKey, Gpg, run
from tests.managers.keyring_session import Session

TEXT: Final = {"not UTF-8": "values are in JSON, which is text"}
NO_FIELDS: Final = {"missing field": "a name is a key, which has no fields"}
NO_LOGIN: Final = {
    "not logged in": "there is no login",
    "wrong password": "there is no login",
    "expired login": "there is no login",
}
NEVER_EXPIRES: Final = {"expired login": "a key does not expire"}
NO_SERVER: Final = {"rate limit": "there is no server"}
NO_PROGRAM: Final = {
    "missing tool": "the adapter needs no program and no package",
    "number of requests": "the adapter asks nobody",
    "server gone": "there is no server",
    "no answer": "there is no server",
}


class LocalHarness(Harness):
    """Values in one JSON document of the working directory. The program, if any, is alone on the PATH, and counted."""

    adapter_name: ClassVar[str]
    program: ClassVar[str] = ""
    source: str | None = "secrets.json"
    file: ClassVar[str] = "secrets.json"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        self.folder: Path = request.getfixturevalue("tmp_path")
        self.monkeypatch.chdir(self.folder)
        self.monkeypatch.setenv("HOME", str(self.folder))
        self.runs = self.folder / "runs"
        self.runs.touch()
        self.path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        if self.program:
            self.write_program("")
            self.monkeypatch.setenv("PATH", str(self.folder / "bin"))

    def write_program(self, before: str) -> None:
        """Put the real program on the PATH, behind shell lines."""
        program = self.folder / "bin" / self.program
        program.parent.mkdir(exist_ok=True)
        lines = ["#!/bin/sh", f"echo >> {self.runs}", f"PATH={self.path}", before, f'exec {self.program} "$@"', ""]
        program.write_text("\n".join(lines))
        program.chmod(0o755)

    def adapter(self) -> Adapter:
        return type(adapter(self.adapter_name))()

    def store(self, values: Mapping[str, str | bytes]) -> None:
        Path(self.file).write_bytes(self.encrypted(json.dumps(values).encode()))

    def encrypted(self, content: bytes) -> bytes:
        return content

    def cause(self, fault: Fault) -> None:
        if fault is Fault.HALF_AN_ANSWER:
            content = Path(self.file).read_bytes()
            Path(self.file).write_bytes(content[: len(content) * 2 // 3])
        elif fault is Fault.MISSING_TOOL:
            (self.folder / "bin" / self.program).unlink()
        elif fault is Fault.SERVER_GONE:
            self.write_program('printf \'{"one": "\'; kill -9 $$')
        elif fault is Fault.NO_ANSWER:
            self.monkeypatch.setenv(SECONDS_VARIABLE, "2")
            self.write_program("sleep 60")
        else:
            super().cause(fault)

    def requests(self) -> int:
        return len(self.runs.read_text())

    def most_requests(self, secrets: int) -> int:
        return 1


class FileHarness(LocalHarness):
    adapter_name = "file"
    not_applicable: ClassVar[Mapping[str, str]] = {**TEXT, **NO_FIELDS, **NO_LOGIN, **NO_SERVER, **NO_PROGRAM}


class EnvHarness(LocalHarness):
    """Variables of this process."""

    adapter_name = "env"
    source = None
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NO_FIELDS,
        **NO_LOGIN,
        **NO_SERVER,
        **NO_PROGRAM,
        "NUL byte": "no variable can hold it",
        "half an answer": "there is no answer",
    }

    def store(self, values: Mapping[str, str | bytes]) -> None:
        for name, value in values.items():
            text = value if isinstance(value, str) else value.decode(errors="surrogateescape")
            self.monkeypatch.setenv(name, text)


class ExecHarness(LocalHarness):
    """A program that prints a document."""

    adapter_name = "exec"
    program = "shop-secrets"
    source = "shop-secrets"
    not_applicable: ClassVar[Mapping[str, str]] = {**TEXT, **NO_FIELDS, **NO_LOGIN, **NO_SERVER}

    def write_program(self, before: str) -> None:
        super().write_program(f"{before or f'exec cat {self.folder}/{self.file}'}")

    def key(self, short: str) -> str:
        return short


class SopsHarness(LocalHarness):
    """A file for a key of age."""

    adapter_name = "sops"
    program = "sops"
    not_applicable: ClassVar[Mapping[str, str]] = {**TEXT, **NO_FIELDS, **NEVER_EXPIRES, **NO_SERVER}

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        with self.monkeypatch.context() as patched:
            patched.setenv("PATH", self.path)
            self.keys = AgeKey.make(self.folder / "key.txt"), AgeKey.make(self.folder / "other.txt")
        for name in ("SOPS_AGE_KEY", "AGE_KEY"):
            self.monkeypatch.delenv(name, raising=False)
        self.use(self.keys[0])

    def use(self, key: AgeKey) -> None:
        for name in ("SOPS_AGE_KEY_FILE", "AGE_KEY_FILE"):
            self.monkeypatch.setenv(name, str(key.file))

    def encrypted(self, content: bytes) -> bytes:
        words = ["encrypt", "--age", self.keys[0].recipient, "--filename-override", self.file]
        return run(BIN / "sops", *words, stdin=content)

    def cause(self, fault: Fault) -> None:
        if fault is Fault.WRONG_PASSWORD:
            self.use(self.keys[1])
        elif fault is Fault.NOT_LOGGED_IN:
            for name in ("SOPS_AGE_KEY_FILE", "AGE_KEY_FILE"):
                self.monkeypatch.delenv(name)
        else:
            super().cause(fault)

    def credentials(self) -> tuple[str, ...]:
        return tuple(key.text.splitlines()[-1] for key in self.keys)


class AgeHarness(SopsHarness):
    """The same by age."""

    adapter_name = "age"
    program = "age"
    source = "secrets.json.age"
    file = "secrets.json.age"

    def encrypted(self, content: bytes) -> bytes:
        return run("/usr/bin/age", "--encrypt", "-r", self.keys[0].recipient, stdin=content)

    def cause(self, fault: Fault) -> None:
        if fault is Fault.MISSING_TOOL:
            self.monkeypatch.setitem(sys.modules, "pyrage", None)
        super().cause(fault)


class PassHarness(LocalHarness):
    """Whole entries, since a line of an entry holds no line break."""

    adapter_name = "pass"
    program = "pass"
    source = None
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NEVER_EXPIRES,
        **NO_SERVER,
        "two hundred at once": "each entry takes a process; two hundred fields of one are in test_pass.py",
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.gpg: Gpg = request.getfixturevalue("gpg")
        super().__init__(request)
        self.empty = Path(self.folder, "empty")
        self.empty.mkdir(mode=0o700)
        self.monkeypatch.setenv("GNUPGHOME", str(self.gpg.home))
        self.monkeypatch.setenv("PASSWORD_STORE_DIR", str(self.folder / "store"))

    def store(self, values: Mapping[str, str | bytes]) -> None:
        Path("store").mkdir()
        for short, value in values.items():
            content = value.encode() if isinstance(value, str) else value
            words = ["--batch", "--quiet", "--yes", "--trust-model", "always", "--encrypt", "-r", Gpg.USER]
            run("/usr/bin/gpg", *words, "-o", f"store/{short}.gpg", stdin=content + b"\n")

    def name(self, short: str) -> str:
        return f"{short}#*"

    def missing_field(self) -> str:
        return "one#missing"

    def cause(self, fault: Fault) -> None:
        if fault in (Fault.WRONG_PASSWORD, Fault.NOT_LOGGED_IN):
            self.monkeypatch.setenv("GNUPGHOME", str(self.empty))
        elif fault is Fault.HALF_AN_ANSWER:
            content = Path("store/one.gpg").read_bytes()
            Path("store/one.gpg").write_bytes(content[:-20])
        elif fault is Fault.SERVER_GONE:
            self.write_program('[ "$1" = version ] || { printf half; kill -9 $$; }')
        elif fault is Fault.NO_ANSWER:
            super().cause(fault)
            self.write_program('[ "$1" = version ] || sleep 60')
        else:
            super().cause(fault)

    def most_requests(self, secrets: int) -> int:
        return secrets + 1


class AnsibleVaultHarness(LocalHarness):
    """A file as ansible-core writes it; test_ansible_vault.py reads those of ansible-core itself."""

    adapter_name = "ansible_vault"
    not_applicable: ClassVar[Mapping[str, str]] = {**TEXT, **NO_FIELDS, **NEVER_EXPIRES, **NO_SERVER, **NO_PROGRAM}
    password: ClassVar[str] = "vault-hush-5c20a1"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        for name in ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST"):
            self.monkeypatch.delenv(name, raising=False)
        self.monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD", self.password)

    def encrypted(self, content: bytes) -> bytes:
        salt = secrets.token_bytes(32)
        derived = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, 10_000, 80)
        padding = 16 - len(content) % 16
        encryptor = Cipher(AES(derived[:32]), CTR(derived[64:])).encryptor()
        text = encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()
        digest = hmac.digest(derived[32:64], text, "sha256")
        body = b"\n".join(part.hex().encode() for part in (salt, digest, text))
        return b"$ANSIBLE_VAULT;1.1;AES256\n" + body.hex().encode() + b"\n"

    def cause(self, fault: Fault) -> None:
        if fault is Fault.WRONG_PASSWORD:
            self.monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD", f"{self.password}-other")
        elif fault is Fault.NOT_LOGGED_IN:
            self.monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD")
        else:
            super().cause(fault)

    def credentials(self) -> tuple[str, ...]:
        return (self.password,)


class KeyringHarness(LocalHarness):
    """GNOME Keyring on a bus of its own."""

    adapter_name = "keyring"
    source = "shop"
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NO_FIELDS,
        **NEVER_EXPIRES,
        **NO_SERVER,
        **NO_PROGRAM,
        "missing tool": "test_keyring.py takes the library away",
        "not UTF-8": "the library takes text",
        "wrong password": "the password unlocks the keyring outside of the adapter",
        "half an answer": "the library gives whole values",
        "no answer": "test_keyring.py has a keyring that does not answer",
        "one megabyte": "GNOME Keyring takes half a minute to store it; test_keyring.py has 60,000 characters",
        "two hundred at once": "GNOME Keyring takes as long to store them; test_keyring.py has them in a file",
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self.session: Session = request.getfixturevalue("gnome")
        for name, value in self.session.environment.items():
            self.monkeypatch.setenv(name, value)
        backend = importlib.import_module("keyring.backends.SecretService").Keyring()
        importlib.import_module("keyring").set_keyring(backend)
        request.addfinalizer(_close_what_the_library_left)

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self.session.store(values)

    def cause(self, fault: Fault) -> None:
        if fault is Fault.NOT_LOGGED_IN:
            self.session.lock()
        else:
            super().cause(fault)


def _close_what_the_library_left() -> None:
    """Close the connections to the bus that keyring forgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


HARNESSES: Final[Mapping[str, type[LocalHarness]]] = {
    each.adapter_name: each
    for each in (
        *(AgeHarness, AnsibleVaultHarness, EnvHarness, ExecHarness),
        *(FileHarness, KeyringHarness, PassHarness, SopsHarness),
    )
}
"""The harnesses by the name of the adapter."""
