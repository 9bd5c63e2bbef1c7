"""The leases that a worker holds, and their renewal."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from .client import Client, Lease, LeasedTask
from .errors import RotaError

# All that a lease has until its holder's first word.
_FIRST_LEASE = 60.0
# After a failed heartbeat the next comes in a twelfth of a lease, and in no more than this: in time after an outage.
_LONGEST_PAUSE = 1.0
# Independent of each other: one whose answer never comes delays no other. More than these are not begun.
_BEATS_AT_ONCE = 4


class Leases:
    """
    Renews all leases in one heartbeat at every third of their length, or of the first minute. Silence loses no lease:
    those that could not be renewed while Rota, its database or NATS was away are spared. Only the service's word
    `lost` does.
    """

    def __init__(self, client: Client, length: float, on_error: Callable[[RotaError], None]) -> None:
        self._client = client
        self.length = length
        self._on_error = on_error
        # By lease: a task that was lost may come back to the same worker under another one.
        self._held: dict[str, tuple[LeasedTask, Callable[[], None]]] = {}
        self._beats: set[asyncio.Task[None]] = set()
        self._failing = False
        self._running = asyncio.ensure_future(self._run())

    def __len__(self) -> int:
        return len(self._held)

    def add(self, task: LeasedTask, lost: Callable[[], None]) -> None:
        """`lost` is called once, in the loop, when another worker has the task or a person ended it."""
        self._held[task["lease_id"]] = (task, lost)

    def drop(self, task: LeasedTask) -> None:
        self._held.pop(task["lease_id"], None)

    def close(self) -> None:
        for task in (self._running, *self._beats):
            task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(self.length, _FIRST_LEASE) / 3)
            self._beat(0)

    def _beat(self, after: float) -> None:
        if len(self._beats) >= _BEATS_AT_ONCE:
            return
        beat = asyncio.ensure_future(self._renew(after))
        self._beats.add(beat)
        beat.add_done_callback(self._beats.discard)

    async def _renew(self, after: float) -> None:
        await asyncio.sleep(after)
        asked: list[Lease] = [{"id": task["id"], "lease_id": lease} for lease, (task, _) in self._held.items()]
        if not asked:
            return
        try:
            lost = set(await self._client.heartbeat(asked, self.length))
        except RotaError as error:
            if not self._failing:
                self._on_error(error)
            self._failing = True
            if error.busy:
                # At once after a timeout: that took long enough, and another supervisor may answer.
                pause = min(self.length / 12, _LONGEST_PAUSE) * random.uniform(0.5, 1)
                self._beats.discard(asyncio.current_task())
                self._beat(0 if error.code == "ASK_TIMEOUT" else pause)
            return
        self._failing = False
        for lease in asked:
            if lease["id"] in lost and lease["lease_id"] in self._held:
                self._held.pop(lease["lease_id"])[1]()
