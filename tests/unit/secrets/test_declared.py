"""Secrets that deploy.yml declares: x-pykamal/secrets (docs/secrets.md, "Declared in deploy.yml")."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pykamal.cli.completion.candidates import candidates
from pykamal.config.explanation import explain
from pykamal.config.models import Config
from pykamal.core.errors import ConfigurationError, DependencyError, KamalError, SecretNotFound
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import MODULES
from pykamal.secrets.adapters.lent_values import Lease, LeasedValues
from pykamal.secrets.adapters.protocol import RenamedValues, Values
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.declared import Declared
from pykamal.secrets.providers import check_providers
from pykamal.secrets.store import Secrets
from tests.config_catalogue import changed
from tests.config_world import World, loaded

pytestmark = pytest.mark.unit

CANARY = "canary-5d1e"


class Drawer:
    """An adapter in memory. `held` has its values; a name that it lacks fails the whole call."""

    needs_account = False
    settings = (
        Setting("address", "the server"),
        Setting("auth/token", "the token", ("DRAWER_TOKEN",), secret=True),
    )

    def __init__(self, held: Values, calls: list[tuple[Sequence[str], str | None, str | None]]) -> None:
        self.held, self.calls, self.error, self.barrier = held, calls, None, None
        self.given: Settings | None = None

    error: KamalError | None
    barrier: threading.Barrier | None

    def configured(self, settings: Settings) -> Drawer:
        self.given = settings
        return self

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        self.calls.append((secrets, account, source))
        if self.barrier is not None:
            self.barrier.wait(10)
        if self.error is not None:
            raise self.error
        for name in secrets:
            if name not in self.held:
                raise KamalError(f"the drawer has no {name}")
        return {name.replace("#", "/"): self.held[name] for name in secrets}


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Drawer:
    """The adapter `drawer`, in an empty directory without secrets files."""
    monkeypatch.chdir(tmp_path)
    adapter = Drawer({"a#x": Sensitive("1"), "a#y": Sensitive("2"), "b": Sensitive("3"), "empty": None}, [])
    monkeypatch.setitem(MODULES, "drawer", "drawer")
    monkeypatch.setitem(sys.modules, "pykamal.secrets.adapters.drawer", SimpleNamespace(ADAPTER=adapter))
    return adapter


def config(written: str, providers: str = "{d: {adapter: drawer}}", destination: str | None = None) -> Config:
    text = f"x-pykamal:\n  secrets:\n    providers: {providers}\n    from: {written}\n"
    return loaded(changed(text), destination=destination)


def store(written: str, environment: Mapping[str, str] = {}, **more: str) -> Secrets:
    return Secrets(declared=Declared(config(written, **more), environment=environment))


def revealed(secrets: Mapping[str, Sensitive]) -> dict[str, str]:
    return {name: value.reveal() for name, value in secrets.items()}


def test_one_call_once_a_run(drawer: Drawer) -> None:
    """All names of a provider are asked for by one call, each once, and never again; no secrets file is needed."""
    secrets = store(
        "{A: 'd:a#x', B: 'd:a#y', C: 'd:b', D: 'd:b'}", providers="{d: {adapter: drawer, account: me, from: f}}"
    )
    assert drawer.calls == []
    assert secrets.known() == ()
    assert revealed(secrets.all()) == {"A": "1", "B": "2", "C": "3", "D": "3"}
    assert secrets["A"].reveal() == "1"
    assert drawer.calls == [(["a#x", "a#y", "b"], "me", "f")]
    assert Sensitive("2") in secrets.known()


def test_providers_are_asked_in_parallel(drawer: Drawer) -> None:
    """Two providers wait at the same time: each call ends only when the other one has begun."""
    drawer.barrier = threading.Barrier(2)
    secrets = store("{A: 'd:a#x', B: 'e:b'}", providers="{d: {adapter: drawer}, e: {adapter: drawer}}")
    assert revealed(secrets.all()) == {"A": "1", "B": "3"}


def test_settings_of_a_provider_arrive(drawer: Drawer) -> None:
    """The adapter gets what deploy.yml says, and the value of the variable that a secret setting names."""
    secrets = store(
        "{A: d:b}",
        {"CI_TOKEN": CANARY},
        providers="{d: {adapter: drawer, address: here, auth: {token_from: CI_TOKEN}}}",
    )
    secrets.all()
    assert drawer.given is not None
    assert (drawer.given.get("address"), drawer.given.get("auth/token")) == ("here", CANARY)
    assert Sensitive(CANARY) in secrets.known(), "what a manager is logged in to with is masked too"


def test_a_destination_changes_a_place() -> None:
    """Providers and places are merged with those of the destination's file, as all keys are."""
    world = World(files={"config/deploy.staging.yml": "x-pykamal: {secrets: {from: {A: 'd:other'}}}"})
    text = changed("x-pykamal: {secrets: {providers: {d: {adapter: drawer}}, from: {A: 'd:one', B: 'd:two'}}}")
    declared = loaded(text, destination="staging", world=world).extension.secrets.declared
    assert {name: each.name for name, each in declared.items()} == {"A": "other", "B": "two"}
    places = Declared(loaded(text, destination="staging", world=world)).places
    assert str(places["A"]).startswith("config/deploy.staging.yml:1:")


