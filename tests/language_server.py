"""A YAML language server as an editor runs it, spoken to over its standard input and output."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final, Self

_INSTALLED: Final = Path(__file__).parents[1] / ".cache" / "editor"
_NODE: Final = _INSTALLED / "bin" / "node"
_SERVER: Final = _INSTALLED / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


class LanguageServer:
    """Answers about one open document after another. A missing server is an error, never a skipped test."""

    def __init__(self, folder: Path) -> None:
        assert _SERVER.is_file(), f"no language server at {_SERVER}: run scripts/setup"
        self._folder = folder
        self._process = subprocess.Popen(
            [_NODE, _SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last_id = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        capabilities = {"textDocument": {"completion": {"completionItem": {"snippetSupport": False}}}}
        self._request("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities})
        self._send({"method": "initialized", "params": {}})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, name: str, text: str) -> str:
        """The document's address."""
        path = self._folder / name
        path.write_text(text)
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return path.as_uri()

    def completions(self, document: str, line: int, character: int) -> list[str]:
        """Labels of what is offered at a place, counted from 0."""
        found = self._at("textDocument/completion", document, line, character)
        return [item["label"] for item in found["items"]]

    def hover(self, document: str, line: int, character: int) -> str:
        found = self._at("textDocument/hover", document, line, character)
        return str(found["contents"]["value"])

    def diagnostics(self, document: str) -> list[tuple[int, str]]:
        """Lines and messages; waits until the server has looked at the document."""
        while document not in self._diagnostics:
            self._receive()
        return [(found["range"]["start"]["line"], found["message"]) for found in self._diagnostics[document]]

    def _at(self, method: str, document: str, line: int, character: int) -> Any:
        position = {"line": line, "character": character}
        return self._request(method, {"textDocument": {"uri": document}, "position": position})

    def _request(self, method: str, parameters: dict[str, Any]) -> Any:
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == self._last_id and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None, "a pipe was asked for"
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message. Questions of the server are answered with nothing: a document names its schema."""
        assert self._process.stdout is not None, "a pipe was asked for"
        length = 0
        while (header := self._process.stdout.readline().strip()) != b"":
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            items = message["params"].get("items") if isinstance(message.get("params"), dict) else None
            self._send({"id": message["id"], "result": [None] * len(items) if items else None})
        return message
