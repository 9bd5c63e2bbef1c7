"""Rota's requests over NATS (docs/workers.md), as methods."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from nats.aio.msg import Msg

from .connection import Connection
from .errors import RotaError, TaskError

Status = Literal["pending", "queued", "dispatched", "running", "completed", "failed", "cancelled"]


class Task(TypedDict):
    """A task as it is over REST and NATS. Times are ISO, in UTC."""

    id: str
    scheduler_id: str
    schedule_id: str | None
    organisation: str
    priority: int
    status: Status
    type: str
    hash: str | None
    data: dict[str, Any]
    created_at: str
    modified_at: str


class Lease(TypedDict):
    id: str
    lease_id: str


class _Traced(TypedDict, total=False):
    traceparent: str


class LeasedTask(Task, _Traced):
    """A task that this worker holds until `lease_until`, unless it renews the lease."""

    lease_id: str
    lease_until: str
    attempts: int


# When a request that may be repeated is sent again: another supervisor may answer at once. Not more often, since that
# would load a database that is slow.
_REPEAT_AFTER = (2.0, 5.0)
# Items and bytes of one request, so that its answer fits into one message, too.
_CHUNK_ITEMS, _CHUNK_BYTES = 500, 200_000
# The driver writes a subject as it is.
_SUBJECT = re.compile(r"[^\s.*>\x00-\x20\x7f]+(\.[^\s.*>\x00-\x20\x7f]+)*")


class Client:
    """
    Every method raises RotaError: the service's own code, SERVICE_UNAVAILABLE where no supervisor answers,
    ASK_TIMEOUT where one took too long, UNAUTHORIZED where NATS forbids the subject. Times are seconds.
    """

    def __init__(self, connection: Connection, *, prefix: str = "rota", timeout: float = 10.0) -> None:
        self._connection = connection
        self._prefix = prefix
        self._timeout = timeout

    async def pop(
        self,
        scheduler: str,
        *,
        limit: int = 1,
        filters: Mapping[str, Any] | None = None,
        wait: float = 0.0,
        lease: float | None = None,
        worker: str | None = None,
    ) -> list[LeasedTask]:
        """
        Waits so long for the first task. `limit` counts units: a deduplicated group is one and comes as several
        tasks. Fewer may come: what fits into one message.
        """
        body: dict[str, Any] = {"limit": limit, "wait_ms": _ms(wait)}
        if filters is not None:
            body["filters"] = filters
        if lease is not None:
            body["lease_ms"] = _ms(lease)
        if worker is not None:
            body["worker"] = worker[:200]
        answer = await self._ask(f"pop.{scheduler}", body, timeout=self._timeout + wait)
        return cast("list[LeasedTask]", answer["results"])

    async def push(
        self,
        scheduler: str,
        *,
        organisation: str,
        data: Mapping[str, Any],
        priority: int | None = None,
        id: str | None = None,
    ) -> Task:
        """
        With an `id` of yours the same push may be repeated by you, too: it is answered as the first time. Priority 1
        is a person's; without one the scheduler's ranker decides. A refusal has its reason: CONFLICT
        `already-queued`, QUEUE_FULL.
        """
        body: dict[str, Any] = {"id": id or str(uuid.uuid4()), "organisation": organisation, "data": data}
        if priority is not None:
            body["priority"] = priority
        return cast("Task", await self._ask(f"push.{scheduler}", body, repeats=True))

    async def get(self, lease: Lease) -> Task:
        """A task that this lease holds, or held when it ended."""
        body = {"id": lease["id"], "lease_id": lease["lease_id"]}
        return cast("Task", await self._ask("task.get", body, repeats=True))

    async def patch(
        self, lease: Lease, status: Status, *, error: TaskError | None = None, traceparent: str | None = None
    ) -> None:
        """
        Reports on a task. The lease keeps a repeated patch from changing a task that has another holder by then.
        """
        (refused,) = await self.patch_all([lease], status, error=error, traceparent=traceparent)
        if refused is not None:
            raise refused

    async def patch_all(
        self,
        leases: Sequence[Lease],
        status: Status,
        *,
        error: TaskError | None = None,
        traceparent: str | None = None,
    ) -> list[RotaError | None]:
        """@return what refused each, or None, in order."""
        more: dict[str, Any] = {} if error is None else {"error": error}
        patches = [{"id": lease["id"], "lease_id": lease["lease_id"], "status": status, **more} for lease in leases]
        headers = None if traceparent is None else {"traceparent": traceparent}
        results: list[RotaError | None] = []
        # As sets, whose answers have no tasks: Postgres would read them for nothing.
        for part in _chunks(patches):
            answer = await self._ask("task.patch", {"patches": part}, repeats=True, headers=headers)
            results.extend(_refusal(result["error"]) if "error" in result else None for result in answer["results"])
        return results

    async def heartbeat(self, leases: Sequence[Lease], lease: float) -> list[str]:
        """@return the ids of the tasks whose lease is lost. All others are renewed for `lease` seconds."""
        lost: list[str] = []
        for part in _chunks([{"id": held["id"], "lease_id": held["lease_id"]} for held in leases]):
            answer = await self._ask("task.heartbeat", {"leases": part, "lease_ms": _ms(lease)}, repeats=True)
            lost.extend(answer["lost"])
        return lost

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(
        self,
        subject: str,
        body: Mapping[str, Any],
        *,
        timeout: float | None = None,
        repeats: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Any:
        name = f"{self._prefix}.{subject}"
        if not _SUBJECT.fullmatch(name):
            raise RotaError("INVALID_REQUEST", f"no name that NATS carries: {name[:100]!r}", 422)
        try:
            payload = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise RotaError("INVALID_REQUEST", f"body: expected what JSON can say: {error}", 422) from error
        within = self._timeout if timeout is None else timeout
        if repeats:
            reply = await self._repeating(name, payload, within, headers)
        else:
            reply = await self._connection.request(name, payload, within, headers)
        return _answer(reply)

    async def _repeating(self, name: str, payload: bytes, within: float, headers: dict[str, str] | None) -> Msg:
        """The first answer to any of them. Of the first alone an error other than silence is raised at once."""

        async def send(after: float) -> Msg:
            await asyncio.sleep(after)
            return await self._connection.request(name, payload, within - after, headers)

        first = asyncio.ensure_future(send(0))
        again = [asyncio.ensure_future(send(after)) for after in _REPEAT_AFTER if after < within]
        pending: set[asyncio.Future[Msg]] = {first, *again}
        try:
            while True:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    if one.exception() is None or one is first:
                        return one.result()
        finally:
            for one in (first, *again):
                one.cancel()
            # Retrieved, so that the loop does not report them as never looked at.
            await asyncio.gather(first, *again, return_exceptions=True)


async def connect(
    servers: str | Sequence[str] = "nats://127.0.0.1:4222",
    *,
    prefix: str = "rota",
    timeout: float = 10.0,
    connect_within: float | None = 10.0,
    **options: Any,
) -> Client:
    """
    `options` are those of `nats.connect`: user, password, user_credentials, inbox_prefix, tls. `connect_within=None`
    waits for a server for as long as it takes; refused credentials are raised at once.
    """
    connection = Connection(servers, {"name": "rota worker", **options})
    await connection.open(connect_within)
    return Client(connection, prefix=prefix, timeout=timeout)


def _answer(reply: Msg) -> Any:
    status = (reply.headers or {}).get("Nats-Service-Error-Code")
    try:
        body = json.loads(reply.data)
    except ValueError as error:
        if status is None:
            raise RotaError("BROKEN", "the answer is no JSON", 500) from error
        body = {}
    if status is None:
        return body
    said = (reply.headers or {}).get("Nats-Service-Error", "")
    raise _refusal({"code": "BROKEN", "status": int(status), "detail": said, **body.get("error", {})})


def _refusal(error: Mapping[str, Any]) -> RotaError:
    return RotaError(str(error["code"]), str(error["detail"]), int(error["status"]))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _chunks(items: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if part and (len(part) >= _CHUNK_ITEMS or size + length > _CHUNK_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part
