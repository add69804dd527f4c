"""Work that takes long, done beside the loop that everybody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

Made = TypeVar("Made")


async def aside(work: Callable[[], Made]) -> Made:
    """What a work comes to, done in a thread of its own; it does not keep the process from ending.

    (Whereas the threads of `asyncio.to_thread` are waited for at the end, however long they take.)
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Made] = loop.create_future()

    def tell(made: Made | None, error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(made)  # type: ignore[arg-type]  # without an error it is made

    def run() -> None:
        made: Made | None = None
        failure: BaseException | None = None
        try:
            made = work()
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, made, failure)

    Thread(target=run, name="aside", daemon=True).start()
    return await done
