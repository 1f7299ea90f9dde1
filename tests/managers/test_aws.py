"""The adapter `aws` against a real moto, which verifies signatures and permissions."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import botocore.endpoint
import pytest

from pykamal.core.errors import KamalError
from tests.managers.aws import Moto
from tests.managers.aws_environment import at, fetch, only_aws, told
from tests.managers.openbao import free_port
from tests.managers.scripted_http import ScriptedServer, reply

CANARY = "canary-31fe"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": f"secret-{CANARY}"}
ODD = "line\nnext \"quoted\" 'twice' $HOME ${X} `id` \\ ü \x00 end"


@pytest.fixture
def admin(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Moto:
    """The server, with the administrator's key in the environment."""
    only_aws(monkeypatch, tmp_path, at(moto.address, moto.administrator))
    return moto


def store(moto: Moto, **texts: str | bytes) -> None:
    """Store secrets below `shop/`."""
    client = moto.client("secretsmanager")
    for name, text in texts.items():
        kind = "SecretString" if isinstance(text, str) else "SecretBinary"
        client.create_secret(Name=f"shop/{name}", **{kind: text})


def test_texts_objects_and_keys(admin: Moto) -> None:
    """A JSON object gives all its keys, `#KEY` one of them, `#` its text; all in the order that was asked for."""
    document = '{"URL": "u", "n": 3, "none": null, "deep": {"a": [1]}}'
    store(admin, plain="p", document=document)
    assert list(fetch("aws", "shop/plain", "shop/document").items()) == [
        ("shop/plain", "p"),
        ("shop/document/URL", "u"),
        ("shop/document/n", "3"),
        ("shop/document/none", None),
        ("shop/document/deep", '{"a":[1]}'),
    ]
    assert list(fetch("aws", "document#n", "plain", "document#URL", "document#", source="shop").items()) == [
        ("shop/document#n", "3"),
        ("shop/plain", "p"),
        ("shop/document#URL", "u"),
        ("shop/document#", document),
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("odd", ODD), ("long", "x" * 65536), ("list", '["a"]'), ("number", "12"), ("half", '{"a": ')]
)
def test_values_arrive_as_they_are(name: str, value: str, admin: Moto) -> None:
    """No character is lost, and a value that is no JSON object is a text."""
    store(admin, **{f"value-{name}": value})
    assert fetch("aws", f"shop/value-{name}") == {f"shop/value-{name}": value}


def test_an_empty_value_of_a_key(admin: Moto) -> None:
    """It is empty, and not missing."""
    store(admin, hollow='{"A": ""}')
    assert fetch("aws", "shop/hollow#A") == {"shop/hollow#A": ""}


def test_binary_secrets(admin: Moto) -> None:
    """Bytes that are UTF-8 are a text; others are refused, and not shown."""
    store(admin, bytes="ü\n".encode(), noise=b"\xff\x00" + CANARY.encode())
    assert fetch("aws", "shop/bytes") == {"shop/bytes": "ü\n"}
    for names in (["shop/noise"], ["shop/noise", "shop/bytes"]):
        with pytest.raises(KamalError, match="shop/noise in AWS Secrets Manager is binary, and no UTF-8") as caught:
            fetch("aws", *names)
        assert CANARY not in told(caught.value)


def test_versions(admin: Moto) -> None:
    """A staging label or the id of a version stands behind a colon, of a name and of an ARN."""
    client = admin.client("secretsmanager")
    first = client.create_secret(Name="shop/versions", SecretString="old")
    client.put_secret_value(SecretId="shop/versions", SecretString='{"K": "new"}')
    arn, version = first["ARN"], first["VersionId"]
    names = ["shop/versions:AWSPREVIOUS", "shop/versions#K", f"{arn}:{version}", f"shop/versions:{version}", f"{arn}#K"]
    assert list(fetch("aws", *names).items()) == list(zip(names, ["old", "new", "old", "old", "new"], strict=True))
    with pytest.raises(KamalError, match=r"nothing by the name of shop/versions:NOBODY"):
        fetch("aws", "shop/versions:NOBODY")


