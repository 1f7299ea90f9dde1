"""Stand-ins for programs of secret managers that cannot be had here (op, bws, enpass-cli, passbolt, gcloud, ...).

They speak the command-line contract that the managers document, as far as adapters use it, note the arguments that they
got, and misbehave on request. Ruby Kamal drives the same ones in tests/parity/test_adapters_parity.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("op", "lpass", "bw", "bws", "aws", "doppler", "enpass-cli", "gcloud", "passbolt")

BODY = r"""
import base64, json, os, pathlib, re, signal, sys, time

here = pathlib.Path(__file__).parent
world = json.loads((here / "world.json").read_text())
program, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
values, fault = world["values"], world["fault"]
with open(here / "calls", "a") as calls:
    calls.write(json.dumps([program, *words]) + "\n")


def fail(text, status=1):
    print(text, file=sys.stderr)
    sys.exit(status)


def write(text):
    # Bytes that are no UTF-8 come out as they were put in.
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape")); sys.stdout.flush()


def out(answer):
    text = json.dumps(answer, ensure_ascii=False)
    if fault == "no answer":
        write(text[:3]); time.sleep(60)
    if fault == "server gone":
        write(text[: len(text) - 4]); os.kill(os.getpid(), signal.SIGKILL)
    if fault == "half an answer":
        text = text[: len(text) - 4]
    write(text)
    if fault == "rate limit":
        fail("429 Too Many Requests")
    if fault == "expired login":
        fail("the session has expired")
    sys.exit(0)


def found(name):
    if name not in values:
        fail(f"{name} isn't there")
    return values[name]


REFUSED = fault in ("not logged in", "wrong password")


def logged_in():
    return not REFUSED and (world["logged_in"] or (here / "session").exists())


def login(answer=""):
    if REFUSED:
        print("refused-hush-7d1f9c")
        fail("wrong password" if fault == "wrong password" else "there is no terminal to ask for the password")
    (here / "session").write_text("yes")
    print(answer)
    sys.exit(0)


def after(option):
    return words[words.index(option) + 1]


if words[:1] in (["--version"], ["version"]):
    print("1.0"); sys.exit(0)

if program == "op":
    if words[:2] == ["account", "get"]:
        sys.exit(0 if logged_in() else 1)
    if words[0] == "whoami":
        print('{"email": "ada@example.com"}'); sys.exit(0 if logged_in() else 1)
    if words[0] == "signin":
        login("token-hush" if "--raw" in words else 'export OP_SESSION_me="token-hush"')
    given = (os.environ.get("OP_SESSION_me", ""), *words)
    if not world["logged_in"] and not any("token-hush" in word for word in given):
        fail("not signed in")
    place = f'{after("--vault")}/{words[2]}'
    if "--fields" in words:
        fields = [label.removeprefix("label=").replace(".", "/") for label in after("--fields").split(",")]
    else:
        fields = [name.removeprefix(f"{place}/") for name in values if name.startswith(f"{place}/")]
    read = []
    for label in fields:
        value = found(f"{place}/{label}")
        entry = {"reference": f"op://{place}/{label}", "label": label}
        read.append(entry if value is None else {**entry, "value": value})
    out({"fields": read} if "--fields" not in words else read[0] if len(read) == 1 else read)

if program == "lpass":
    if words[0] == "status":
        print("Logged in as me." if logged_in() else "Not logged in."); sys.exit(not logged_in())
    if words[0] == "login":
        login()
    out([{"fullname": name, "password": found(name)} for name in words[1:-1]])

if program == "bw":
    unlocked = world["logged_in"] or os.environ.get("BW_SESSION") == "token-hush"
    if words[0] == "status":
        print(json.dumps({"status": "unlocked" if unlocked else "locked" if logged_in() else "unauthenticated",
                          "userEmail": "ada@example.com"}))
        sys.exit(0)
    if words[0] == "login":
        login()
    if words[0] == "unlock" and fault == "not logged in":
        sys.exit(0)  # it asks for the password, finds no terminal, and takes that for the end
    if words[0] == "unlock":
        login("token-hush")
    if not unlocked:
        fail("vault is locked")
    if words[0] == "sync":
        sys.exit(0)
    item = words[2]
    fields = [name.removeprefix(f"{item}/") for name in values if name.startswith(f"{item}/")]
    if not fields and item not in values:
        fail("Not found.")
    out({"name": item, "login": {"password": values[item]} if item in values else None,
         **({"fields": [{"name": name, "value": values[f"{item}/{name}"]} for name in fields]} if fields else {})})

