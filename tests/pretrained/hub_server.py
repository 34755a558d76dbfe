"""A stand-in for the Hugging Face hub on this machine: one repository at one commit."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "someone/tiny"


@dataclass
class Hub:
    """The address of a running hub, the folder it serves, and what it was asked for."""

    url: str
    folder: Path
    downloaded: list[str] = field(default_factory=list)
    error: tuple[int, str] | None = None
    """Status and code of the error that every request gets."""
    sent: dict[str, bytes] = field(default_factory=dict)
    """What is sent in the place of files."""


@contextmanager
def serving(folder: Path) -> Iterator[Hub]:
    """Serve the files of a folder as `REPOSITORY` at `COMMIT`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}", folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub = self.server.hub
        path = self.path.partition("?")[0]
        tree = f"/api/models/{REPOSITORY}/tree/{COMMIT}"
        files = f"/{REPOSITORY}/resolve/{COMMIT}/"
        if hub.error:
            self._send(hub.error[0], b"{}", {"X-Error-Code": hub.error[1]}, body)
        elif not path.startswith((f"/{REPOSITORY}/", f"/api/models/{REPOSITORY}/")):
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        elif path == tree:
            self._send(200, json.dumps(_listing(hub.folder)).encode(), {}, body)
        elif path.startswith(files) and (hub.folder / path.removeprefix(files)).is_file():
            name = path.removeprefix(files)
            content = (hub.folder / name).read_bytes()
            headers = {"ETag": f'"{_digest(name, content)}"', "X-Repo-Commit": COMMIT}
            if body:
                hub.downloaded.append(name)
                content = hub.sent.get(name, content)
            self._send(200, content, headers, body)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


def _digest(name: str, content: bytes) -> str:
    """Return the ETag that the hub gives: of large files (Git LFS) another than of small ones."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _listing(folder: Path) -> list[dict[str, object]]:
    return [
        {
            "type": "file",
            "path": path.name,
            "size": path.stat().st_size,
            "oid": _digest(path.name, path.read_bytes()),
        }
        for path in sorted(folder.iterdir())
    ]
