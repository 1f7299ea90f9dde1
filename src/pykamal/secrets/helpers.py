"""`kamal secrets fetch` and `extract`, on the command line and inside secrets files (spec/cli.md 16.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pykamal.core.errors import KamalError, UsageError
from pykamal.secrets.adapters import adapter, adapter_calls
from pykamal.secrets.adapters.lent_values import Lease, LeasedValues
from pykamal.secrets.interruptible import interruptible
from pykamal.secrets.value_names import exact_names, longer_names


def fetch(
    secrets: Sequence[str],
    *,
    adapter_name: str,
    account: str | None,
    source: str | None,
    leases: list[Lease] | None = None,
) -> str:
    """Fetch secrets and return one line of JSON, an object of strings. What is lent is added to `leases`.

    Raises `UsageError` for an account that the adapter needs and has not, `KamalError` for whatever it refuses.
    """
    manager = adapter(adapter_name)
    named = f"the adapter {adapter_name}"
    if adapter_calls.guarded(named, lambda: manager.needs_account) and not account:
        raise UsageError(
            "No value provided for required options '--account'",
            hint=f"the adapter {adapter_name} needs one: --account NAME",
        )
    found = interruptible(lambda: adapter_calls.fetch(manager, named, secrets, account=account, source=source))
    if leases is not None and isinstance(found, LeasedValues):
        leases += found.leases
    revealed = {name: None if value is None else value.reveal() for name, value in found.items()}
    return json.dumps(revealed, ensure_ascii=False, separators=(",", ":"))


def extract(name: str, document: str) -> str:
    """Return the value of a key of `fetch`'s JSON: the exact key, else the first that ends in `/NAME` or `#NAME`.

    `ITEM/KEY` and `ITEM#KEY` mean the same, as in deploy.yml.

    Raises `KamalError` for a key that is not there and for a document that is no JSON.
    """
    try:
        values = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise KamalError(
            f"Cannot extract {name}: what was handed over is not JSON", hint="hand over what `secrets fetch` printed"
        ) from error
    keys = [*exact_names(name, values), *longer_names(name, values)] if isinstance(values, dict) else []
    for key in keys:
        if values.get(key) is not None:
            return str(values[key])
    known = ", ".join(values) if isinstance(values, dict) else ""
    raise KamalError(f"Could not find secret {name}", hint=f"what was fetched has {known or 'no secrets at all'}")


def run(command: str, arguments: Sequence[str], leases: list[Lease] | None = None) -> str:
    """Run a helper that a secrets file calls. `fetch` returns shell-escaped JSON, to be passed on without quotes.

    Raises `KamalError` for another helper, and for arguments that do not fit.
    """
    if command == "fetch":
        options, names = _options(arguments)
        if "adapter" not in options:
            raise KamalError("`kamal secrets fetch` needs --adapter")
        document = fetch(
            names,
            adapter_name=options["adapter"],
            account=options.get("account"),
            source=options.get("from"),
            leases=leases,
        )
        return shell_escaped(document)
    if command == "extract":
        _, words = _options(arguments)
        if len(words) != 2:
            raise KamalError(f"`kamal secrets extract` takes a name and JSON, got {len(words)} words")
        return extract(*words)
    raise KamalError(
        f"`{f'kamal secrets {command}'.rstrip()}` cannot be used inside a secrets file",
        hint="use `fetch` and `extract` there",
    )


def shell_escaped(text: str) -> str:
    """Escape `text` to one word of a shell line, as `--inline` prints it."""
    # Backslashes, not quotes: they also keep a `$` of a value from being taken for a variable (rule 5 of 16.1).
    return re.sub(r"[^A-Za-z0-9_\-.,:+/@\n]", r"\\\g<0>", text).replace("\n", "'\n'")


_VALUES = {"-a": "adapter", "--adapter": "adapter", "--account": "account", "--from": "from"}


def _options(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    words: list[str] = []
    remaining = list(arguments)
    while remaining:
        word = remaining.pop(0)
        name, equals, value = word.partition("=")
        if name in _VALUES:
            if not equals and not remaining:
                raise KamalError(f"No value provided for option '{name}'")
            options[_VALUES[name]] = value if equals else remaining.pop(0)
        elif word != "--inline":
            words.append(word)
    return options, words
