from __future__ import annotations

import asyncio
import threading

from rillnet.serving.rest.outbox import Outbox


def test_messages_wait_in_their_order_and_the_newest_of_a_kind_replaces_the_one_before() -> None:
    async def run() -> list[dict[str, int | str]]:
        outbox = Outbox(asyncio.get_running_loop())
        outbox.put({"type": "entry", "number": 1})
        outbox.put_newest({"type": "status", "frame": 1})
        outbox.put({"type": "entry", "number": 2})
        outbox.put_newest({"type": "status", "frame": 2})
        await asyncio.wait_for(outbox.wait(), 1)
        return outbox.take() + outbox.take()

    assert asyncio.run(run()) == [
        {"type": "entry", "number": 1},
        {"type": "entry", "number": 2},
        {"type": "status", "frame": 2},
    ]


def test_of_too_many_the_oldest_are_lost() -> None:
    async def run() -> list[dict[str, int]]:
        outbox = Outbox(asyncio.get_running_loop(), most=2)
        for number in range(5):
            outbox.put({"number": number})
        return outbox.take()

    assert asyncio.run(run()) == [{"number": 3}, {"number": 4}]


def test_it_is_woken_from_another_thread() -> None:
    async def run() -> None:
        outbox = Outbox(asyncio.get_running_loop())
        for _ in range(3):
            threading.Thread(target=lambda: [outbox.wake() for _ in range(100)]).start()
            await asyncio.wait_for(outbox.wait(), 5)

    asyncio.run(run())


def test_waking_one_whose_server_has_ended_does_no_harm() -> None:
    async def made() -> Outbox:
        return Outbox(asyncio.get_running_loop())

    asyncio.run(made()).wake()
