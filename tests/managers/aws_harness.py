"""The adapters `aws` and `aws-ssm` and a real moto, for the conformance suite."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from typing import ClassVar

import pytest

from pykamal.secrets.adapters import aws_api
from pykamal.secrets.adapters.aws import AwsSecretsManager
from pykamal.secrets.adapters.aws_ssm import AwsParameterStore
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.conformance import Fault, Harness
from tests.managers.aws import Moto
from tests.managers.aws_environment import at, only_aws
from tests.managers.faulty_relay import BROKEN, FaultyRelay


class AwsHarness(Harness):
    """Secrets of Secrets Manager, read with the key of a user who may read secrets and parameters."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "empty value": "AWS stores no empty secret",
        "one megabyte": "AWS stores at most 64 KiB, which tests/managers/test_aws.py reads",
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._moto: Moto = request.getfixturevalue("moto")
        self._monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        self._relay = FaultyRelay(self._moto.port)
        self._relay.__enter__()
        request.addfinalizer(self._relay.__exit__)
        self._path = f"conform-{secrets.token_hex(4)}"
        self._login = self._moto.user(self._path, "secretsmanager:*", "ssm:*")
        only_aws(self._monkeypatch, request.getfixturevalue("tmp_path"), at(self._relay.address, self._login))

    def adapter(self) -> Adapter:
        return AwsSecretsManager()

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self._relay.expect(value for value in values.values() if isinstance(value, str))
        client = self._moto.client("secretsmanager")
        for short, value in values.items():
            kind = "SecretString" if isinstance(value, str) else "SecretBinary"
            client.create_secret(Name=self.name(short), **{kind: value})

    def name(self, short: str) -> str:
        return f"{self._path}/{short}"

    def cause(self, fault: Fault) -> None:
        if fault in BROKEN:
            self._monkeypatch.setattr(aws_api, "_READ_SECONDS", 1)
            self._monkeypatch.setattr(aws_api, "_ATTEMPTS", 1)
            self._relay.fault = fault
        elif fault is Fault.MISSING_TOOL:
            self._monkeypatch.setitem(sys.modules, "botocore", None)
        elif fault is Fault.NOT_LOGGED_IN:
            for variable in self._login:
                self._monkeypatch.delenv(variable)
        elif fault is Fault.WRONG_PASSWORD:
            self._monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"wrong-{secrets.token_hex(12)}")
        elif fault is Fault.EXPIRED_LOGIN:
            key = self._login["AWS_ACCESS_KEY_ID"]
            self._moto.client("iam").delete_access_key(UserName=self._path, AccessKeyId=key)

    def credentials(self) -> tuple[str, ...]:
        return (self._login["AWS_SECRET_ACCESS_KEY"],)

    def missing_field(self) -> str:
        return f"{self.name('one')}#missing"

    def requests(self) -> int:
        return self._relay.requests

    def most_requests(self, secrets: int) -> int:
        return -(-secrets // 20)


class AwsSsmHarness(AwsHarness):
    """Encrypted parameters of Parameter Store."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "empty value": "AWS stores no empty parameter",
        "one megabyte": "AWS stores at most 8 KiB",
        "not UTF-8": "parameters are text",
    }

    def adapter(self) -> Adapter:
        return AwsParameterStore()

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self._relay.expect(value for value in values.values() if isinstance(value, str))
        client = self._moto.client("ssm")
        for short, value in values.items():
            client.put_parameter(Name=self.name(short), Value=value, Type="SecureString")

    def name(self, short: str) -> str:
        return f"/{self._path}/{short}"

    def most_requests(self, secrets: int) -> int:
        return -(-secrets // 10)
