"""Callbacks from other threads into the event loop."""

import asyncio
import threading
from typing import Any

from verify.loop_bridge import LoopBridge


class Told(asyncio.SelectorEventLoop):
    """Counts how often it was awoken from outside."""

    awakenings = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.awakenings += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


def test_callbacks_run_in_the_loop_in_their_order_with_one_awakening() -> None:
    loop, ran = Told(), []
    bridge = LoopBridge(loop)
    thread = threading.Thread(
        target=lambda: [
            bridge.post(lambda number=number: ran.append((number, threading.get_ident()))) for number in range(100)
        ]
    )
    thread.start()
    thread.join()
    assert ran == []
    assert loop.awakenings == 1
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert ran == [(number, threading.get_ident()) for number in range(100)]


def test_none_is_left_behind_while_the_loop_runs() -> None:
    """Whoever posts while the loop empties the line is run by that awakening, or causes another."""

    async def scenario() -> list[int]:
        bridge, ran, done = LoopBridge(asyncio.get_running_loop()), [], asyncio.Event()

        def run(number: int) -> None:
            ran.append(number)
            if len(ran) == 4 * 5_000:
                done.set()

        def post(first: int) -> None:
            for number in range(first, first + 5_000):
                bridge.post(lambda number=number: run(number))

        threads = [threading.Thread(target=post, args=(5_000 * one,)) for one in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(done.wait(), 30)
        return ran

    ran = asyncio.run(scenario())
    assert sorted(ran) == list(range(20_000))
    for one in range(4):
        mine = [number for number in ran if number // 5_000 == one]
        assert mine == sorted(mine)


def test_what_a_callback_posts_runs_too() -> None:
    async def scenario() -> list[str]:
        bridge, ran = LoopBridge(asyncio.get_running_loop()), []

        def first() -> None:
            ran.append("first")
            bridge.post(lambda: ran.append("second"))

        bridge.post(first)
        await asyncio.sleep(0.01)
        return ran

    assert asyncio.run(scenario()) == ["first", "second"]


def test_after_the_loop_has_closed_it_is_dropped() -> None:
    loop, ran = asyncio.new_event_loop(), []
    bridge = LoopBridge(loop)
    loop.close()
    bridge.post(lambda: ran.append("late"))
    bridge.post(lambda: ran.append("later"))
    assert ran == []
