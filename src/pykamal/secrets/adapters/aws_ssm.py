"""The adapter `aws-ssm`: the Parameter Store of AWS Systems Manager by its API (docs/secrets.md).

A name is `NAME[:VERSION][#KEY]`, where NAME may be an ARN and VERSION a number or a label. Without names, `--from` is a
path, and all parameters below it are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.aws_api import AT_A_TIME, Aws, AwsAdapter, Service, chunks, key_of, parsed
from pykamal.secrets.adapters.aws_errors import Refused
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import are_objects

SERVICE: Final = Service("ssm", "AWS Parameter Store")
_AT_ONCE: Final = 10
"""How many parameters one request may name, and one page have (GetParameters, GetParametersByPath)."""
_ARN_PARTS: Final = 6


class AwsParameterStore(AwsAdapter):
    service: ClassVar[Service] = SERVICE

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        path = source.rstrip("/") if source else None
        names = parsed(with_source(secrets, path))
        if not names and not path:
            raise KamalError("Nothing to fetch is named", hint="name parameters, or a path by --from /shop/production")
        aws = self.logged_in(account)
        if not names:
            return _below(aws, path or "/")
        texts = _read(aws, list(dict.fromkeys(name.manager_name for name in names)))
        return {name.given: key_of(name, texts[name.manager_name]) for name in names}


def _below(aws: Aws, path: str) -> Values:
    """Read all parameters below a path, in the order of their names."""
    texts: dict[str, str] = {}
    query = {"Path": path, "Recursive": True, "WithDecryption": True, "MaxResults": _AT_ONCE}
    for answer in aws.pages("get_parameters_by_path", path, **query):
        for found in _parameters(aws, path, answer):
            texts[found["Name"]] = found["Value"]
    if not texts:
        raise KamalError(
            f"AWS Parameter Store ({aws.region}) has no parameters below {path}", hint="look at the path and the region"
        )
    return {name: Sensitive(texts[name]) for name in sorted(texts)}


def _read(aws: Aws, names: list[str]) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for found in pool.map(partial(_some, aws), _requests(names)):
            texts.update(found)
    missing = [name for name in names if name not in texts]
    if missing:
        raise Refused(
            f"AWS Parameter Store ({aws.region}) has nothing by the name of {', '.join(missing)}",
            hint="look at the names, their versions, the region and the account: names in a path begin with a slash",
        )
    return texts


def _requests(names: list[str]) -> list[dict[str, str]]:
    """Distribute names over requests of at most ten: what a parameter is called in the answer, and its name.

    Two versions of one parameter are called the same in an answer, so they are in different requests.
    """
    rounds: list[dict[str, str]] = []
    for name in names:
        called = _without_version(name)
        place = next((each for each in rounds if called not in each), None)
        if place is None:
            rounds.append(place := {})
        place[called] = name
    return [dict(part) for each in rounds for part in chunks(list(each.items()), _AT_ONCE)]


def _without_version(name: str) -> str:
    return ":".join(name.split(":")[: _ARN_PARTS if name.startswith("arn:") else 1])


def _some(aws: Aws, names: Mapping[str, str]) -> Mapping[str, str]:
    """Return the texts of at most ten parameters by name, without those that there are not."""
    resource, texts = ", ".join(names.values()), {}
    answer = aws.call("get_parameters", resource, Names=[*names.values()], WithDecryption=True)
    for found in _parameters(aws, resource, answer):
        for called in {found["Name"], found.get("ARN")} & names.keys():
            texts[names[called]] = found["Value"]
    unanswered = set(names.values()) - texts.keys() - set(answer.get("InvalidParameters", []))
    if unanswered:
        raise aws.misunderstood("get_parameters", ", ".join(sorted(unanswered)))
    return texts


def _parameters(aws: Aws, resource: str, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("Parameters")
    if not are_objects(found) or not all(
        isinstance(each.get(part), str) for each in found for part in ("Name", "Value")
    ):
        raise aws.misunderstood("get_parameters", resource)
    return found


ADAPTER: Final[Adapter] = AwsParameterStore()