@pytest.mark.usefixtures("drawer")
def test_files_and_managers_together(tmp_path: Path) -> None:
    """The entries of a secrets file stand beside what is declared."""
    (tmp_path / ".kamal").mkdir()
    (tmp_path / ".kamal/secrets").write_text("F=file\n")
    assert revealed(store("{A: 'd:b'}").all()) == {"F": "file", "A": "3"}


def test_a_name_in_both_places(drawer: Drawer, tmp_path: Path) -> None:
    """The error names both, with their lines, before a command runs or a manager is asked."""
    (tmp_path / ".kamal").mkdir()
    (tmp_path / ".kamal/secrets").write_text("F=file\nA=$(exit 3)\n")
    with pytest.raises(ConfigurationError) as caught:
        store("{A: 'd:b'}").all()
    (found,) = caught.value.diagnostics
    assert found.identifier == "secret-defined-twice"
    assert str(found) == (
        ".kamal/secrets:2:1: A is defined here and declared at config/deploy.yml:9:15 (x-pykamal/secrets/from)"
    )
    assert drawer.calls == []


@pytest.mark.parametrize(
    ("reference", "answer", "message", "hint"),
    [
        ("d:x", {"x/a": Sensitive("1"), "x/b": Sensitive("2")}, "x is not one value in d: it has x/a, x/b", "d:x/a"),
        ("d:x", {"x/a": Sensitive("1")}, "x is not one value in d: it has x/a", "d:x/a"),
        ("d:x", {"y": Sensitive("1")}, "d has no value for x", "its answer has y"),
        ("d:x", {}, "d has no value for x", "nothing"),
        ("d:x", {"a/x": Sensitive("1"), "b/x": Sensitive("2")}, "d has no value for x", "a/x, b/x"),
        ("d:x", {"x": None}, "x has no value in d", "give it a value"),
        ("d:x", {"x": Sensitive(f"{CANARY}\0")}, "the value holds a NUL byte", "base64"),
    ],
)
def test_no_value_or_several(
    reference: str, answer: Values, message: str, hint: str, drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A declared secret is exactly one value; else the error has its place, its key and what to do, and no value."""
    monkeypatch.setattr(drawer, "fetch", lambda *_, **__: answer)
    with pytest.raises(ConfigurationError) as caught:
        store(f"{{A: '{reference}'}}").all()
    assert f"x-pykamal/secrets/from/A: {message}" in caught.value.message
    assert hint in str(caught.value.hint)
    assert "config/deploy.yml:9:15" in str(caught.value.details)
    assert CANARY not in f"{caught.value} {caught.value.details} {caught.value.hint}"


@pytest.mark.parametrize(("name", "key"), [("x#y", "x/y"), ("x/y#z", "x/y/z"), ("x", "default/x"), ("y/x", "s/y/x")])
def test_keys_of_an_answer(name: str, key: str, drawer: Drawer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager may answer with a slash for `#`, and with what is in front of the names."""
    monkeypatch.setattr(drawer, "fetch", lambda *_, **__: {key: Sensitive("1"), "other": Sensitive("2")})
    assert revealed(store(f"{{A: 'd:{name}'}}").all()) == {"A": "1"}


def test_a_manager_that_fails(drawer: Drawer) -> None:
    """The error is the manager's, and tells which secrets need it and which variable has no value."""
    drawer.error = KamalError("the drawer is stuck", hint="oil it")
    secrets = store("{A: 'd:a#x', B: 'd:b'}", providers="{d: {adapter: drawer, auth: {token_from: CI_TOKEN}}}")
    with pytest.raises(KamalError, match="the drawer is stuck") as caught:
        secrets.read()
    assert caught.value.hint == "oil it"
    assert caught.value.details == (
        "config/deploy.yml:9:15: the provider d was asked for A, B",
        "x-pykamal/secrets/providers/d/auth/token_from names CI_TOKEN, which is not set",
    )


def test_all_that_fails_is_told_at_once(drawer: Drawer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run tells of every secret that has no value."""
    monkeypatch.setattr(drawer, "fetch", lambda *_, **__: {"b": Sensitive("3")})
    with pytest.raises(ConfigurationError) as caught:
        store("{A: 'd:x', B: 'd:b', C: 'd:y'}").read()
    assert "from/A: d has no value for x" in caught.value.message
    assert "from/C: d has no value for y" in str(caught.value.details)


def test_errors_by_name(drawer: Drawer) -> None:
    """An attempt tells the names that have a value from those that have none, although the call failed as a whole."""
    found = store("{A: 'd:a#x', B: 'd:never', C: 'd:b'}").attempt()
    assert revealed(found.values) == {"A": "1", "C": "3"}
    assert found.failures.keys() == {"B"}
    place, error = found.failures["B"]
    assert "the drawer has no never" in error.message
    assert str(place) == "config/deploy.yml:9:27"
    assert len(drawer.calls) == 4, "once for all, then for each"


@pytest.mark.parametrize(("error", "calls"), [(KamalError("no"), 3), (DependencyError("no program"), 1)])
def test_a_manager_is_not_asked_in_vain(error: KamalError, calls: int, drawer: Drawer) -> None:
    """The same failure for two names is none of the names; a missing program is not looked for again."""
    drawer.error = error
    found = store("{A: 'd:a#x', B: 'd:b', C: 'd:a#y', D: 'd:empty'}").attempt()
    assert found.failures.keys() == {"A", "B", "C", "D"}
    assert len(drawer.calls) == calls


def test_an_empty_value_is_told(drawer: Drawer) -> None:
    """`kamal secrets check` refuses an empty value wherever it comes from, for a command would take it as missing."""
    drawer.held = {**drawer.held, "blank": Sensitive("")}
    found = store("{A: 'd:blank', B: 'd:b'}").attempt()
    assert {name: str(place) for name, place in found.empty.items()} == {"A": "config/deploy.yml:9:15"}


def test_safe_asks_nobody(drawer: Drawer) -> None:
    """With `--safe` the values are empty."""
    declared = Declared(config("{A: 'd:b'}"), fetches=False)
    assert revealed(Secrets(declared=declared).all()) == {"A": ""}
    assert drawer.calls == []


@pytest.mark.usefixtures("drawer")
def test_what_is_missing_is_told_without_asking() -> None:
    """A declared name is defined; the error of another one names both places where it could be."""
    secrets = store("{A: 'd:b'}")
    assert secrets.missing(["A", "B"]) == ["B"]
    with pytest.raises(SecretNotFound, match="Secret 'B' not found in x-pykamal/secrets/from"):
        secrets["B"]


@pytest.mark.parametrize(
    ("provider", "identifier", "setting", "remedy"),
    [
        ("{adapter: drwer}", "unknown-adapter", "adapter", "did you mean drawer?"),
        ("{adapter: drawer, adress: x}", "unknown-key", "adress", "did you mean address?"),
        ("{adapter: drawer, zzz: x}", "unknown-key", "zzz", "the adapter drawer has address, auth/token_from"),
        ("{adapter: drawer, address: [x]}", "invalid-value", "address", ""),
        (f"{{adapter: drawer, auth: {{token: {CANARY}}}}}", "plain-secret", "auth/token", "`token_from: VARIABLE`"),
        (f"{{adapter: drawer, auth: {{token_from: {CANARY}}}}}", "invalid-value", "auth/token_from", ""),
        ("{adapter: lastpass}", "missing-key", "", "account: NAME"),
        ("{adapter: lastpass, account: me, address: x}", "unknown-key", "address", "no settings of its own"),
    ],
)
@pytest.mark.usefixtures("drawer")
def test_providers_are_checked(provider: str, identifier: str, setting: str, remedy: str) -> None:
    """Adapters and their settings are checked with places and suggestions; no error shows a value or its line."""
    with pytest.raises(ConfigurationError) as caught:
        check_providers(config("{A: 'd:b'}", providers=f"{{d: {provider}}}"))
    (found,) = caught.value.diagnostics
    assert found.identifier == identifier
    assert found.location.setting.removeprefix("x-pykamal/secrets/providers/d").lstrip("/") == setting
    assert found.location.position is not None
    assert found.location.position.line == 8
    assert remedy in f"{found.remedy} {caught.value.hint}"
    assert CANARY not in f"{found} {found.location.quote} {found.remedy} {caught.value.details}"


@pytest.mark.parametrize(
    ("text", "identifier", "message"),
    [
        ("{providers: {vault: {adapter: vault}}, from: {A: 'valt:x'}}", "unknown-provider", "did you mean vault?"),
        ("{from: {A: 'vault:x'}}", "unknown-provider", "describe it in x-pykamal/secrets/providers"),
        ("{providers: {vault: {adapter: vault}}, from: {A: x}}", "invalid-value", "PROVIDER:NAME"),
        ("{providers: {vault: {adapter: vault}}, from: {A: 'vault:'}}", "invalid-value", "PROVIDER:NAME"),
        ("{providers: {vault: {}}}", "missing-key", "adapter is required"),
        ("{providers: {'a b': {adapter: vault}}}", "invalid-name", "letters, digits"),
        ("{providers: {vault: {adapter: vault}}, from: {'A B': 'vault:x'}}", "invalid-name", "letters, digits"),
        ("{providers: [vault]}", "wrong-type", "a hash"),
        ("{provider: {}}", "unknown-key", "providers"),
    ],
)
def test_what_is_written_is_checked(text: str, identifier: str, message: str) -> None:
    """Loading refuses what is wrong without any adapter, with its place."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(changed(f"x-pykamal: {{secrets: {text}}}"))
    (found,) = caught.value.diagnostics
    assert found.identifier == identifier
    assert message in f"{found.message} {found.remedy} {found.evidence}"
    assert found.location.setting.startswith("x-pykamal/secrets")


def test_places_are_explained_and_completed() -> None:
    """`kamal config --explain` tells where a secret comes from, and its keys are completed."""
    document = config("{A: 'd:b'}").document
    assert document is not None
    explained = explain(document, "x-pykamal/secrets/from/A")
    assert (explained.known, explained.value, str(explained.position)) == (True, "d:b", "config/deploy.yml:9:15")
    adapter = explain(document, "x-pykamal/secrets/providers/d/adapter")
    assert (adapter.known, adapter.value) == (True, "drawer")
    assert "--adapter" in (adapter.description or "")
    completed = [each.value for each in candidates(["config", "--explain", "x-pykamal/secrets/"])]
    assert completed == [f"x-pykamal/secrets/{key}" for key in ("providers", "from", "delivery", "guard")]
    completed = [each.value for each in candidates(["config", "--explain", "x-pykamal/secrets/providers/d/a"])]
    assert completed == [f"x-pykamal/secrets/providers/d/{key}" for key in ("adapter", "account")]


def test_leases_of_names_that_are_asked_for_one_by_one(drawer: Drawer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`secrets check` tells what was lent although another name of the provider fails."""
    lease = Lease("the drawer", "b", "lease-1", 60)
    answer = drawer.fetch

    def lending(secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        values = answer(secrets, account=account, source=source)
        return LeasedValues(values, [lease] if "b" in secrets else [])

    monkeypatch.setattr(drawer, "fetch", lending)
    secrets = store("{A: 'd:b', B: 'd:missing', C: 'd:a#x'}")
    attempt = secrets.attempt()
    assert set(attempt.failures) == {"B"}
    assert secrets.leases == (lease,)


def test_values_that_the_manager_calls_otherwise(drawer: Drawer, monkeypatch: pytest.MonkeyPatch) -> None:
    """deploy.yml names ids where the answer has the names of the secrets, two of which may be the same."""

    def fetch(secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        return RenamedValues({"TOKEN": Sensitive("2")}, {name: Sensitive(name[-1]) for name in secrets})

    monkeypatch.setattr(drawer, "fetch", fetch)
    secrets = store("{A: 'd:id-1', B: 'd:id-2'}")
    assert revealed(secrets.all()) == {"A": "1", "B": "2"}


@pytest.mark.process
def test_ids_of_bitwarden_secrets_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bws` is asked by id and answers with the key of the secret; both projects may have the same key."""
    monkeypatch.chdir(tmp_path)
    bws = tmp_path / "bin" / "bws"
    bws.parent.mkdir()
    bws.write_text(
        '#!/bin/sh\ncase "$1 $2" in\n'
        '\'secret get\') printf \'{"id":"%s","key":"TOKEN","value":"value of %s"}\' "$3" "$3" ;;\nesac\n'
    )
    bws.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bws.parent}:/usr/bin:/bin")
    secrets = store("{A: 'b:id-1', B: 'b:id-2'}", providers="{b: {adapter: bitwarden-sm}}")
    assert revealed(secrets.all()) == {"A": "value of id-1", "B": "value of id-2"}
