"""Sources of credentials for AWS: everything that botocore finds, and a role of the settings."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.core.errors import DependencyError, KamalError
from pykamal.secrets.adapters import adapter
from pykamal.secrets.adapters.aws import AwsSecretsManager
from pykamal.secrets.adapters.settings import Settings
from tests.managers import aws_metadata
from tests.managers.aws import MANAGERS, REGION, Moto
from tests.managers.aws_environment import at, fetch, only_aws, told
from tests.managers.aws_metadata import MetadataServices

CANARY = "canary-c4d2"
START = "https://shop.awsapps.com/start"
TRUST_OF_GITHUB = {
    "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
}
TRUST_OF_THE_ACCOUNT = {"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module", autouse=True)
def secret(moto: Moto) -> None:
    """The secret that all of them read."""
    moto.client("secretsmanager").create_secret(Name="credentials/shop", SecretString="read")


@pytest.fixture
def nobody(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that leads to the server, without any credentials."""
    only_aws(monkeypatch, tmp_path, at(moto.address))
    return monkeypatch


@pytest.fixture(scope="module")
def services(moto: Moto) -> Iterator[MetadataServices]:
    """Metadata services that hand out a session of STS."""
    role = moto.role("of-services", TRUST_OF_THE_ACCOUNT, "secretsmanager:*")
    given = moto.client("sts").assume_role(RoleArn=role, RoleSessionName="services")["Credentials"]
    with MetadataServices(given) as running:
        yield running


def configure(home: Path, text: str) -> None:
    """Write the shared configuration."""
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / "config").write_text(text)


def test_no_credentials(nobody: pytest.MonkeyPatch) -> None:
    """The error says how to get some, on a laptop and in CI."""
    with pytest.raises(KamalError, match="No credentials for AWS were found") as caught:
        fetch("aws", "credentials/shop")
    assert "aws sso login" in (caught.value.hint or "")


def test_no_region(nobody: pytest.MonkeyPatch, moto: Moto) -> None:
    """The error names the variable."""
    for name, value in {**moto.administrator, "AWS_REGION": ""}.items():
        nobody.setenv(name, value)
    with pytest.raises(KamalError, match="No region of AWS is set") as caught:
        fetch("aws", "credentials/shop")
    assert "AWS_DEFAULT_REGION" in (caught.value.hint or "")
    assert fetch("aws", "credentials/shop", region=REGION) == {"credentials/shop": "read"}


