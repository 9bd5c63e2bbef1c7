"""
A Rota of its own: `rota dev` with embedded Postgres and NATS, on free ports. Node finds it two folders up, or as
ROTA_CHECKOUT says.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

CHECKOUT = pathlib.Path(os.environ.get("ROTA_CHECKOUT") or pathlib.Path(__file__).parents[3])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Rota:
    def __init__(self, nats: str, api: str) -> None:
        self.nats = nats
        self.http = httpx.Client(base_url=api, timeout=20)

    def task(self, id: str) -> dict[str, Any]:
        return self.http.get(f"/tasks/{id}").raise_for_status().json()

    def history(self, id: str) -> dict[str, Any]:
        return self.http.get(f"/tasks/{id}/history").raise_for_status().json()

    def push(self, image: str, ooi: str, organisation: str = "aa", boefje_id: str | None = None, **more: Any) -> str:
        # Its own boefje: the hash of a task, which is queued once, has no image.
        boefje = {"id": boefje_id or f"dns-{uuid.uuid4()}", "oci_image": image}
        data = {"boefje": boefje, "input_ooi": ooi, "organization": organisation, **more}
        body = {"organisation": organisation, "priority": 1, "data": data}
        return str(self.http.post("/schedulers/boefje/push", json=body).raise_for_status().json()["id"])

    def becomes(self, id: str, status: str, within: float = 40) -> dict[str, Any]:
        return until(lambda: task if (task := self.task(id))["status"] == status else None, within)


def until(look: Callable[[], Any], within: float = 40) -> Any:
    """The first answer that is true."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def rota(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    data = tmp_path_factory.mktemp("rota")
    local = CHECKOUT / "node_modules" / ".bin" / "node"
    node = str(local) if local.exists() else shutil.which("node") or "node"
    ports = {name: str(free_port()) for name in ("api", "nats", "page")}
    command = [node, str(CHECKOUT / "src" / "cli.ts"), "dev", "--data", str(data / "data"), "--json"]
    for name, port in ports.items():
        command += [f"--{name}-port", port]
    # A task that lost its worker goes to the next one at once.
    environment = {**os.environ, "SCHEDULER_RETRY_SECONDS": "0"}
    with (data / "log").open("w") as log:
        served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=CHECKOUT, text=True)
        assert served.stdout is not None
        try:
            line = served.stdout.readline()
            assert line, f"rota dev ended: {(data / 'log').read_text()[-3000:]}"
            ready = json.loads(line)
            yield Rota(ready["nats"], ready["api"])
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(30)


@pytest.fixture
def image() -> str:
    """Of the tasks of one test alone."""
    return f"image-{uuid.uuid4()}"


def only(image: str) -> dict[str, Any]:
    return {"filters": [{"column": "data", "field": "boefje__oci_image", "operator": "in", "value": [image]}]}


class Proxy:
    """A TCP proxy before NATS, to be down, and to end a connection right after a request has passed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 4222)
        self._server = socket.create_server(("127.0.0.1", 0))
        port = self._server.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}").geturl()
        self._up = True
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._needle: bytes | None = None
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def down(self) -> None:
        self._up = False
        self._cut()

    def up(self) -> None:
        self._up = True

    def lose_answer_to(self, needle: bytes) -> None:
        """Of the next request that has these bytes."""
        self._needle = needle

    def close(self) -> None:
        self._server.close()
        self.down()

    def _cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if not self._up:
                client.close()
                continue
            upstream = socket.create_connection(self._target)
            self._pairs.append((client, upstream))
            threading.Thread(target=self._pipe, args=(client, upstream, True), daemon=True).start()
            threading.Thread(target=self._pipe, args=(upstream, client, False), daemon=True).start()

    def _pipe(self, source: socket.socket, sink: socket.socket, requests: bool) -> None:
        try:
            while chunk := source.recv(65_536):
                if requests and self._needle is not None and self._needle in chunk:
                    self._needle = None
                    # The answer has no way back any more when the request reaches the server, nor for a while.
                    self._up = False
                    self.cuts += 1
                    source.shutdown(socket.SHUT_WR)
                    sink.sendall(chunk)
                    time.sleep(1)
                    self._up = True
                    break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            end.close()


@pytest.fixture
def proxy(rota: Rota) -> Iterator[Proxy]:
    proxy = Proxy(rota.nats)
    yield proxy
    proxy.close()
