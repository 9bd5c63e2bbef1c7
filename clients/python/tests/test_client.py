from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import subprocess
import time
import uuid
from typing import Any

import pytest
from conftest import CHECKOUT, Proxy, Rota, free_port, only

from rota_worker import Client, RotaError, connect


def boefje(image: str, ooi: str = "Hostname|internet|a.nl") -> dict[str, Any]:
    return {"boefje": {"id": image, "oci_image": image}, "input_ooi": ooi, "organization": "aa"}


async def pushed(client: Client, image: str) -> str:
    return (await client.push("boefje", organisation="aa", data=boefje(image), priority=1))["id"]


def test_a_task_is_taken_and_completed(rota: Rota, image: str) -> None:
    async def main() -> None:
        async with await connect(rota.nats) as client:
            id = await pushed(client, image)
            (task,) = await client.pop("boefje", filters=only(image), worker="w1")
            assert (task["id"], task["data"]["input_ooi"]) == (id, "Hostname|internet|a.nl")
            await client.patch(task, "running")
            assert await client.heartbeat([task], 30) == []
            await client.patch(task, "completed")
            assert (await client.get(task))["status"] == "completed"
            assert await client.pop("boefje", filters=only(image)) == []

    asyncio.run(main())


def test_a_failure_says_why(rota: Rota, image: str) -> None:
    async def main() -> str:
        async with await connect(rota.nats) as client:
            await pushed(client, image)
            (task,) = await client.pop("boefje", filters=only(image))
            await client.patch(task, "running")
            error = {"code": "no-route", "message": "no route to host", "detail": "line 1\nline 2"}
            await client.patch(task, "failed", error=error)  # type: ignore[arg-type]
            return task["id"]

    id = asyncio.run(main())
    assert rota.task(id)["status"] == "failed"
    said = {"code": "no-route", "message": "no route to host", "detail": "line 1\nline 2"}
    assert rota.history(id)["error"] == said


def test_a_pop_waits_for_a_task(rota: Rota, image: str) -> None:
    async def main() -> float:
        async with await connect(rota.nats) as client:
            waiting = asyncio.ensure_future(client.pop("boefje", filters=only(image), wait=20))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            await pushed(client, image)
            assert len(await waiting) == 1
            return time.monotonic() - began

    # Long before the wait is over; on a busy machine not at once.
    assert asyncio.run(main()) < 15


def test_refusals_have_their_code_and_reason(rota: Rota, image: str) -> None:
    async def main() -> None:
        async with await connect(rota.nats) as client:
            await pushed(client, image)
            with pytest.raises(RotaError, match="already-queued") as refused:
                await pushed(client, image)
            assert (refused.value.code, refused.value.status, refused.value.busy) == ("CONFLICT", 409, False)
            with pytest.raises(RotaError, match="organisation") as refused:
                await client.push("boefje", organisation="", data=boefje(image))
            assert refused.value.code == "INVALID_REQUEST"
            with pytest.raises(RotaError, match="filters") as refused:
                wrong = {"filters": [{"column": "data", "operator": "resembles", "value": 1}]}
                await client.pop("boefje", filters=wrong)
            assert not refused.value.busy
            with pytest.raises(RotaError, match="no name that NATS carries"):
                await client.pop("boefje\r\nPUB x 0")
            with pytest.raises(RotaError, match="expected what JSON can say"):
                await client.push("boefje", organisation="aa", data={"x": float("nan")})
            (task,) = await client.pop("boefje", filters=only(image))
            with pytest.raises(RotaError) as refused:
                await client.patch({"id": task["id"], "lease_id": str(uuid.uuid4())}, "completed")
            assert refused.value.lost
            await client.patch(task, "cancelled")

    asyncio.run(main())


def test_large_tasks_arrive_and_larger_ones_are_refused_before_they_are_sent(rota: Rota) -> None:
    def normalizer(size: int) -> dict[str, Any]:
        meta = {
            "id": str(uuid.uuid4()),
            "boefje": {"id": "dns-records"},
            "input_ooi": "Hostname|internet|a.nl",
            "organization": "aa",
            "arguments": {"input": {"text": "x" * size}},
        }
        raw = {"id": str(uuid.uuid4()), "boefje_meta": meta, "mime_types": [{"value": "boefje/dns-records"}]}
        return {"normalizer": {"id": f"large-{uuid.uuid4()}"}, "raw_data": raw}

    async def main() -> None:
        async with await connect(rota.nats) as client:
            for _ in range(3):
                await client.push("normalizer", organisation="aa", data=normalizer(700_000))
            for _ in range(3):
                (task,) = await client.pop("normalizer", limit=10, wait=5)
                assert len(task["data"]["raw_data"]["boefje_meta"]["arguments"]["input"]["text"]) == 700_000
                await client.patch(task, "completed")
            with pytest.raises(RotaError, match="max_payload") as refused:
                await client.push("normalizer", organisation="aa", data=normalizer(1_200_000))
            assert refused.value.code == "INVALID_REQUEST"

    asyncio.run(main())


