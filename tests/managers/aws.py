"""A real moto, which speaks AWS's APIs, on loopback: it verifies signatures and permissions as AWS does."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import botocore.session

from tests.managers.openbao import free_port

MANAGERS: Final = Path(__file__).parents[2] / ".cache" / "managers" / "bin"
REGION: Final = "eu-west-1"
_UNCHECKED: Final = 3
"""The requests that make the administrator, whom the first requests cannot be signed by."""


def allowing(*actions: str) -> dict[str, object]:
    """Return a policy that allows these actions on everything."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}


class Moto:
    """A server with an administrator, whose clients `client` makes; others get an identity by `user` and `role`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = folder / "moto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._session = botocore.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self.administrator: dict[str, str] = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "yet"}

    def start(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [MANAGERS / "python", "-P", Path(__file__).with_name("aws_server.py"), str(self.port)],
                env={"PATH": os.environ["PATH"], "INITIAL_NO_AUTH_ACTION_COUNT": str(_UNCHECKED)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while "Running on" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self._log.read_text())
            time.sleep(0.05)
        self.administrator = self.user("administrator", "*")
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of all requests of an operation so far."""
        lines = [line.partition(" ") for line in self._log.read_text().splitlines()]
        return [json.loads(parameters) for name, _, parameters in lines if name == operation]

    def client(self, service: str) -> Any:
        """Return a client of botocore that signs as the administrator."""
        key = self.administrator["AWS_ACCESS_KEY_ID"]
        if (service, key) not in self._clients:
            self._clients[service, key] = self._session.create_client(
                service,
                region_name=REGION,
                endpoint_url=self.address,
                aws_access_key_id=key,
                aws_secret_access_key=self.administrator["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service, key]

    def user(self, name: str, *actions: str) -> dict[str, str]:
        """Make a user who may do these, and return the environment with an access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(allowing(*actions)))
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def role(self, name: str, trust: Mapping[str, object], *actions: str) -> str:
        """Make a role with the statement that trusts somebody, and return its ARN."""
        iam = self.client("iam")
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **trust}]}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(allowing(*actions)))
        return str(made["Arn"])
