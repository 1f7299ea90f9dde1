"""Settings of adapters: what a provider of deploy.yml says, else variables of the environment (docs/secrets.md)."""

from __future__ import annotations

import pytest

from pykamal.secrets.adapters.protocol import Configurable
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.vault import Vault

KNOWN = (
    Setting("address", "the server", ("BAO_ADDR", "VAULT_ADDR")),
    Setting("auth/token", "the token", ("VAULT_TOKEN",), secret=True),
    Setting("mount", "the mount"),
)


def test_the_first_variable_with_a_value_counts() -> None:
    """Without a provider, a setting is the first of its variables that is not empty."""
    settings = Settings(KNOWN, environment={"BAO_ADDR": "", "VAULT_ADDR": "https://vault"})
    assert settings.get("address") == "https://vault"
    assert settings.where("address") == "VAULT_ADDR"
    assert settings.get("auth/token") is None
    assert settings.where("auth/token") == "VAULT_TOKEN"


def test_what_a_provider_says_wins_over_the_environment() -> None:
    """A setting of the provider counts before the variables, and errors name its place in deploy.yml."""
    settings = Settings(
        KNOWN, environment={"BAO_ADDR": "https://other"}, provider="shop", declared={"address": "https://declared"}
    )
    assert settings.get("address") == "https://declared"
    assert settings.where("address") == "x-pykamal/secrets/providers/shop/address"


def test_a_secret_setting_names_a_variable() -> None:
    """`token_from` names the variable that holds the value; the adapter's own variable does not count beside it."""
    declared = {"auth/token_from": "CI_TOKEN"}
    settings = Settings(KNOWN, environment={"CI_TOKEN": "t", "VAULT_TOKEN": "no"}, provider="shop", declared=declared)
    assert settings.get("auth/token") == "t"
    assert settings.where("auth/token") == "CI_TOKEN"
    without = Settings(KNOWN, environment={"VAULT_TOKEN": "no"}, provider="shop", declared=declared)
    assert without.get("auth/token") is None


def test_a_secret_in_plain_text_is_not_read() -> None:
    """A secret setting without `_from` is never taken from deploy.yml."""
    settings = Settings(KNOWN, environment={}, provider="shop", declared={"auth/token": "plain"})
    assert settings.get("auth/token") is None


@pytest.mark.parametrize(
    ("provider", "place"), [(None, "mount"), ("shop", "x-pykamal/secrets/providers/shop/mount")], ids=str
)
def test_a_setting_without_variables_has_its_key_as_place(provider: str | None, place: str) -> None:
    """Errors name the key of a setting that no variable sets, or its place in deploy.yml if it has a provider."""
    settings = Settings(KNOWN, environment={}, provider=provider)
    assert settings.get("mount") is None
    assert settings.where("mount") == place


def test_settings_of_an_adapter_have_one_key_each() -> None:
    """An adapter with settings of its own names each once, and in one place of deploy.yml."""
    adapter: Configurable = Vault()
    keys = [setting.declared_key for setting in adapter.settings]
    assert len(set(keys)) == len(keys)
    assert not adapter.configured(Settings(adapter.settings, environment={})).needs_account
