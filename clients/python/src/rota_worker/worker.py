"""Takes tasks, runs a handler for each, keeps their leases meanwhile, reports, and drains when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import random
import signal
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from .client import Client, LeasedTask, Status, connect
from .errors import RotaError, TaskError, task_error
from .leases import Leases

logger = logging.getLogger("rota_worker")

# First and longest pause after a failed request: in an outage the workers must not hammer the server.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

Handler = Callable[[LeasedTask], Awaitable[object] | object]


def worker_name() -> str:
    """Shown to operators beside the lease."""
    return f"{socket.gethostname()} {os.getpid()}"


class Worker:
    """
    `handle` does the work: returns, and the task is completed; raises, and it fails with the reason. An `async def`
    is cancelled when the lease is lost, and when the worker stops; it must not block the event loop, which sends the
    heartbeats. A plain function runs in a thread of its own, which nothing can cancel: its result is ignored then.
    Times are seconds.
    """

    def __init__(
        self,
        client: Client,
        scheduler: str,
        handle: Handler,
        *,
        concurrency: int = 1,
        filters: Mapping[str, Any] | None = None,
        lease: float = 60.0,
        wait: float = 5.0,
        finish: float = 0.0,
        name: str | None = None,
    ) -> None:
        """
        `wait`: how long one pop waits; also how long a stop of an idle worker takes at most. `finish`: how long a
        stop waits for handlers; what they have not ended by then is given back, for another worker.
        """
        if concurrency < 1:
            raise ValueError("concurrency: expected 1 or more")
        self._client = client
        self._scheduler = scheduler
        self._handle = handle
        self._concurrency = concurrency
        self._filters = filters
        self._lease = lease
        self._wait = wait
        self._finish = finish
        self._name = name or worker_name()
        self._stopping = asyncio.Event()
        # A deduplicated group may bring more tasks than are handled at once: they wait here, and their leases are
        # renewed.
        self._backlog: deque[LeasedTask] = deque()
        self._handling: dict[asyncio.Task[None], LeasedTask] = {}
        self._lost: set[str] = set()
        self._freed = asyncio.Event()

    def stop(self) -> None:
        """Pops no more; `run` returns once the tasks in hand are ended or given back."""
        self._stopping.set()
        self._freed.set()

    async def run(self) -> None:
        """Survives outages. Raises nothing but a cancellation, which gives back the tasks in hand, too."""
        leases = Leases(self._client, self._lease, lambda error: logger.warning("heartbeat failed: %s", error))
        try:
            await self._fetch(leases)
            await self._give_back(leases, self._take_backlog())
            if self._handling and self._finish > 0:
                await asyncio.wait(self._handling, timeout=self._finish)
        finally:
            left = [*self._take_backlog(), *self._handling.values()]
            for handling in list(self._handling):
                handling.cancel()
            if self._handling:
                await asyncio.wait(self._handling, timeout=1)
            await self._give_back(leases, left)
            leases.close()

    async def _fetch(self, leases: Leases) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            free = self._concurrency - len(self._handling) - len(self._backlog)
            if free <= 0:
                self._freed.clear()
                await self._freed.wait()
                continue
            try:
                tasks = await self._client.pop(
                    self._scheduler,
                    limit=free,
                    wait=self._wait,
                    lease=self._lease,
                    filters=self._filters,
                    worker=self._name,
                )
            except RotaError as error:
                logger.warning("pop of %s failed: %s", self._scheduler, error)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            for task in tasks:
                leases.add(task, lambda task=task: self._lose(task))  # type: ignore[misc]
                self._backlog.append(task)
            if not self._stopping.is_set():
                self._begin(leases)

    def _begin(self, leases: Leases) -> None:
        while self._backlog and len(self._handling) < self._concurrency:
            task = self._backlog.popleft()
            handling = asyncio.ensure_future(self._handle_one(task, leases))
            self._handling[handling] = task
            handling.add_done_callback(lambda ended: self._ended(ended, leases))

    def _ended(self, handling: asyncio.Task[None], leases: Leases) -> None:
        task = self._handling.pop(handling)
        leases.drop(task)
        self._lost.discard(task["lease_id"])
        if not handling.cancelled() and (error := handling.exception()) is not None:
            logger.error("task %s: internal error", task["id"], exc_info=error)
        if not self._stopping.is_set():
            self._begin(leases)
        self._freed.set()

    def _lose(self, task: LeasedTask) -> None:
        logger.warning("task %s: the lease is lost: another worker may have it, or a person ended it", task["id"])
        with contextlib.suppress(ValueError):
            self._backlog.remove(task)
            return
        self._lost.add(task["lease_id"])
        for handling, held in self._handling.items():
            if held is task:
                handling.cancel()

    async def _handle_one(self, task: LeasedTask, leases: Leases) -> None:
        if not await self._settle(task, "running"):
            return
        error: TaskError | None = None
        try:
            await _call(self._handle, task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            # A cancellation of its own that a handler awaited, which this worker did not ask for, is a failure.
            if task["lease_id"] in self._lost or self._stopping.is_set() or _is_cancelled(current):
                raise
            error = {"message": "CancelledError"}
        except Exception as raised:
            logger.info("task %s failed", task["id"], exc_info=raised)
            error = task_error(raised)
        await self._settle(task, "completed" if error is None else "failed", error)

    async def _settle(self, task: LeasedTask, status: Status, error: TaskError | None = None) -> bool:
        """Tries again while the service is busy and the lease is ours. @return whether the patch was accepted."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._client.patch(task, status, error=error, traceparent=task.get("traceparent"))
                return True
            except RotaError as refused:
                if not refused.busy:
                    logger.warning("task %s: not %s: %s", task["id"], status, refused)
                    return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _take_backlog(self) -> list[LeasedTask]:
        taken = list(self._backlog)
        self._backlog.clear()
        return taken

    async def _give_back(self, leases: Leases, tasks: Sequence[LeasedTask]) -> None:
        """What cannot be given back now comes back when its lease expires."""
        ours = [task for task in tasks if task["lease_id"] not in self._lost]
        for task in tasks:
            leases.drop(task)
        if ours:
            try:
                await self._client.patch_all(ours, "queued")
            except RotaError as error:
                logger.warning("%d tasks not given back: %s", len(ours), error)