@pytest.mark.parametrize("name", ["", "#K", "shop:", "shop:a:b", ":AWSCURRENT"])
def test_names_that_are_none(name: str, admin: Moto) -> None:
    """They are refused with the form that names have."""
    with pytest.raises(KamalError, match="names no") as caught:
        fetch("aws", name)
    assert "NAME" in (caught.value.hint or "")


def test_two_hundred_secrets(admin: Moto) -> None:
    """They take ten requests of twenty, which is what AWS allows, and keep their order."""
    names = [f"shop/many-{number}" for number in range(200)]
    store(admin, **{f"many-{number}": str(number) for number in range(200)})
    before = len(admin.requests("BatchGetSecretValue"))
    assert list(fetch("aws", *reversed(names)).items()) == [(name, name.rpartition("-")[2]) for name in reversed(names)]
    batches = [request["SecretIdList"] for request in admin.requests("BatchGetSecretValue")[before:]]
    assert [len(batch) for batch in batches] == [20] * 10
    assert not [request for request in admin.requests("GetSecretValue") if request["SecretId"] in names]


def test_what_is_missing_is_told_at_once(admin: Moto) -> None:
    """One error names every secret that there is not, and the region that was asked."""
    store(admin, there=CANARY)
    with pytest.raises(KamalError, match="does not give 2 of the secrets") as caught:
        fetch("aws", "shop/never", "shop/there", "shop/nor-this")
    assert "(eu-west-1) has nothing by the name of shop/nor-this" in told(caught.value)
    assert CANARY not in told(caught.value)


def test_a_missing_key_is_told_with_the_keys_that_there_are(admin: Moto) -> None:
    """Keys are names, and may be shown; values may not."""
    store(admin, keys=json.dumps({"A": CANARY, "B": CANARY}), text=CANARY)
    with pytest.raises(KamalError, match="shop/keys in AWS has no key C") as caught:
        fetch("aws", "shop/keys#C")
    assert caught.value.hint == "it has A, B"
    with pytest.raises(KamalError, match="it is no JSON object") as text:
        fetch("aws", "shop/text#C")
    assert CANARY not in told(caught.value) + told(text.value)


def test_a_secret_that_is_to_be_deleted(admin: Moto) -> None:
    """The error has the command that brings it back."""
    store(admin, leaving=CANARY)
    admin.client("secretsmanager").delete_secret(SecretId="shop/leaving")
    with pytest.raises(KamalError, match="shop/leaving in AWS Secrets Manager is marked for deletion") as caught:
        fetch("aws", "shop/leaving")
    assert "restore-secret --secret-id shop/leaving" in (caught.value.hint or "")


def test_batches_are_not_needed(admin: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret is asked for alone when BatchGetSecretValue is not allowed."""
    store(admin, one="1", two="2")
    reader = admin.user("reader", "secretsmanager:GetSecretValue")
    for name, value in reader.items():
        monkeypatch.setenv(name, value)
    assert fetch("aws", "shop/two", "shop/one") == {"shop/two": "2", "shop/one": "1"}


def test_what_is_denied(admin: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the action, the secret and who was denied."""
    store(admin, denied=CANARY)
    for name, value in admin.user("stranger", "s3:*").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KamalError, match=r"^AWS denies secretsmanager:GetSecretValue on shop/denied$") as caught:
        fetch("aws", "shop/denied")
    assert "user/stranger is not authorized to perform: secretsmanager:GetSecretValue" in told(caught.value)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "the secret access key does not fit the access key"),
        ("AWS_ACCESS_KEY_ID", "AWS does not know the access key"),
    ],
)
def test_wrong_keys(variable: str, message: str, admin: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both halves of a key are told apart, with the place where they come from, and not shown."""
    monkeypatch.setenv(variable, CANARY)
    with pytest.raises(KamalError, match=message) as caught:
        fetch("aws", "shop/any")
    assert "AWS_ACCESS_KEY_ID of the environment" in caught.value.message
    assert CANARY not in told(caught.value)


# -- what a real server does not do on demand


def refusal(code: str, message: str = "", status: int = 400) -> bytes:
    return reply(status, json.dumps({"__type": code, "message": message}), "Content-Type: application/x-amz-json-1.1")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which are not waited for."""
    found: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=found.append))
    return found


