"""Daemon thread pools for stores and handlers: a hanging call blocks neither others nor the exit of the process."""

from __future__ import annotations

from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads

STORE_THREADS = DaemonThreads("interactor-webhook-store")
# If Redis hangs and its client has no timeout, each call keeps its thread.
REDIS_THREADS = DaemonThreads("interactor-webhook-redis", most=64)
# Each of them may hold a connection, which is a process of the server.
POSTGRES_THREADS = DaemonThreads("interactor-webhook-postgres")
# Handlers called from event loops, where nothing else bounds how many run at once.
HANDLER_THREADS = DaemonThreads("interactor-webhook-handler", most=32)
# Handlers of synchronous callers: each caller waits for one thread, so the callers are the bound.
CALLER_THREADS = DaemonThreads("interactor-webhook-handler", most=UNBOUNDED)