if program == "bws":
    if REFUSED:
        fail("invalid token")
    if words == ["project", "list"]:
        print("[]"); sys.exit(0)
    if words[:2] == ["secret", "list"]:
        out([{"key": name, "value": value} for name, value in values.items()])
    out({"key": words[2], "value": found(words[2])})

if program == "aws":
    if REFUSED:
        fail("The security token included in the request is invalid", 254)
    if words[0] == "sts":
        print('{"Arn": "arn:aws:iam::1:user/ada"}'); sys.exit(0)
    names = words[words.index("--secret-id-list") + 1 :]
    names = names[: [index for index, word in enumerate(names) if word.startswith("--")][0]]
    if len(names) > 20:
        fail("Member must have length less than or equal to 20", 254)
    errors = [{"SecretId": name, "Message": "can't find it"} for name in names if name not in values]
    out({"SecretValues": [{"Name": name, "SecretString": values[name]} for name in names if name in values],
         "Errors": errors})

if program == "doppler":
    if words[0] == "me":
        print('{"name": "ada"}'); sys.exit(0 if logged_in() else 1)
    if words[0] == "login":
        login()
    names = sorted(words[2 : words.index("--json")])
    out({name: {"raw": found(name), "computed": found(name)} for name in names})

if program == "enpass-cli":
    if REFUSED:
        fail("could not open vault")
    titles = words[words.index("show") + 1 :]
    out([{"title": name.partition("/")[0], "label": name.partition("/")[2], "password": value}
         for name, value in values.items() if name.partition("/")[0] in titles])

if program == "gcloud":
    if words[:2] == ["auth", "list"]:
        print('[{"account": "me"}]' if logged_in() else "[]"); sys.exit(0)
    if words[:2] == ["auth", "login"]:
        login()
    name = [word for word in words if word.startswith("--secret=")][0].removeprefix("--secret=")
    out({"payload": {"data": base64.urlsafe_b64encode(found(name).encode("utf-8", "surrogateescape")).decode()}})

if program == "passbolt":
    if words[0] == "verify":
        sys.exit(1 if REFUSED else 0)
    asked = [json.loads(text) for text in re.findall(r'Name == ("(?:[^"\\]|\\.)*")', after("--filter"))]
    if words[1] == "folders":
        parent = "".join(re.findall(r'FolderParentID == "([^"]*)"', after("--filter")))
        print(json.dumps([{"id": f"id-{name}", "name": name, "folder_parent_id": parent} for name in asked
                          if any(f"{name}" == key for key in world["folders"])]))
        sys.exit(0)
    out([{"name": name, "password": values[name]} for name in asked if name in values])

fail(f"no such command: {words}")
"""


@dataclass
class StandIns:
    """The programs in a folder for the PATH; `hold` says what their managers have and how they misbehave."""

    folder: Path

    def install(self) -> None:
        for program in PROGRAMS:
            path = self.folder / program
            path.write_text(f"#!{sys.executable} -IS\n{BODY}")
            path.chmod(0o755)

    def hold(
        self, values: Mapping[str, Any], *, logged_in: bool = True, fault: str = "", folders: tuple[str, ...] = ()
    ) -> None:
        for name in ("session", "calls"):
            (self.folder / name).unlink(missing_ok=True)
        world = {"values": values, "logged_in": logged_in, "fault": fault, "folders": folders}
        (self.folder / "world.json").write_text(json.dumps(world))

    def called(self) -> list[list[str]]:
        """The words of every call since `hold`."""
        calls = self.folder / "calls"
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