def test_profiles(nobody: pytest.MonkeyPatch, moto: Moto, tmp_path: Path) -> None:
    """`--account` is a profile, with its region and credentials; it comes before the keys of the environment."""
    key, secret_key = moto.administrator.values()
    configure(
        tmp_path,
        f"[profile shop]\nregion = {REGION}\naws_access_key_id = {key}\naws_secret_access_key = {secret_key}\n",
    )
    for name, value in {"AWS_REGION": "", "AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "w"}.items():
        nobody.setenv(name, value)
    assert fetch("aws", "credentials/shop", account="shop") == {"credentials/shop": "read"}
    assert fetch("aws", "credentials/shop", profile="shop") == {"credentials/shop": "read"}
    with pytest.raises(KamalError, match="has no profile other"):
        fetch("aws", "credentials/shop", account="other")


def test_a_role_with_an_external_id(nobody: pytest.MonkeyPatch, moto: Moto) -> None:
    """The role of a provider is assumed with the credentials that were found; a wrong external id is denied."""
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": "shop-1"}}}
    role = moto.role("partner", {**TRUST_OF_THE_ACCOUNT, **condition}, "secretsmanager:*")
    for name, value in moto.user("partner-user", "sts:AssumeRole").items():
        nobody.setenv(name, value)
    assert fetch("aws", "credentials/shop", role=role, external_id="shop-1", session_name="deploy") == {
        "credentials/shop": "read"
    }
    assert moto.requests("AssumeRole")[-1]["RoleSessionName"] == "deploy"
    with pytest.raises(KamalError, match=f"AWS denies sts:AssumeRole of {role}") as caught:
        fetch("aws", "credentials/shop", role=role, external_id="wrong")
    assert "external id" in (caught.value.hint or "")


def test_a_role_of_a_profile(nobody: pytest.MonkeyPatch, moto: Moto, tmp_path: Path) -> None:
    """`role_arn` and `source_profile` of the shared configuration work as in the program `aws`."""
    role = moto.role("of-profile", TRUST_OF_THE_ACCOUNT, "secretsmanager:*")
    key, secret_key = moto.administrator.values()
    base = f"[profile base]\naws_access_key_id = {key}\naws_secret_access_key = {secret_key}\n"
    configure(tmp_path, f"{base}[profile deploy]\nrole_arn = {role}\nsource_profile = base\n")
    assert fetch("aws", "credentials/shop", account="deploy") == {"credentials/shop": "read"}


def test_web_identity(nobody: pytest.MonkeyPatch, moto: Moto, tmp_path: Path) -> None:
    """A token of CI is changed for a session of the role; a token that AWS refuses is told and not shown."""
    token = tmp_path / "token"
    token.write_text("eyJhbGciOiJSUzI1NiJ9.e30.signature")
    nobody.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    nobody.setenv("AWS_ROLE_ARN", moto.role("github", TRUST_OF_GITHUB, "secretsmanager:*"))
    assert fetch("aws", "credentials/shop") == {"credentials/shop": "read"}
    token.write_text(CANARY)
    with pytest.raises(KamalError, match="refuses the identity token for sts:AssumeRoleWithWebIdentity") as caught:
        fetch("aws", "credentials/shop")
    assert CANARY not in told(caught.value)
    token.unlink()
    with pytest.raises(KamalError):
        fetch("aws", "credentials/shop")


def test_a_program_of_the_configuration(nobody: pytest.MonkeyPatch, moto: Moto, tmp_path: Path) -> None:
    """The error has the complaint of a `credential_process`, and nothing of its output."""
    key, secret_key = moto.administrator.values()
    program = tmp_path / "program"
    given = json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret_key})
    program.write_text(f"#!/bin/sh\necho '{given}'\n")
    program.chmod(0o755)
    configure(tmp_path, f"[profile tool]\ncredential_process = {program}\n")
    assert fetch("aws", "credentials/shop", account="tool") == {"credentials/shop": "read"}
    program.write_text(f"#!/bin/sh\necho {CANARY}\necho the vault is locked >&2\nexit 1\n")
    with pytest.raises(KamalError, match="cannot be had from the program of credential_process") as caught:
        fetch("aws", "credentials/shop", account="tool")
    assert "the vault is locked" in told(caught.value)
    program.write_text(f"#!/bin/sh\necho '{{\"half\": {CANARY}'\n")
    with pytest.raises(KamalError) as half:
        fetch("aws", "credentials/shop", account="tool")
    assert CANARY not in told(caught.value) + told(half.value)


def test_a_container(nobody: pytest.MonkeyPatch, services: MetadataServices) -> None:
    """The metadata service of ECS is asked with its authorization; nothing of half its answer is shown."""
    nobody.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{services.address}/container")
    nobody.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", aws_metadata.CONTAINER)
    assert fetch("aws", "credentials/shop") == {"credentials/shop": "read"}
    nobody.setattr(services, "half", True)
    nobody.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with pytest.raises(KamalError, match="cannot be had from the metadata service of the container") as caught:
        fetch("aws", "credentials/shop")
    assert "AccessKeyId" not in told(caught.value)


def test_a_machine(nobody: pytest.MonkeyPatch, services: MetadataServices) -> None:
    """The metadata service of EC2 is asked in its second version, with a session token."""
    nobody.setenv("AWS_EC2_METADATA_DISABLED", "false")
    nobody.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", services.address)
    assert fetch("aws", "credentials/shop") == {"credentials/shop": "read"}


