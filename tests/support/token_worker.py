"""A process that shares a token store with others."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import interactor_ext._interactor.tokens.store_access as store_access
from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.tokens import TokenStore
from tests.support.scripted_server import settings_of
from tests.support.token_stores import open_store

THREADS = 50


def call_from_threads(store: TokenStore, url: str) -> None:
    client = InteractorClient(**settings_of(url, token_store=store))
    start = threading.Barrier(THREADS)
    done: list[str] = []

    def call() -> None:
        start.wait()
        done.append(client.assistants.get("asst_1").id)

    threads = [threading.Thread(target=call) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    print("done", len(done), flush=True)


async def call_from_tasks(store: TokenStore, url: str) -> None:
    async with AsyncInteractorClient(**settings_of(url, token_store=store)) as client:
        done = await asyncio.gather(*(client.assistants.get("asst_1") for _ in range(THREADS)))
    print("done", len(done), flush=True)


def hold_the_lock(store: TokenStore, key: str) -> None:
    with store.lock(key, 1) as held:
        print("held", held, flush=True)
        time.sleep(60)


if __name__ == "__main__":
    task, name, argument = sys.argv[1:]
    # On a busy machine, this many processes may take longer than a client waits for a lock.
    store_access._PATIENCE = 60.0
    print("ready", flush=True)
    sys.stdin.readline()
    if task == "threads":
        call_from_threads(open_store(name), argument)
    elif task == "tasks":
        asyncio.run(call_from_tasks(open_store(name), argument))
    else:
        hold_the_lock(open_store(name, lock_expiry=0.5), argument)
