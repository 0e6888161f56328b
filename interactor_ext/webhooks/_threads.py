"""Threads for the calls of synchronous stores: handlers that hang in the loop's own threads must not hold these up."""

from __future__ import annotations

from interactor_ext._threads import DaemonThreads

STORE_THREADS = DaemonThreads("interactor-webhook-store")
