"""The adapter `aws-ssm` against a real moto, which verifies signatures and permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from tests.managers.aws import Moto
from tests.managers.aws_environment import at, fetch, only_aws, told
from tests.managers.scripted_http import ScriptedServer, reply

CANARY = "canary-90ab"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
ODD = "line\nnext \"quoted\" 'twice' $HOME ${X} `id` \\ ü end"


@pytest.fixture
def admin(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Moto:
    """The server, with the administrator's key in the environment."""
    only_aws(monkeypatch, tmp_path, at(moto.address, moto.administrator))
    return moto


def store(moto: Moto, **values: str) -> None:
    """Store encrypted parameters below `/shop`, where `__` is a slash."""
    client = moto.client("ssm")
    for name, value in values.items():
        client.put_parameter(Name=f"/shop/{name.replace('__', '/')}", Value=value, Type="SecureString", Overwrite=True)


def test_values_arrive_decrypted_and_in_order(admin: Moto) -> None:
    """`--from` is the path before the names, with or without a slash at its end."""
    store(admin, a__ODD=ODD, a__LONG="x" * 4096)
    for source in ("/shop/a", "/shop/a/"):
        assert list(fetch("aws-ssm", "ODD", "LONG", source=source).items()) == [
            ("/shop/a/ODD", ODD),
            ("/shop/a/LONG", "x" * 4096),
        ]


def test_a_path(admin: Moto) -> None:
    """Without names, all parameters below the path are read, those of deeper paths too, over several pages."""
    store(admin, **{f"b__N{number:02}": str(number) for number in range(23)}, b__deep__er="d", bb="not below")
    found = fetch("aws_ssm", source="/shop/b")
    assert list(found) == [*(f"/shop/b/N{number:02}" for number in range(23)), "/shop/b/deep/er"]
    assert found["/shop/b/N07"] == "7"


def test_two_hundred_parameters(admin: Moto) -> None:
    """They take twenty requests of ten, which is what AWS allows."""
    store(admin, **{f"c__{number}": f"v{number}" for number in range(200)})
    before = len(admin.requests("GetParameters"))
    names = [str(number) for number in range(199, -1, -1)]
    assert list(fetch("aws-ssm", *names, source="/shop/c").values()) == [f"v{name}" for name in names]
    asked = admin.requests("GetParameters")[before:]
    assert [len(request["Names"]) for request in asked] == [10] * 20
    assert all(request["WithDecryption"] for request in asked)


def test_versions_labels_and_keys(admin: Moto) -> None:
    """A number or a label stands behind a colon; a parameter that is a JSON object has keys."""
    store(admin, d="first")
    store(admin, d='{"K": "second"}')
    admin.client("ssm").label_parameter_version(Name="/shop/d", ParameterVersion=1, Labels=["stable"])
    names = ["/shop/d:1", "/shop/d#K", "/shop/d:stable", "/shop/d", "/shop/d:2#K"]
    assert list(fetch("aws-ssm", *names).items()) == list(
        zip(names, ["first", "second", "first", '{"K": "second"}', "second"], strict=True)
    )


def test_what_is_missing(admin: Moto) -> None:
    """One error names all that there is not, and the region; an empty path is an error too."""
    store(admin, e=CANARY)
    with pytest.raises(KamalError, match=r"\(eu-west-1\) has nothing by the name of /shop/never, nor-this$") as caught:
        fetch("aws-ssm", "/shop/never", "/shop/e", "nor-this")
    assert CANARY not in told(caught.value)
    with pytest.raises(KamalError, match="has no parameters below /nowhere"):
        fetch("aws-ssm", source="/nowhere")
    with pytest.raises(KamalError, match="Nothing to fetch is named"):
        fetch("aws-ssm")


def test_what_is_denied(admin: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the action that the policy needs."""
    for name, value in admin.user("ssm-stranger", "ssm:GetParameter").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KamalError, match=r"^AWS denies ssm:GetParameters on /shop/x$"):
        fetch("aws-ssm", "/shop/x")
    with pytest.raises(KamalError, match=r"^AWS denies ssm:GetParametersByPath on /shop$"):
        fetch("aws-ssm", source="/shop")


def test_an_answer_without_what_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name that is neither found nor called invalid is no empty value."""
    other = '{"Parameters": [{"Name": "other", "Value": "' + CANARY + '"}], "InvalidParameters": []}'
    with ScriptedServer(reply(200, other)) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        with pytest.raises(KamalError, match="GetParameters of asked with what cannot be understood") as caught:
            fetch("aws-ssm", "asked")
    assert CANARY not in told(caught.value)
