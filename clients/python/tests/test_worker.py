from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import Proxy, Rota, only, until

from rota_worker import LeasedTask, TaskFailed, Worker, connect


def work(
    url: str, image: str, handle: Any, done: Callable[[], Awaitable[None]], finish: float = 0, **options: Any
) -> None:
    """A worker, until `done` returns."""

    async def main() -> None:
        async with await connect(url) as client:
            worker = Worker(client, "boefje", handle, filters=only(image), wait=1, finish=finish, **options)
            running = asyncio.ensure_future(worker.run())
            try:
                await done()
            finally:
                worker.stop()
                await running

    asyncio.run(asyncio.wait_for(main(), 90))


def becoming(rota: Rota, *wanted: tuple[str, str]) -> Callable[[], Awaitable[None]]:
    async def done() -> None:
        for id, status in wanted:
            await asyncio.to_thread(rota.becomes, id, status)

    return done


def test_handlers_complete_and_fail_tasks_with_their_reason(rota: Rota, image: str) -> None:
    fine, bad, told = (rota.push(image, f"Hostname|internet|{name}.nl") for name in ("fine", "bad", "told"))

    async def handle(task: LeasedTask) -> None:
        if "bad" in task["data"]["input_ooi"]:
            raise ValueError("no such host")
        if "told" in task["data"]["input_ooi"]:
            raise TaskFailed("quota is used up", code="quota")

    work(rota.nats, image, handle, becoming(rota, (fine, "completed"), (bad, "failed"), (told, "failed")))
    error = rota.history(bad)["error"]
    assert error["message"] == "ValueError: no such host"
    assert 'raise ValueError("no such host")' in error["detail"]
    assert rota.history(told)["error"] == {"code": "quota", "message": "quota is used up"}


def test_a_plain_function_blocks_no_heartbeat_and_tasks_run_at_once(rota: Rota, image: str) -> None:
    ids = [rota.push(image, f"Hostname|internet|{name}.nl") for name in range(3)]
    at_once: list[int] = [0, 0]

    def handle(_: LeasedTask) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        time.sleep(3)
        at_once[0] -= 1

    wanted = [(id, "completed") for id in ids]
    # Three times as long as the lease.
    work(rota.nats, image, handle, becoming(rota, *wanted), concurrency=3, lease=1)
    assert at_once[1] == 3
    assert [rota.history(id)["attempts_before"] for id in ids] == [[], [], []]


def test_what_a_person_cancels_is_cancelled_here(rota: Rota, image: str) -> None:
    id = rota.push(image, "Hostname|internet|a.nl")
    ended: list[str] = []

    async def handle(_: LeasedTask) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def done() -> None:
        await asyncio.to_thread(rota.becomes, id, "running")
        await asyncio.to_thread(rota.http.patch, f"/tasks/{id}", json={"status": "cancelled"})
        while not ended:
            await asyncio.sleep(0.05)

    work(rota.nats, image, handle, done, lease=1.5)
    assert rota.task(id)["status"] == "cancelled"


def test_a_stop_lets_handlers_finish_and_gives_back_the_rest(rota: Rota, image: str) -> None:
    soon, never = (rota.push(image, f"Hostname|internet|{name}.nl") for name in ("soon", "never"))

    async def handle(task: LeasedTask) -> None:
        await asyncio.sleep(1.5 if "soon" in task["data"]["input_ooi"] else 600)

    work(
        rota.nats,
        image,
        handle,
        becoming(rota, (soon, "running"), (never, "running")),
        finish=4,
        concurrency=2,
    )
    assert rota.task(soon)["status"] == "completed"
    assert rota.task(never)["status"] == "queued"


def test_an_outage_mid_way_costs_no_result(rota: Rota, image: str, proxy: Proxy) -> None:
    id = rota.push(image, "Hostname|internet|a.nl")
    runs: list[str] = []

    async def handle(task: LeasedTask) -> None:
        runs.append(task["id"])
        proxy.down()

    async def done() -> None:
        while not runs:
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        assert rota.task(id)["status"] == "running"
        proxy.up()
        await asyncio.to_thread(rota.becomes, id, "completed")

    work(proxy.url, image, handle, done)
    assert runs == [id]


SCRIPT = """
import os, sys, time
from rota_worker import run_worker

def handle(task):
    with open(sys.argv[3], "a") as log:
        log.write(f"{os.getpid()} {task['id']}\\n")
    time.sleep(float(sys.argv[4]))

filters = {"filters": [{"column": "data", "field": "boefje__oci_image", "operator": "in", "value": [sys.argv[2]]}]}
run_worker(sys.argv[1], "boefje", handle, filters=filters, lease=1.5, wait=1, finish=float(sys.argv[5]))
"""


def start(rota: Rota, image: str, log: pathlib.Path, takes: float, finish: float = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, rota.nats, image, str(log), str(takes), str(finish)])


def test_another_gets_the_task_of_a_worker_that_was_killed(rota: Rota, image: str, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    id = rota.push(image, "Hostname|internet|a.nl")
    first = start(rota, image, log, 600)
    rota.becomes(id, "running")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    second = start(rota, image, log, 0)
    try:
        rota.becomes(id, "completed")
        assert log.read_text() == f"{first.pid} {id}\n{second.pid} {id}\n"
        assert [attempt["outcome"] for attempt in rota.history(id)["attempts_before"]] == ["expired"]
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0


@pytest.mark.parametrize("takes", [2, 600])
def test_sigterm_drains(rota: Rota, image: str, tmp_path: pathlib.Path, takes: int) -> None:
    """A handler has its time; one that hangs keeps neither the task nor the process."""
    log = tmp_path / "log"
    id = rota.push(image, "Hostname|internet|a.nl")
    worker = start(rota, image, log, takes, finish=4)
    until(log.exists)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(20) == 0
    assert rota.task(id)["status"] == ("completed" if takes == 2 else "queued")
