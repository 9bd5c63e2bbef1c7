from __future__ import annotations

import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import kat
import pytest
from conftest import Proxy, Rota, free_port, until

from rota_worker import SchedulerClient, SchedulerError

Made = Callable[..., "SchedulerClient[kat.Task]"]


@pytest.fixture
def scheduler(rota: Rota, image: str) -> Iterator[Made]:
    clients: list[SchedulerClient[kat.Task]] = []

    def make(url: str = rota.nats, **options: Any) -> SchedulerClient[kat.Task]:
        given = {"task": kat.Task.model_validate, "oci_images": [image], "wait": 1, **options}
        clients.append(SchedulerClient(url, **given))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def runner(rota: Rota, image: str, tmp_path: pathlib.Path) -> Iterator[Callable[..., Runner]]:
    runners: list[Runner] = []

    def start(url: str = rota.nats, lease: float = 1.5) -> Runner:
        runners.append(Runner(rota, url, image, tmp_path / f"log{len(runners)}", lease))
        return runners[-1]

    yield start
    for one in runners:
        one.stop()


class Runner:
    """A manager and its two forked children, in a process of their own."""

    def __init__(self, rota: Rota, url: str, image: str, log: pathlib.Path, lease: float) -> None:
        self._log = log
        script = str(pathlib.Path(__file__).with_name("kat.py"))
        arguments = [url, str(rota.http.base_url), image, str(log), str(lease)]
        self.process = subprocess.Popen([sys.executable, script, *arguments], start_new_session=True)

    def log(self, what: str) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line for line in map(json.loads, lines) if line["what"] == what]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def forked(does: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            does()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return pid


def test_it_has_the_calls_of_kats_client(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler()
    assert client.pop_items(kat.Queue.BOEFJES) == []
    id = rota.push(image, "Hostname|internet|a.nl")
    (task,) = client.pop_items(kat.Queue.BOEFJES, {"filters": []}, 1)
    assert (str(task.id), task.status, task.data.organization) == (id, kat.TaskStatus.DISPATCHED, "aa")
    client.patch_task(task.id, kat.TaskStatus.RUNNING)
    assert client.get_task(task.id).status is kat.TaskStatus.RUNNING
    client.patch_task(task.id, kat.TaskStatus.COMPLETED)
    # A report that is repeated, and a look afterwards, are answered as before.
    client.patch_task(task.id, kat.TaskStatus.COMPLETED)
    assert client.get_task(str(task.id)).status is kat.TaskStatus.COMPLETED
    with pytest.raises(httpx.HTTPError, match="LEASE_LOST"):
        client.patch_task(uuid.uuid4(), kat.TaskStatus.FAILED)


def test_filters_of_the_caller_are_asked_with_those_of_the_client(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(plugins=["one", "two"])
    for boefje in ("one", "two", "three"):
        rota.push(image, "Hostname|internet|a.nl", "aa", f"{boefje}")
    one = {"column": "data", "field": "boefje__id", "operator": "eq", "value": "one"}
    assert [task.data.boefje.id for task in client.pop_items("boefje", {"filters": [one]}, 9)] == ["one"]
    assert [task.data.boefje.id for task in client.pop_items("boefje", {"filters": {"not": [one]}}, 9)] == ["two"]
    with pytest.raises(SchedulerError, match="filters"):
        client.pop_items("boefje", {"filters": [{"column": "data", "operator": "resembles", "value": 1}]})


def test_a_pushed_back_task_is_queued_again_and_another_is_new(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler()
    id = rota.push(image, "Hostname|internet|a.nl")
    (task,) = client.pop_items("boefje")
    task.data.environment = {"SECRET": "s3cret"}
    client.push_item(task)
    assert rota.task(id)["status"] == "queued"
    (task,) = client.pop_items("boefje")
    client.patch_task(task.id, kat.TaskStatus.COMPLETED)
    with pytest.raises(SchedulerError, match="it has ended"):
        client.push_item(task)
    fresh = task.model_copy(update={"id": uuid.uuid4()})
    fresh.data.id = fresh.id
    fresh.data.environment = {"SECRET": "s3cret"}
    client.push_item(fresh)
    assert rota.task(str(fresh.id))["status"] == "queued"
    assert "s3cret" not in json.dumps(rota.task(str(fresh.id)))
    other = fresh.model_copy(update={"id": uuid.uuid4()})
    other.data.id = other.id
    with pytest.raises(SchedulerError, match="already-queued") as refused:
        client.push_item(other)
    assert refused.value.code == "CONFLICT" and isinstance(refused.value, httpx.HTTPError)
    assert pickle.loads(pickle.dumps(refused.value)).detail == refused.value.detail


def test_forked_children_report_and_their_tasks_outlive_the_lease(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(lease=1)
    id = rota.push(image, "Hostname|internet|a.nl")
    (task,) = client.pop_items("boefje")

    def child() -> None:
        client.patch_task(task.id, kat.TaskStatus.RUNNING)
        time.sleep(4)
        assert client.get_task(task.id).status is kat.TaskStatus.RUNNING
        client.patch_task(task.id, kat.TaskStatus.COMPLETED)

    assert os.waitpid(forked(child), 0)[1] == 0
    assert rota.task(id)["status"] == "completed"
    assert rota.history(id)["attempts_before"] == []


def test_a_child_that_is_killed_has_its_task_returned_and_no_other(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(lease=1.5)
    ids = [rota.push(image, f"Hostname|internet|{name}.nl") for name in "ab"]
    tasks = [client.pop_items("boefje")[0] for _ in ids]

    def child(task: kat.Task) -> None:
        client.patch_task(task.id, kat.TaskStatus.RUNNING)
        # With a child of its own, which must not pass for it.
        forked(lambda: time.sleep(20))
        time.sleep(600)

    pids = [forked(lambda task=task: child(task)) for task in tasks]  # type: ignore[misc]
    for task in tasks:
        rota.becomes(str(task.id), "running")
    os.kill(pids[0], signal.SIGKILL)
    os.waitpid(pids[0], 0)
    rota.becomes(str(tasks[0].id), "queued", 15)
    assert rota.task(str(tasks[1].id))["status"] == "running"
    os.kill(pids[1], signal.SIGKILL)
    os.waitpid(pids[1], 0)


def test_a_child_has_none_of_its_parents_connections(rota: Rota, image: str, scheduler: Made) -> None:
    """Else NATS would take the client for alive after its process was killed, and Rota would answer its pops."""
    before = sockets()
    client = scheduler()
    assert client.pop_items("boefje") == []
    ours = sockets() - before
    assert len(ours) == 1
    ids = [rota.push(image, f"Hostname|internet|{number}.nl") for number in range(20)]
    tasks = [client.pop_items("boefje")[0] for _ in ids]

    def child(task: kat.Task) -> None:
        assert not sockets() & ours
        client.patch_task(task.id, kat.TaskStatus.RUNNING)
        client.patch_task(task.id, kat.TaskStatus.COMPLETED)

    # At once, while the thread is at work: the forks find it at rest.
    pids = [forked(lambda task=task: child(task)) for task in tasks]  # type: ignore[misc]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 20
    assert {rota.task(id)["status"] for id in ids} == {"completed"}
    assert client.pop_items("boefje") == []


def sockets() -> set[str]:
    """Of TCP, that this process has open."""
    with open("/proc/self/net/tcp") as table:
        tcp = {f"socket:[{line.split()[9]}]" for line in table.readlines()[1:]}
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return tcp & {os.readlink(link) for link in links if os.path.exists(link) or os.path.islink(link)}


def test_a_child_that_begins_another_task_has_left_the_one_before(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(lease=1.5)
    first, second = (rota.push(image, f"Hostname|internet|{name}.nl") for name in "ab")
    tasks = [client.pop_items("boefje")[0] for _ in (first, second)]

    def child() -> None:
        for task in tasks:
            client.patch_task(task.id, kat.TaskStatus.RUNNING)
        time.sleep(600)

    pid = forked(child)
    rota.becomes(str(tasks[1].id), "running")
    rota.becomes(str(tasks[0].id), "queued", 15)
    assert rota.task(str(tasks[1].id))["status"] == "running"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_group_goes_with_the_child_that_runs_its_first_task(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(lease=20)
    key = str(uuid.uuid4())
    ids = [
        rota.push(image, "Hostname|internet|a.nl", code, "dns", deduplication_key=key) for code in ("aa", "bb", "cc")
    ]
    tasks = client.pop_items("boefje")
    assert len(tasks) == 3

    def child() -> None:
        client.patch_task(tasks[0].id, kat.TaskStatus.RUNNING)
        client.patch_task(tasks[1].id, kat.TaskStatus.COMPLETED)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(child), 0)
    # What it was to report next is another worker's at once, long before the lease ends; the manager fails what it ran.
    rota.becomes(str(tasks[2].id), "queued", 10)
    assert rota.task(str(tasks[1].id))["status"] == "completed"
    client.patch_task(tasks[0].id, kat.TaskStatus.FAILED)
    assert rota.task(str(tasks[0].id))["status"] == "failed"
    assert set(ids) == {str(task.id) for task in tasks}


def test_an_outage_takes_the_wait_of_a_pop_and_a_report_outlasts_it(
    rota: Rota, image: str, scheduler: Made, proxy: Proxy
) -> None:
    proxy.down()
    client = scheduler(proxy.url, wait=2, timeout=5)
    began = time.monotonic()
    with pytest.raises(httpx.HTTPError, match="no NATS server answers"):
        client.pop_items("boefje")
    assert 1 < time.monotonic() - began < 6
    proxy.up()
    id = rota.push(image, "Hostname|internet|a.nl")
    (task,) = until(lambda: client.pop_items("boefje"))

    def child() -> None:
        client.patch_task(task.id, kat.TaskStatus.RUNNING)
        proxy_is_down.wait()
        client.patch_task(task.id, kat.TaskStatus.COMPLETED)

    proxy_is_down = kat.fork.Event()
    pid = forked(child)
    rota.becomes(id, "running")
    proxy.down()
    proxy_is_down.set()
    # Longer than the process that has the connection would wait.
    time.sleep(7)
    proxy.up()
    assert os.waitpid(pid, 0)[1] == 0
    assert rota.task(id)["status"] == "completed"


def test_a_report_whose_answer_is_lost_is_sent_again(rota: Rota, image: str, scheduler: Made, proxy: Proxy) -> None:
    client = scheduler(proxy.url)
    id = rota.push(image, "Hostname|internet|a.nl")
    (task,) = until(lambda: client.pop_items("boefje"))
    proxy.lose_answer_to(b'"status":"failed"')
    client.patch_task(task.id, kat.TaskStatus.FAILED, {"code": "gone", "message": "it is gone"})
    assert proxy.cuts == 1
    assert rota.history(id)["error"] == {"code": "gone", "message": "it is gone"}


def test_wrong_credentials_are_named_at_the_first_pop(rota: Rota, scheduler: Made) -> None:
    client = scheduler(rota.nats.replace(":", ":x", 2).replace("nats:x//", "nats://"))
    with pytest.raises(SchedulerError, match="refuses these credentials"):
        until(lambda: client.pop_items("boefje"))
    with pytest.raises(Exception, match="expected a URL"):
        SchedulerClient("http://a")


def test_a_task_that_cannot_be_hydrated_fails_and_an_outage_gives_it_back(
    rota: Rota, image: str, scheduler: Made
) -> None:
    client = scheduler(rest=kat.RestClient(str(rota.http.base_url), [image]), task=None)
    gone = rota.push(image, "gone")
    assert client.pop_items(kat.Queue.BOEFJES) == []
    assert rota.task(gone)["status"] == "failed"
    assert rota.history(gone)["error"]["message"] == "LookupError: the OOI is gone"
    away = rota.push(image, "away")
    with pytest.raises(httpx.ConnectError):
        client.pop_items(kat.Queue.BOEFJES)
    assert rota.task(away)["status"] == "queued"


def test_what_waits_for_too_long_goes_back(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler(begin_within=1)
    id = rota.push(image, "Hostname|internet|a.nl")
    assert len(client.pop_items("boefje")) == 1
    rota.becomes(id, "queued", 10)


def test_a_closed_client_gives_back_what_has_not_begun(rota: Rota, image: str, scheduler: Made) -> None:
    client = scheduler()
    ids = [rota.push(image, f"Hostname|internet|{name}.nl") for name in "ab"]
    begun, waiting = (client.pop_items("boefje")[0] for _ in ids)
    client.patch_task(begun.id, kat.TaskStatus.RUNNING)
    client.close()
    assert rota.task(str(begun.id))["status"] == "running"
    assert rota.task(str(waiting.id))["status"] == "queued"
    with pytest.raises(SchedulerError, match="closed"):
        client.pop_items("boefje")


def test_a_runner_of_kat_works_off_its_queue(rota: Rota, image: str, runner: Callable[..., Runner]) -> None:
    manager = runner()
    fine = [rota.push(image, f"sleep:{seconds}") for seconds in (0, 0.1, 4)]
    raises, kills = rota.push(image, "raise"), rota.push(image, "kill")
    for id in fine:
        rota.becomes(id, "completed")
        assert rota.history(id)["attempts_before"] == []
    # The manager fails what a child raised at, or died of.
    for id in (raises, kills):
        rota.becomes(id, "failed")
    assert len({entry["about"] for entry in manager.log("began")}) == len(manager.log("began")) == 5
    assert manager.stop() == 0
    assert manager.log("report failed") == manager.log("clean-up failed") == []


def test_sigterm_gives_back_what_the_runner_has_not_begun(
    rota: Rota, image: str, runner: Callable[..., Runner]
) -> None:
    manager = runner(lease=60)
    ids = [rota.push(image, f"sleep:60{number}") for number in range(5)]
    until(lambda: len(manager.log("began")) == 2)
    until(lambda: sum(rota.task(id)["status"] == "dispatched" for id in ids) >= 2)
    assert manager.stop() == 0
    states = sorted(rota.task(id)["status"] for id in ids)
    # What ran is failed, as KAT's manager does with the tasks of the children that it kills.
    assert states == ["failed", "failed", "queued", "queued", "queued"]
    assert manager.log("push failed") == manager.log("clean-up failed") == []


def test_the_tasks_of_a_runner_that_is_killed_come_to_another(
    rota: Rota, image: str, runner: Callable[..., Runner]
) -> None:
    first = runner()
    ids = [rota.push(image, f"sleep:6{number}") for number in range(3)]
    until(lambda: len(first.log("began")) == 2)
    # Its children live on, and what they do has no lease any more.
    os.kill(first.process.pid, signal.SIGKILL)
    for id in ids:
        rota.becomes(id, "queued", 30)


def test_a_runner_waits_for_nats_and_survives_its_outages(
    rota: Rota, image: str, runner: Callable[..., Runner], proxy: Proxy
) -> None:
    proxy.down()
    manager = runner(proxy.url, lease=30)
    until(lambda: manager.log("pop failed"))
    proxy.up()
    rota.becomes(rota.push(image, "sleep:0"), "completed")
    slow = rota.push(image, "sleep:2")
    rota.becomes(slow, "running")
    proxy.down()
    time.sleep(4)
    proxy.up()
    rota.becomes(slow, "completed")
    assert manager.process.poll() is None
    # In some seconds of outage it asked a few times: no more than once in the wait of a pop.
    assert len(manager.log("pop failed")) < 20


def test_a_port_without_a_server_holds_up_no_end(image: str, scheduler: Made) -> None:
    client = scheduler(f"nats://127.0.0.1:{free_port()}")
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 5
