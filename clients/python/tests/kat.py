"""
What a runner of KAT is to its scheduler client, after the recorded contract: its models of a task, and the life of its
manager. One process pops and fills a queue; forked children take from it, report `running`, do the work, look whether
the task still runs, and report its end. A child that died has its task failed by the manager.

    python kat.py <NATS URL> <REST API> <image> <log> <lease>

What a child does stands in the task's OOI: `sleep:<seconds>`, `raise`, `kill` (itself).
"""

from __future__ import annotations

import datetime
import enum
import json
import multiprocessing
import os
import pathlib
import signal
import sys
import time
import uuid
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from rota_worker import SchedulerClient

fork = multiprocessing.get_context("fork")


class TaskStatus(enum.Enum):
    PENDING = "pending"
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Queue(enum.Enum):
    BOEFJES = "boefje"
    NORMALIZERS = "normalizer"


class Boefje(BaseModel):
    id: str = Field(min_length=1)
    version: str | None = None
    oci_image: str | None = None


class BoefjeMeta(BaseModel):
    id: uuid.UUID
    boefje: Boefje
    input_ooi: str | None = None
    arguments: dict[str, Any] = {}
    organization: str
    runnable_hash: str | None = None
    environment: dict[str, str] | None = None


class RawData(BaseModel):
    id: uuid.UUID
    boefje_meta: BoefjeMeta
    mime_types: list[dict[str, str]]


class NormalizerMeta(BaseModel):
    id: uuid.UUID
    raw_data: RawData
    normalizer: Boefje


class Task(BaseModel):
    id: uuid.UUID
    scheduler_id: str
    schedule_id: str | None
    organisation: str
    priority: int
    status: TaskStatus
    type: str
    hash: str | None = None
    data: BoefjeMeta | NormalizerMeta
    created_at: datetime.datetime
    modified_at: datetime.datetime


class RestClient:
    """As far as KAT's own client reads and pushes; its hydration is one key here."""

    def __init__(self, api: str, images: list[str]) -> None:
        self.oci_images = images
        self.plugins: list[str] = []
        self._http = httpx.Client(base_url=api, timeout=20)

    def get_task(self, task_id: uuid.UUID, hydrate: bool = True) -> Task:
        task = Task.model_validate(self._http.get(f"/tasks/{task_id}").raise_for_status().json())
        if hydrate and isinstance(task.data, BoefjeMeta):
            if task.data.input_ooi == "gone":
                raise LookupError("the OOI is gone")
            if task.data.input_ooi == "away":
                raise httpx.ConnectError("Octopoes is away")
            task.data.environment = {"SECRET": "s3cret"}
        return task

    def push_item(self, p_item: Task) -> None:
        path = f"/schedulers/{p_item.scheduler_id}/push"
        self._http.post(path, content=p_item.model_dump_json()).raise_for_status()


class Manager:
    def __init__(self, client: Any, log: pathlib.Path, pool_size: int = 2) -> None:
        self.client = client
        self.log = log
        manager = fork.Manager()
        self.queue = manager.Queue()
        self.handling = manager.dict()
        self.pool_size = pool_size
        self.workers = [self._start() for _ in range(pool_size)]

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.exit())
        while True:
            self._replace()
            if self.queue.qsize() > self.pool_size:
                time.sleep(0.1)
                continue
            try:
                tasks = self.client.pop_items(Queue.BOEFJES)
            except (httpx.HTTPError, ValidationError) as error:
                self._write("pop failed", str(error))
                continue
            if tasks:
                self.queue.put(tasks)

    def exit(self) -> None:
        for tasks in [self.queue.get() for _ in range(self.queue.qsize())]:
            for task in tasks:
                try:
                    self.client.push_item(task)
                except httpx.HTTPError as error:
                    self._write("push failed", str(error))
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.join()
            self._fail_task_of(worker.pid)
        sys.exit(0)

    def _start(self) -> Any:
        worker = fork.Process(target=work, args=(self.queue, self.client, self.handling, self.log))
        worker.start()
        return worker

    def _replace(self) -> None:
        for at, worker in enumerate(self.workers):
            if not worker.is_alive():
                self._fail_task_of(worker.pid)
                self.workers[at] = self._start()

    def _fail_task_of(self, pid: int) -> None:
        if pid not in self.handling:
            return
        try:
            task = self.client.get_task(self.handling[pid], hydrate=False)
            if task.status in (TaskStatus.DISPATCHED, TaskStatus.RUNNING):
                self.client.patch_task(task.id, TaskStatus.FAILED)
        except httpx.HTTPError as error:
            self._write("clean-up failed", str(error))

    def _write(self, what: str, about: str) -> None:
        write(self.log, what, about)


def work(queue: Any, client: Any, handling: Any, log: pathlib.Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        task, *duplicates = queue.get()
        handling[os.getpid()] = str(task.id)
        status = TaskStatus.FAILED
        try:
            client.patch_task(task.id, TaskStatus.RUNNING)
            write(log, "began", str(task.id))
            do(task.data.input_ooi)
            status = TaskStatus.COMPLETED
        except Exception as error:
            write(log, "raised", str(error))
        try:
            if client.get_task(task.id, hydrate=False).status == TaskStatus.RUNNING:
                client.patch_task(task.id, status)
            for duplicate in duplicates:
                again = TaskStatus.QUEUED if status is TaskStatus.FAILED else status
                client.patch_task(duplicate.id, again)
        except httpx.HTTPError as error:
            write(log, "report failed", str(error))


def do(ooi: str) -> None:
    what, _, seconds = ooi.partition(":")
    if what == "sleep":
        time.sleep(float(seconds))
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        raise RuntimeError(ooi)


def write(log: pathlib.Path, what: str, about: str) -> None:
    with log.open("a") as out:
        out.write(json.dumps({"pid": os.getpid(), "what": what, "about": about}) + "\n")


if __name__ == "__main__":
    nats, api, image, log, lease = sys.argv[1:]
    rest = RestClient(api, [image])
    client: SchedulerClient[Task] = SchedulerClient(nats, rest=rest, wait=1, lease=float(lease))
    Manager(client, pathlib.Path(log)).run()