def run_worker(
    servers: str | Sequence[str],
    scheduler: str,
    handle: Handler,
    *,
    prefix: str = "rota",
    concurrency: int = 1,
    filters: Mapping[str, Any] | None = None,
    lease: float = 60.0,
    wait: float = 5.0,
    finish: float = 20.0,
    name: str | None = None,
    **options: Any,
) -> None:
    """
    Works until SIGTERM or SIGINT, then drains: the last pop ends, handlers have `finish` seconds, the rest is given
    back. Waits for a NATS server that is not up yet. `options` are those of `nats.connect`.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        here = asyncio.current_task()
        assert here is not None
        worker: Worker | None = None

        def stop() -> None:
            if worker is None:
                here.cancel()
            else:
                worker.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        client = await connect(servers, prefix=prefix, connect_within=None, **options)
        async with client:
            worker = Worker(
                client,
                scheduler,
                handle,
                concurrency=concurrency,
                filters=filters,
                lease=lease,
                wait=wait,
                finish=finish,
                name=name,
            )
            await worker.run()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())


async def _call(handle: Handler, task: LeasedTask) -> None:
    if inspect.iscoroutinefunction(handle):
        await handle(task)
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[object] = loop.create_future()

    def tell(result: object, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)
        else:
            # A future takes no StopIteration, and a SystemExit in it would end the loop, with all other tasks.
            plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
            ended.set_exception(error if plain else RuntimeError(repr(error)))

    def work() -> None:
        result, error = None, None
        try:
            result = handle(task)
        except BaseException as raised:
            error = raised
        with contextlib.suppress(
            RuntimeError
        ):  # The loop has ended: the worker has stopped, and the task was given back.
            loop.call_soon_threadsafe(tell, result, error)

    # A daemon: neither a drain nor the end of the process waits for a handler that hangs.
    threading.Thread(target=work, name=f"task {task['id']}", daemon=True).start()
    result = await ended
    if inspect.isawaitable(result):
        await result


def _is_cancelled(task: asyncio.Task[Any] | None) -> bool:
    # Python 3.10 does not count cancellations; there each is taken for ours.
    return bool(getattr(task, "cancelling", lambda: True)())
