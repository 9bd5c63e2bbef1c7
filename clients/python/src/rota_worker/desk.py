"""What a process that runs KAT's tasks and its children ask for: the leases, who works on which, and their ends."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, cast

from .client import Client, Lease, LeasedTask, Status
from .errors import RotaError
from .leases import Leases
from .worker import logger

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# Bytes of one message between a child and its parent. A task is smaller than a message of NATS, 64 MB at most.
LONGEST_MESSAGE = 80_000_000
# Leases that ended a while ago, for `get_task` and repeated reports.
_ENDED_AT_MOST = 1_000


class _Held:
    def __init__(self, task: LeasedTask, batch: object) -> None:
        self.task = task
        self.lease: Lease = {"id": task["id"], "lease_id": task["lease_id"]}
        self.batch = batch
        self.since = time.monotonic()
        self.begun = False
        self.renewed = True
        # Who works on it: None is this process, or no process yet.
        self.child: _Child | None = None


class _Child:
    """A process that is connected."""


class Desk:
    """Lives in the loop of its client's thread."""

    def __init__(self, client: Client, lease: float, begin_within: float) -> None:
        self._client = client
        self._lease = lease
        self._begin_within = begin_within
        self._held: dict[str, _Held] = {}
        self._ended: OrderedDict[str, Lease] = OrderedDict()
        self._popping: set[asyncio.Future[Any]] = set()
        self._closing = False

    def start(self) -> None:
        self._leases = Leases(self._client, self._lease, lambda error: logger.warning("heartbeat failed: %s", error))
        self._expiring = asyncio.ensure_future(self._expire())

    async def answer(self, request: dict[str, Any], child: _Child | None) -> Any:
        what, until = request["do"], time.monotonic() + request["within"]
        if what == "pop":
            return await self._pop(request, child)
        if what == "push":
            return await self._patiently(until, lambda: self._client.push(request["scheduler"], **request["task"]))
        if what == "release":
            return await self._release(request["id"], until)
        if what == "get":
            lease = self._lease_of(request["id"])
            return await self._patiently(until, lambda: self._client.get(lease))
        return await self._patch(request, child, until)

    async def serve_child(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        child = _Child()
        try:
            while True:
                (size,) = struct.unpack("!I", await reader.readexactly(4))
                request = json.loads(await reader.readexactly(min(size, LONGEST_MESSAGE)))
                try:
                    answer = {"ok": await self.answer(request, child)}
                except RotaError as error:
                    answer = {"error": [error.code, error.detail, error.status]}
                text = json.dumps(answer).encode()
                writer.write(struct.pack("!I", len(text)) + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, ValueError, KeyError, TypeError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            await self._leave([held for held in self._held.values() if held.child is child])

    async def close(self) -> None:
        """Waits for the last pop: what it brings would else be held for a minute by a worker that is gone."""
        self._closing = True
        if self._popping:
            await asyncio.wait(self._popping)
        await self._give_back([held for held in self._held.values() if not held.begun])
        self._expiring.cancel()
        self._leases.close()
        await self._client.close()

    async def _pop(self, request: dict[str, Any], child: _Child | None) -> list[LeasedTask]:
        if self._closing:
            raise RotaError("SERVICE_UNAVAILABLE", "this client is closed")
        popping = asyncio.ensure_future(self._take(request))
        self._popping.add(popping)
        popping.add_done_callback(self._popping.discard)
        # The caller may be gone by then: a signal ended its wait. What comes is held, and given back by `close`.
        tasks = await asyncio.shield(popping)
        for task in tasks:
            if (held := self._held.get(task["id"])) is not None:
                held.child = child
        return tasks

    async def _take(self, request: dict[str, Any]) -> list[LeasedTask]:
        until, pause = time.monotonic() + request["wait"], _FIRST_PAUSE
        while True:
            left = until - time.monotonic()
            try:
                tasks = await self._client.pop(
                    request["scheduler"],
                    limit=request["limit"],
                    filters=request["filters"],
                    wait=max(0.0, left),
                    lease=self._lease,
                    worker=request["worker"],
                )
                break
            except RotaError as error:
                # A manager that asks again at once must not hammer the server with what it refuses.
                await asyncio.sleep(max(0.0, min(pause if error.busy else _LONGEST_PAUSE, left)))
                if not error.busy or left <= pause:
                    raise
                pause = min(pause * 2, _LONGEST_PAUSE)
        batch = object()
        for task in tasks:
            held = _Held(task, batch)
            self._held[task["id"]] = held
            self._leases.add(task, lambda held=held: self._lose(held))  # type: ignore[misc]
        return tasks

    async def _patch(self, request: dict[str, Any], child: _Child | None, until: float) -> None:
        id, status = request["id"], cast("Status", request["status"])
        held = self._held.get(id)
        if held is not None and held.begun and child is not None and held.child not in (None, child):
            raise RotaError("LEASE_LOST", f"task {id}: another process works on it", 409)
        lease = self._lease_of(id)
        begins = status in ("running", "dispatched")
        if held is not None and begins:
            await self._bind(held, child)
        trace = held.task.get("traceparent") if held is not None else None

        async def report() -> None:
            await self._client.patch(lease, status, error=request.get("error"), traceparent=trace)

        try:
            await self._patiently(until, report)
        except RotaError as error:
            if error.lost and held is not None:
                self._lose(held)
            raise
        if held is not None and begins:
            held.begun = True
        elif held is not None:
            self._end(held)

    async def _bind(self, held: _Held, child: _Child | None) -> None:
        """
        The other members of its group, which this child is to report too, go with it. Those that another child begins
        are that one's. A child does one thing at a time: what it began before, and did not report, it has left.
        """
        held.child = child
        if child is None:
            return
        key = held.task["data"].get("deduplication_key")
        for other in self._held.values():
            same = other.batch is held.batch and not other.begun and other.child is None
            if key is not None and same and other.task["data"].get("deduplication_key") == key:
                other.child = child
        await self._leave(
            [other for other in self._held.values() if other.child is child and other.batch is not held.batch]
        )

    async def _release(self, id: str, until: float) -> bool:
        held = self._held.get(id)
        if held is None:
            if id in self._ended:
                raise RotaError("LEASE_LOST", f"task {id}: it has ended, or is another worker's", 409)
            return False
        await self._patiently(until, lambda: self._client.patch(held.lease, "queued"))
        self._end(held)
        return True

    async def _give_back(self, given: Sequence[_Held]) -> None:
        for held in given:
            self._end(held)
        if given:
            try:
                await self._client.patch_all([held.lease for held in given], "queued")
            except RotaError as error:
                logger.warning("%d tasks not given back: %s", len(given), error)

    async def _leave(self, left: Sequence[_Held]) -> None:
        """
        The child that had them is gone, or does something else. What it worked on is not renewed any more: its
        manager fails it, or it comes back when its lease ends. What it was to do next goes back at once.
        """
        for held in left:
            if held.begun and held.renewed:
                logger.warning("task %s: its process left it; its lease is not renewed any more", held.task["id"])
                self._leases.drop(held.task)
                held.renewed = False
                held.since = time.monotonic()
        await self._give_back([held for held in left if not held.begun])

    async def _expire(self) -> None:
        """
        Forgets what waits in this process for too long, and what a child left behind, some time after its lease.
        """
        while True:
            await asyncio.sleep(min(10.0, self._begin_within / 4))
            now = time.monotonic()
            for held in list(self._held.values()):
                if not held.renewed and now - held.since > self._lease + 60:
                    self._end(held)
                elif not held.begun and now - held.since > self._begin_within:
                    said = "task %s: not begun within %g s: it goes back"
                    logger.warning(said, held.task["id"], self._begin_within)
                    await self._give_back([held])

    async def _patiently(self, until: float, ask: Callable[[], Any]) -> Any:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await ask()
            except RotaError as error:
                if not error.busy or time.monotonic() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _lease_of(self, id: str) -> Lease:
        held = self._held.get(id)
        lease = held.lease if held is not None else self._ended.get(id)
        if lease is None:
            raise RotaError("LEASE_LOST", f"task {id}: this client does not hold it (any more)", 409)
        return lease

    def _lose(self, held: _Held) -> None:
        logger.warning("task %s: the lease is lost", held.task["id"])
        self._end(held)

    def _end(self, held: _Held) -> None:
        id = held.task["id"]
        self._leases.drop(held.task)
        if self._held.get(id) is held:
            del self._held[id]
        self._ended[id] = held.lease
        self._ended.move_to_end(id)
        while len(self._ended) > _ENDED_AT_MOST:
            self._ended.popitem(last=False)
