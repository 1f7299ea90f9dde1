"""Env files that are encrypted, by real shells and the real `age`; the refusal of an unknown way of keeping them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import secret_delivery
from pykamal.commands.command import Command, command, query
from pykamal.commands.secret_digests import FILE, Keys, digests
from pykamal.config.models import Config
from pykamal.config.models.extension import Extension
from pykamal.config.models.secrets_extension import SecretDelivery, SecretsExtension
from pykamal.core.errors import ConfigurationError
from pykamal.core.sensitive import Sensitive
from tests.config_catalogue import changed
from tests.config_world import loaded

pytestmark = [pytest.mark.unit, pytest.mark.process]

PATH = "web.env.age"
SECRETS = 'TOKEN=hush  "x" $HOME %s\nOTHER=\n'


def encrypting() -> Config:
    extension = Extension(secrets=SecretsExtension(delivery=SecretDelivery.ENCRYPTED))
    return replace(loaded(changed("")), extension=extension)


def run(shell: str, home: Path, line: Command, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), **more}
    return subprocess.run(
        [shell, "-s"], input=line.shell_text(), capture_output=True, text=True, env=environment, cwd=home, check=False
    )


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_is_written_is_read_and_nothing_else_is_there(shell: str, tmp_path: Path) -> None:
    """The key is made once; Docker's flag names what was written, byte for byte; the plain file of before is gone."""
    config = encrypting()
    (tmp_path / "web.env").write_text(SECRETS)
    for _ in range(2):
        assert run(shell, tmp_path, secret_delivery.write(config, PATH, Sensitive(SECRETS))).returncode == 0
    key = tmp_path / ".config/kamal/age.key"
    assert (key.stat().st_mode & 0o777, (tmp_path / PATH).stat().st_mode & 0o777) == (0o600, 0o600)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".config", PATH]
    assert b"hush" not in (tmp_path / PATH).read_bytes()
    (_, source) = secret_delivery.env_flags(config, PATH)
    read = run(shell, tmp_path, secret_delivery.opened(config, PATH, query("cat", source)))
    assert (read.returncode, read.stdout) == (0, SECRETS)
    line = secret_delivery.opened_by_login(config, PATH, query("cat", source))
    read = run(shell, tmp_path, line, SHELL=f"/bin/{shell}")
    assert (read.returncode, read.stdout) == (0, SECRETS)


def test_what_cannot_be_decrypted_starts_nothing(tmp_path: Path) -> None:
    """A container without its secrets would be worse than none."""
    config = encrypting()
    run("sh", tmp_path, secret_delivery.write(config, PATH, Sensitive(SECRETS)))
    (tmp_path / PATH).write_bytes((tmp_path / PATH).read_bytes()[:-1])
    line = secret_delivery.opened(config, PATH, command("touch", "started"))
    assert run("sh", tmp_path, line).returncode != 0
    assert not (tmp_path / "started").exists()
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")  # a stand-in for an engine without containers
    (tmp_path / "docker").chmod(0o755)
    searched = f"{tmp_path}:{os.environ['PATH']}"
    assert run("sh", tmp_path, digests(Keys.random(), PATH, [], []), PATH=searched).returncode != 0


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_encrypted_files_are_compared(shell: str, tmp_path: Path) -> None:
    """The keyed hashes are those of the values."""
    run(shell, tmp_path, secret_delivery.write(encrypting(), PATH, Sensitive(SECRETS)))
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")  # a stand-in for an engine without containers
    (tmp_path / "docker").chmod(0o755)
    keys = Keys.random()
    answer = run(shell, tmp_path, digests(keys, PATH, [], []), PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    values = dict(line.split("=", 1) for line in SECRETS.splitlines())
    expected = [[FILE, "", name, keys.digest(Sensitive(value))] for name, value in values.items()]
    assert [line.split("\t") for line in answer.splitlines()] == expected


def test_an_unknown_way_is_refused() -> None:
    """The error has the place and what is known."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(changed("x-pykamal:\n  secrets:\n    delivery: memory\n"))
    (found,) = caught.value.diagnostics
    assert "x-pykamal/secrets/delivery: should be file, tmpfs or encrypted" in str(found)
    assert "config/deploy.yml:8:15" in str(found)