def sso(home: Path, services: MetadataServices, *, token: str | None, expires: str = "2099-01-01T00:00:00Z") -> None:
    """Write a profile of IAM Identity Center, and what `aws sso login` would have kept."""
    settings = (
        f"sso_start_url = {START}\nsso_region = {REGION}\nsso_account_id = 123456789012\nsso_role_name = deploy\n"
    )
    configure(home, f"[profile shop]\nregion = {REGION}\n{settings}")
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{hashlib.sha1(START.encode()).hexdigest()}.json"
    file.unlink(missing_ok=True)
    if token:
        file.write_text(json.dumps({"startUrl": START, "region": REGION, "accessToken": token, "expiresAt": expires}))


def test_sso(nobody: pytest.MonkeyPatch, services: MetadataServices, tmp_path: Path) -> None:
    """The login that `aws sso login` kept is used; the hint has the command where it is missing or expired."""
    nobody.setenv("AWS_ENDPOINT_URL_SSO", services.address)
    # botocore finds the folder when it is imported, which here was before HOME was set.
    nobody.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(tmp_path / ".aws" / "sso" / "cache"))
    sso(tmp_path, services, token=aws_metadata.SSO)
    assert fetch("aws", "credentials/shop", account="shop") == {"credentials/shop": "read"}
    for token, expires in ((None, ""), (CANARY, "2020-01-01T00:00:00Z"), (CANARY, "2099-01-01T00:00:00Z")):
        sso(tmp_path, services, token=token, expires=expires)
        with pytest.raises(KamalError, match="no SSO login for the profile shop, or it has expired") as caught:
            fetch("aws", "credentials/shop", account="shop")
        assert "aws sso login --profile shop" in (caught.value.hint or "")
        assert CANARY not in told(caught.value)


def test_a_login_serves_the_whole_run(nobody: pytest.MonkeyPatch, moto: Moto) -> None:
    """Several fetches of one adapter assume the role once."""
    role = moto.role("once", TRUST_OF_THE_ACCOUNT, "secretsmanager:*", "ssm:*")
    for name, value in moto.administrator.items():
        nobody.setenv(name, value)
    provider = AwsSecretsManager(Settings(AwsSecretsManager.settings, provider="cloud", declared={"role": role}))
    before = len(moto.requests("AssumeRole"))
    for _ in range(3):
        provider.fetch(["credentials/shop"], account=None, source=None)
    assert len(moto.requests("AssumeRole")) == before + 1


def test_the_extra_is_missing(nobody: pytest.MonkeyPatch) -> None:
    """The error names the command that brings it."""
    nobody.setitem(sys.modules, "botocore", None)
    for name in ("aws", "aws-ssm"):
        with pytest.raises(DependencyError) as caught:
            fetch(name, "x")
        assert "pip install 'pykamal[aws]'" in (caught.value.hint or "")


# -- the program `aws` itself


@pytest.fixture
def program(nobody: pytest.MonkeyPatch, moto: Moto, tmp_path: Path) -> Path:
    """The program on the PATH, and a profile with the administrator's key and the address of the server."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "aws").symlink_to(MANAGERS / "aws")
    nobody.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    key, secret_key = moto.administrator.values()
    keys = f"aws_access_key_id = {key}\naws_secret_access_key = {secret_key}\n"
    configure(tmp_path, f"[profile shop]\nregion = {REGION}\nendpoint_url = {moto.address}\n{keys}")
    return folder / "aws"


def test_the_program_reads_the_same(program: Path) -> None:
    """The set-up of these tests serves AWS's own program too, and signatures are verified for it."""
    words = ["secretsmanager", "get-secret-value", "--secret-id", "credentials/shop", "--profile", "shop"]
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["SecretString"] == "read"
    assert shutil.which("aws") == str(program)


def test_the_adapter_of_the_program(program: Path) -> None:
    """`aws_secrets_manager`, which drives the program, and `aws` give the same of the same profile."""
    by_program = adapter("aws_secrets_manager").fetch(["credentials/shop"], account="shop", source=None)
    assert {name: value and value.reveal() for name, value in by_program.items()} == {"credentials/shop": "read"}
    assert fetch("aws", "credentials/shop", account="shop") == {"credentials/shop": "read"}
    with pytest.raises(KamalError, match=r"never: .*can't find"):
        adapter("aws_secrets_manager").fetch(["never"], account="shop", source=None)
