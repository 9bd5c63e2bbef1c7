"""
KAT's scheduler client, over NATS: `pop_items`, `push_item`, `patch_task`, `get_task`, as the managers of boefjes and
normalizers call them.

The process that makes the client has the connection, the leases and their heartbeats, in a thread. Its forked
children reach it over a Unix socket: a child that works keeps its task's lease alive, and one that dies, however,
ends its renewal, since the kernel closes its end.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import selectors
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

from .client import Client, LeasedTask
from .connection import Connection
from .desk import LONGEST_MESSAGE, Desk
from .errors import RotaError, TaskError, task_error
from .forks import Forks
from .worker import logger, worker_name

try:
    # A manager of KAT survives this error of its HTTP client and no other, so ours is one, too.
    from httpx import HTTPError
except ImportError:  # pragma: no cover

    class HTTPError(Exception):  # type: ignore[no-redef]
        pass


T = TypeVar("T")

_LEASE_KEYS = ("lease_id", "lease_until", "attempts", "traceparent")


class SchedulerError(RotaError, HTTPError):
    """A refusal, or an outage: `code` says which. An `httpx.HTTPError` where httpx is installed."""


class _Named(Protocol):
    @property
    def value(self) -> Any: ...


class SchedulerClient(Generic[T]):
    """
    A manager of KAT takes it in place of its own client, and changes nothing else:

        SchedulerWorkerManager(handler, SchedulerClient(nats_url, rest=SchedulerAPIClient(…)), …)

    With `rest`, KAT's own client, tasks are read by it, hydrated as ever, and the images and plug-ins that it asks
    for are asked for here. Without it `task` makes a task of the JSON object, `Task.model_validate` for instance.
    Times are seconds.

    Make it in the process that pops, before it forks the children that report.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        rest: Any = None,
        task: Callable[[dict[str, Any]], T] | None = None,
        oci_images: Sequence[str] | None = None,
        plugins: Sequence[str] | None = None,
        prefix: str = "rota",
        wait: float = 5.0,
        lease: float = 60.0,
        begin_within: float = 3600.0,
        patience: float = 300.0,
        timeout: float = 10.0,
        **options: Any,
    ) -> None:
        """
        `wait`: how long `pop_items` waits for a task, and tries in an outage, so that it may be called again at once.
        `begin_within`: how long a task may wait in this process before another worker gets it. `patience`: how long a
        child's report waits for an outage to end; this process waits for `timeout` alone. `options` are those of
        `nats.connect`.
        """
        self._rest = rest
        self._make = task or cast("Callable[[dict[str, Any]], T]", lambda it: it)
        self._images = list(oci_images or getattr(rest, "oci_images", None) or [])
        self._plugins = list(plugins or getattr(rest, "plugins", None) or [])
        self._wait = wait
        self._patience = patience
        self._timeout = timeout
        self._owner = os.getpid()
        self._folder = tempfile.mkdtemp(prefix="rota-")
        self._path = os.path.join(self._folder, "leases")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path)
        listener.listen(128)
        try:
            connection = Connection(servers, {"name": "rota runner", **options})
        except BaseException:
            listener.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        selector = selectors.DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(selector)
        self._desk = Desk(Client(connection, prefix=prefix, timeout=timeout), lease, begin_within)
        started: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(listener, connection, started), daemon=True)
        self._thread.start()
        started.wait()
        # Of a child: its connection to the process that made the client, one request at a time.
        self._upward: socket.socket | None = None
        self._turn = threading.Lock()
        self._forks = Forks(self._loop, selector, self._thread, self._forked)
        atexit.register(self.close)

    def pop_items(
        self,
        queue: _Named | str,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = 1,
    ) -> list[T]:
        """Waits for tasks, and returns none where none came. Takes its wait in an outage, too, before it raises."""
        scheduler = queue if isinstance(queue, str) else str(queue.value)
        given = (filters or {}).get("filters") or []
        groups: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"and": given}
        asked = [*groups.pop("and", [])]
        for field, values in (("boefje__oci_image", self._images), ("boefje__id", self._plugins)):
            if values:
                asked.append({"column": "data", "field": field, "operator": "in", "value": values})
        if asked:
            groups["and"] = asked
        body = {
            "scheduler": scheduler,
            "limit": limit or 1,
            "filters": {"filters": groups} if groups else None,
            "wait": self._wait,
            "worker": worker_name(),
        }
        tasks = self._call("pop", body, self._wait + self._timeout)
        return [made for task in tasks if (made := self._made(task)) is not None]

    def push_item(self, p_item: Any) -> None:
        """Gives back a task that this client holds; any other is pushed: over REST where there is `rest`."""
        task = _plain(p_item)
        if self._call("release", {"id": str(task.get("id"))}, self._bound()):
            return
        if self._rest is not None:
            self._rest.push_item(p_item)
            return
        # Settings of a boefje are secrets, and are read anew when it runs.
        data = {key: value for key, value in task["data"].items() if key != "environment"}
        keys = ("id", "organisation", "priority")
        body = {"data": data, **{key: task[key] for key in keys if task.get(key) is not None}}
        self._call("push", {"scheduler": task["scheduler_id"], "task": body}, self._bound())

    def patch_task(self, task_id: UUID | str, status: _Named | str, error: TaskError | None = None) -> None:
        """
        Reports; again after a lost answer, and through an outage. Refused with LEASE_LOST where the task is another's
        by now.
        """
        said = status if isinstance(status, str) else str(status.value)
        self._call("patch", {"id": str(task_id), "status": said, "error": error}, self._bound())

    def get_task(self, task_id: UUID | str, hydrate: bool = True) -> T:
        if self._rest is not None:
            return cast("T", self._rest.get_task(task_id) if hydrate else self._rest.get_task(task_id, hydrate=False))
        return self._make(self._call("get", {"id": str(task_id)}, self._bound()))

    def close(self) -> None:
        """Gives back what has not begun. At the end of the process it is called by itself."""
        if os.getpid() != self._owner or not self._thread.is_alive():
            return
        with contextlib.suppress(Exception):
            # The last pop ends meanwhile, with tasks that are given back, too.
            ending = asyncio.run_coroutine_threadsafe(self._desk.close(), self._loop)
            ending.result(self._wait + self._timeout + 2)
        self._forks.end()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self) -> SchedulerClient[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> object:
        raise TypeError("a SchedulerClient reaches its children by fork: multiprocessing.get_context('fork')")

    def _made(self, task: LeasedTask) -> T | None:
        """None for a task that cannot be read: it fails with the reason, and the others of the pop are done."""
        try:
            if self._rest is not None:
                return cast("T", self._rest.get_task(UUID(task["id"])))
            return self._make({key: value for key, value in task.items() if key not in _LEASE_KEYS})
        except Exception as error:
            response = getattr(error, "response", None)
            status = getattr(response, "status_code", 0)
            if isinstance(error, (HTTPError, OSError)) and not 400 <= status < 500:
                # Where a service is away the task is as good as before.
                logger.warning("task %s given back: %s", task["id"], error)
                with contextlib.suppress(RotaError):
                    self._call("release", {"id": task["id"]}, self._bound())
                raise
            logger.warning("task %s failed before it began", task["id"], exc_info=error)
            with contextlib.suppress(RotaError):
                report = {"id": task["id"], "status": "failed", "error": task_error(error)}
                self._call("patch", report, self._bound())
            return None

    def _bound(self) -> float:
        return self._timeout if os.getpid() == self._owner else self._patience

    def _call(self, what: str, body: dict[str, Any], within: float) -> Any:
        request = {"do": what, "within": within, **body}
        if os.getpid() != self._owner:
            return self._ask_parent(request)
        if not self._thread.is_alive():
            raise SchedulerError("SERVICE_UNAVAILABLE", "this client is closed")
        asked = asyncio.run_coroutine_threadsafe(self._desk.answer(request, None), self._loop)
        try:
            return asked.result(within + self._timeout + 5)
        except RotaError as error:
            raise SchedulerError(error.code, error.detail, error.status) from None
        except FutureTimeout:
            asked.cancel()
            raise SchedulerError("ASK_TIMEOUT", f"{what}: no answer within {within:g} s") from None

    def _ask_parent(self, request: dict[str, Any]) -> Any:
        with self._turn:
            try:
                if self._upward is None:
                    self._upward = socket.socket(socket.AF_UNIX)
                    self._upward.connect(self._path)
                self._upward.settimeout(request["within"] + 2 * self._timeout)
                _send(self._upward, request)
                answer = json.loads(_receive(self._upward))
            except (OSError, EOFError) as error:
                if self._upward is not None:
                    self._upward.close()
                self._upward = None
                said = f"the process that made this client is gone, or does not answer: {error}"
                raise SchedulerError("SERVICE_UNAVAILABLE", said) from error
        if "error" in answer:
            raise SchedulerError(*answer["error"])
        return answer["ok"]

    def _forked(self) -> None:
        """In a child, right after the fork. A child's own child must not hold its parent's connection open."""
        self._turn = threading.Lock()
        if self._upward is not None:
            self._upward.close()
        self._upward = None

    def _serve(self, listener: socket.socket, connection: Connection, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def start() -> None:
            connection.open_in_background()
            self._desk.start()
            await asyncio.start_unix_server(self._desk.serve_child, sock=listener)

        self._loop.run_until_complete(start())
        started.set()
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=1))
        self._loop.close()


def _plain(task: Any) -> dict[str, Any]:
    """A task as JSON has it: a pydantic model of KAT, or a dictionary."""
    if isinstance(task, Mapping):
        return dict(task)
    return cast("dict[str, Any]", json.loads(task.model_dump_json()))


def _send(to: socket.socket, message: Mapping[str, Any]) -> None:
    text = json.dumps(message).encode()
    to.sendall(struct.pack("!I", len(text)) + text)


def _receive(source: socket.socket) -> bytes:
    (size,) = struct.unpack("!I", _exactly(source, 4))
    if size > LONGEST_MESSAGE:
        raise EOFError("the answer is too long")
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError("it closed the connection")
        parts += part
    return bytes(parts)
