"""Passbolt by the program `passbolt` (spec/cli.md 16.3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final, TypeAlias

from pykamal.core.errors import KamalError, UsageError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import OncePerRun, Tool, listed, value_of

_PASSBOLT: Final = Tool("passbolt", "Passbolt CLI", "https://github.com/passbolt/go-passbolt-cli")
_NO_FOLDERS: Final = "Could not read folders from Passbolt"

FolderPath: TypeAlias = tuple[str, ...]


class Passbolt:
    needs_account: ClassVar[bool] = False

    def __init__(self) -> None:
        self._logins: OncePerRun[bool] = OncePerRun()

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:  # noqa: ARG002 - passbolt has one account
        _PASSBOLT.require()
        self._logins.get(None, _login)
        if not secrets:
            raise UsageError("No secrets given to fetch", hint="give the names of resources, as in FOLDER/NAME")
        names = with_source(secrets, source)
        paths = [tuple(name.split("/")) for name in names]
        folders, order = _folders(list(dict.fromkeys(path[:-1] for path in paths if len(path) > 1)))
        conditions = [_condition(path[-1], folders[path[:-1]] if len(path) > 1 else None) for path in paths]
        conditions = [f"({each})" if "&&" in each else each for each in conditions]
        words = ["list", "resources", "--filter", " || ".join(conditions)]
        for identifier in order:
            words += ["--folder", identifier]
        message = f"Could not read {listed(names)} from Passbolt"
        answer = _PASSBOLT.run(*words, "--column", "name", "--column", "password", "--json")
        answer.expect(message, hint="see what there is: passbolt list resources")
        values: dict[str, Sensitive | None] = {
            str(each.get("name")): value_of(each.get("password")) for each in answer.objects(message)
        }
        missing = [path[-1] for path in paths if path[-1] not in values]
        if missing:
            raise KamalError(
                f"Could not find the following secrets in Passbolt: {', '.join(missing)}",
                hint="see what there is: passbolt list resources",
            )
        return values

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - passbolt has one account
        _PASSBOLT.require()
        _login(quiet=True)
        return None


def _login(*, quiet: bool = False) -> bool:
    _PASSBOLT.run("verify", quiet=quiet).expect(
        "Failed to login to Passbolt", hint="set it up with `passbolt configure`, and see what `passbolt verify` says"
    )
    return True


def _folders(paths: list[FolderPath]) -> tuple[dict[FolderPath, str], list[str]]:
    """The ids of folders by path, and all ids in the order in which they were found."""
    if not paths:
        return {}, []
    tops = dict.fromkeys(path[0] for path in paths)
    found = _listed_folders(" || ".join(_condition(top) for top in tops))
    order = [str(each.get("id")) for each in found]
    ids: dict[FolderPath, str] = {}
    for each in found:
        ids.setdefault((str(each.get("name")),), str(each.get("id")))
    for path in paths:
        for depth in range(2, len(path) + 1):
            parent = ids.get(path[: depth - 1])
            if parent is None:
                break
            if path[:depth] not in ids:
                nested = _listed_folders(_condition(path[depth - 1], parent))
                order += [str(each.get("id")) for each in nested]
                if nested:
                    ids[path[:depth]] = str(nested[0].get("id"))
    missing = ["/".join(path) for path in paths if path not in ids]
    if missing:
        raise KamalError(
            f"Could not find the following folders in Passbolt: {', '.join(missing)}",
            hint="see what there is: passbolt list folders",
        )
    return ids, order


def _listed_folders(condition: str) -> list[dict[str, Any]]:
    answer = _PASSBOLT.run("list", "folders", "--filter", condition, "--json")
    answer.expect(_NO_FOLDERS, hint="see what there is: passbolt list folders")
    return answer.objects(_NO_FOLDERS)


def _condition(name: str, parent: str | None = None) -> str:
    """The filter for a name, below a folder: an expression with strings as JSON has them."""
    named = f"Name == {json.dumps(name, ensure_ascii=False)}"
    return named if parent is None else f"{named} && FolderParentID == {json.dumps(parent)}"


ADAPTER: Final[Adapter] = Passbolt()