def test_a_report_whose_answer_is_lost_is_sent_again_and_counts_once(rota: Rota, image: str, proxy: Proxy) -> None:
    async def main() -> str:
        async with await connect(proxy.url) as client:
            await pushed(client, image)
            (task,) = await client.pop("boefje", filters=only(image))
            await client.patch(task, "running")
            proxy.lose_answer_to(b'"status":"completed"')
            await client.patch(task, "completed")
            return task["id"]

    id = asyncio.run(main())
    assert proxy.cuts == 1
    assert rota.task(id)["status"] == "completed"


def test_a_push_whose_answer_is_lost_queues_one_task(rota: Rota, image: str, proxy: Proxy) -> None:
    async def main() -> None:
        async with await connect(proxy.url) as client:
            proxy.lose_answer_to(image.encode())
            id = await pushed(client, image)
            assert [task["id"] for task in await client.pop("boefje", limit=5, filters=only(image))] == [id]

    asyncio.run(main())
    assert proxy.cuts == 1


def test_a_server_that_is_away_is_named_and_waited_for(rota: Rota, image: str, proxy: Proxy) -> None:
    async def main() -> None:
        with pytest.raises(RotaError, match=r"no NATS server answers at nats://127\.0\.0\.1") as refused:
            await connect(f"nats://rota:secret@127.0.0.1:{free_port()}", connect_within=1)
        assert refused.value.busy and "secret" not in str(refused.value)
        proxy.down()
        connecting = asyncio.ensure_future(connect(proxy.url, connect_within=None))
        await asyncio.sleep(1)
        assert not connecting.done()
        proxy.up()
        async with await asyncio.wait_for(connecting, 20) as client:
            await pushed(client, image)
            proxy.down()
            await asyncio.sleep(0.5)
            with pytest.raises(RotaError) as refused:
                await client.pop("boefje")
            assert refused.value.code == "SERVICE_UNAVAILABLE"
            proxy.up()
            while True:
                try:
                    assert len(await client.pop("boefje", filters=only(image), wait=5)) == 1
                    return
                except RotaError as error:
                    assert error.busy
                    await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_wrong_credentials_and_addresses_are_refused_at_once(rota: Rota) -> None:
    async def main() -> None:
        user, _, host = rota.nats.removeprefix("nats://").partition("@")
        with pytest.raises(RotaError, match="refuses these credentials") as refused:
            await connect(f"nats://{user.partition(':')[0]}:wrong@{host}", connect_within=None)
        assert refused.value.code == "UNAUTHORIZED"
        with pytest.raises(RotaError, match="expected a URL"):
            await connect("http://example.org")
        # The password does not cross the network in clear.
        with pytest.raises(RotaError, match="offers no TLS") as refused:
            await connect(rota.nats.replace("nats:", "tls:"), connect_within=None)
        assert refused.value.code == "BAD_CONFIG"

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_user_of_a_shared_server_may_do_what_its_permissions_say(rota: Rota, tmp_path: pathlib.Path) -> None:
    """With an inbox of its own, and a password that a URL has to escape."""
    # As `rota dev` found it.
    unpacked = CHECKOUT / ".rota" / "bin" / "nats-server" / "usr" / "sbin" / "nats-server"
    folders = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"
    server = shutil.which("nats-server", path=folders) or str(unpacked)
    port = free_port()
    allowed = 'permissions: {publish: ["rota.pop.*"], subscribe: ["_INBOX_worker.>"]}'
    config = tmp_path / "nats.conf"
    config.write_text(f'authorization {{ users: [{{user: worker, password: "p@/w", {allowed}}}] }}')
    nats = subprocess.Popen([server, "-c", str(config), "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)

    async def main() -> None:
        url = f"nats://worker:p%40%2Fw@127.0.0.1:{port}"
        with pytest.raises(RotaError):
            await connect(url.replace("p%40", ""), connect_within=20)
        async with await connect(url, inbox_prefix="_INBOX_worker", connect_within=20) as client:
            with pytest.raises(RotaError, match=r"forbid rota\.push\.boefje") as refused:
                await client.push("boefje", organisation="aa", data={})
            assert refused.value.code == "UNAUTHORIZED" and not refused.value.busy
            with pytest.raises(RotaError, match="nothing listens there"):
                await client.pop("boefje")

    try:
        asyncio.run(asyncio.wait_for(main(), 60))
    finally:
        nats.terminate()
        nats.wait(10)


def test_nothing_that_listens_is_told_from_a_slow_service(rota: Rota) -> None:
    async def main() -> None:
        async with await connect(rota.nats, prefix="nothing") as client:
            with pytest.raises(RotaError, match="nothing listens there") as refused:
                await client.pop("boefje")
            assert refused.value.code == "SERVICE_UNAVAILABLE" and refused.value.busy

    asyncio.run(main())