@pytest.mark.parametrize("busy", [refusal("ThrottlingException"), reply(503), refusal("InternalServiceError", "", 500)])
def test_throttled_requests_are_repeated(
    busy: bytes, pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pauses grow by chance below twice the one before."""
    with ScriptedServer(busy, busy, busy, reply(200, '{"Name": "n", "SecretString": "v"}')) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        assert fetch("aws", "n") == {"n": "v"}
    assert len(pauses) == 3
    assert all(0 <= pause <= longest for pause, longest in zip(pauses, (1, 2, 4), strict=True))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal("ThrottlingException", CANARY), "limits the rate of requests, and did so for every attempt"),
        (refusal("ExpiredTokenException", CANARY), "The session with AWS has expired"),
        (refusal("InvalidSignatureException", f"Signature expired: {CANARY}"), "the clock of this machine is wrong"),
        (refusal("InvalidSignatureException", f"canonical: x-amz-security-token:{CANARY}"), "refuses the signature"),
        (refusal("UnheardOfException", CANARY), "answered secretsmanager:GetSecretValue of n with UnheardOfException"),
        (reply(500, f'{{"SecretString": "{CANARY}'), "with HTTP status 500"),
        (reply(403, f"<html>{CANARY}"), "with HTTP status 403"),
        (reply(200, f'{{"SecretString": "{CANARY}'), "with what cannot be understood"),
        (reply(200, f'["{CANARY}"]'), "with what cannot be understood"),
        (reply(200, f'{{"Name": "{CANARY}"}}'), "with what cannot be understood"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" + CANARY.encode(), "with what cannot be understood"),
        (b"", "closed the connection without a whole answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be asked"),
    ],
)
def test_bad_answers(
    answer: bytes, message: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each is an error of ours. What an answer repeats of a request or a value is not in it."""
    with ScriptedServer(answer) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        with pytest.raises(KamalError, match=message) as caught:
            fetch("aws", "n")
    assert caught.value.hint
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        refusal("DecryptionFailure", "Secrets Manager can't decrypt"),
        refusal("AccessDeniedException", "Access to KMS is not allowed"),
        refusal("KMSInvalidStateException", "key is pending deletion"),
    ],
)
def test_a_key_of_kms_that_may_not_be_used(answer: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is not called a missing permission for the secret: the hint names kms:Decrypt."""
    with ScriptedServer(answer) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        with pytest.raises(KamalError, match="AWS KMS did not decrypt n") as caught:
            fetch("aws", "n")
    assert "kms:Decrypt" in (caught.value.hint or "")


def test_a_batch_of_several_pages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pages are read to the last; a server that repeats one is told."""
    page = '{"SecretValues": [{"Name": "a", "SecretString": "1"}], "NextToken": "t"}'
    last = '{"SecretValues": [{"Name": "b", "SecretString": "2"}]}'
    with ScriptedServer(reply(200, page), reply(200, last)) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        assert fetch("aws", "b", "a") == {"b": "2", "a": "1"}
    with ScriptedServer(reply(200, page)) as server:
        only_aws(monkeypatch, tmp_path, at(server.address, KEYS))
        with pytest.raises(KamalError, match="cannot be understood"):
            fetch("aws", "b", "a")


def test_nobody_there(pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the address and the region."""
    port = free_port()
    only_aws(monkeypatch, tmp_path, at(f"http://127.0.0.1:{port}", KEYS))
    with pytest.raises(KamalError, match=f"127.0.0.1:{port}.* cannot be asked: .*nothing answers there") as caught:
        fetch("aws", "n")
    assert "eu-west-1" in (caught.value.hint or "")
    assert len(pauses) == 4


def test_a_proxy_that_refuses(pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its password is not shown."""
    with ScriptedServer(reply(407)) as proxy:
        only_aws(monkeypatch, tmp_path, at("https://secrets.internal", KEYS))
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:{proxy.port}")
        with pytest.raises(KamalError, match="the proxy cannot be reached, or refuses") as caught:
            fetch("aws", "n")
    assert CANARY not in told(caught.value)
