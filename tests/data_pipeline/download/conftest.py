"""A web server on this machine that can fail in every way a real one does."""

import hashlib
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_pipeline.download.patience import Patience
from data_pipeline.download.terms import Terms

PIECE_BYTES = 16 * 1024


@dataclass
class Asked:
    """One request, and what was sent for it."""

    method: str
    path: str
    start: int  # of the range; 0: all
    status: int = 0
    sent: int = 0  # bytes of the body


@dataclass
class Server:
    """Files by path, and per path what goes wrong with the next requests."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    # "truncate" and "stall" half-way, "damage" a byte, a status such as 503, or an address to
    # be redirected to; each is used up by one GET.
    faults: dict[str, list[str | int]] = field(default_factory=lambda: defaultdict(list))
    headers: dict[str, str] = field(default_factory=dict)  # in every answer; "" leaves one out
    knows_ranges: bool = True
    knows_if_range: bool = True
    pause_s: float = 0.0  # after every piece
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return self.address + path

    def bodies(self, path: str) -> list[Asked]:
        """Requests for a file's content, in order."""
        return [each for each in self.asked if each.method == "GET" and each.path == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, server: Server, *args: object) -> None:
        self.plan = server
        super().__init__(*args)  # type: ignore[arg-type]  # request, address, server

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        asked = Asked(self.command, self.path, start=0)
        self.plan.asked.append(asked)
        faults = self.plan.faults[self.path] if self.command == "GET" else []
        fault = faults.pop(0) if faults else None
        content = self.plan.files.get(self.path)
        if isinstance(fault, int) or content is None:
            self.begin(asked, fault if isinstance(fault, int) else 404, {"Content-Length": "0"})
        elif fault is not None and "://" in fault:
            self.begin(asked, 302, {"Location": fault, "Content-Length": "0"})
        else:
            self.send_file(asked, content, fault)

    def send_file(self, asked: Asked, content: bytes, fault: str | None) -> None:
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_current = self.headers.get("If-Range", etag) == etag or not self.plan.knows_if_range
        status = 200
        if found and self.plan.knows_ranges and is_current:
            asked.start, status = int(found[1]), 206
            headers["Content-Range"] = f"bytes {asked.start}-{len(content) - 1}/{len(content)}"
        body = content[asked.start :]
        if fault == "damage":
            body = bytes([body[0] ^ 1]) + body[1:]
        self.begin(asked, status, headers | {"Content-Length": str(len(body))})
        if self.command == "GET":
            self.send_body(asked, body, fault)

    def begin(self, asked: Asked, status: int, headers: dict[str, str]) -> None:
        asked.status = status
        self.send_response(status)
        for name, value in (headers | self.plan.headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def send_body(self, asked: Asked, body: bytes, fault: str | None) -> None:
        is_cut = fault in ("truncate", "stall")
        whole = body[: len(body) // 2] if is_cut else body
        try:
            for start in range(0, len(whole), PIECE_BYTES):
                self.wfile.write(whole[start : start + PIECE_BYTES])
                asked.sent += len(whole[start : start + PIECE_BYTES])
                if self.plan.pause_s:
                    time.sleep(self.plan.pause_s)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if fault == "stall":
            self.plan.released.wait(10)
        self.close_connection = self.close_connection or is_cut


@pytest.fixture
def server() -> Iterator[Server]:
    plan = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, plan)) as http:
        http.daemon_threads = True
        http.block_on_close = False
        plan.address = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=partial(http.serve_forever, poll_interval=0.02))
        thread.start()
        yield plan
        plan.released.set()
        http.shutdown()
        thread.join()


@pytest.fixture
def patience() -> Patience:
    """Short times, so that what fails fails at once."""
    return Patience(connect_s=2.0, stall_s=0.5, attempts=3, first_pause_s=0.01)


class Quiet:
    """A watcher that remembers what was said and how many bytes came."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bytes = 0
        self.files = 0

    def begin(self, what: str, *, files: int, size_bytes: int) -> None:
        self.said.append(f"{what}: {files} files of {size_bytes} bytes")

    def moved(self, count: int) -> None:
        self.bytes += count

    def settled(self) -> None:
        self.files += 1

    def end(self) -> None:
        """Nothing to undo."""

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def watcher() -> Quiet:
    return Quiet()


@pytest.fixture
def terms(tmp_path: Path, server: Server, patience: Patience) -> Terms:
    return Terms(
        folder=tmp_path / "dataset", mirror=server.address, connections=4, patience=patience
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a disk of so many kB; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(size_kb: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("a small disk cannot be mounted here: there is no mount")
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)
