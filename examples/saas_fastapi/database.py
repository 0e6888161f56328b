"""The application's tables in PostgreSQL, next to those of the SDK."""

import asyncio
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from interactor_ext.webhooks import PostgresEventQueue, PostgresEventStore

URL = os.environ.get("DATABASE_URL", "postgresql+psycopg://postgres@localhost/postgres")
engine = create_async_engine(URL, pool_pre_ping=True)
Session = async_sessionmaker(engine)
queue = PostgresEventQueue(URL)  # of webhook events
store = PostgresEventStore(URL)  # of events that were handled, and tool calls that were run


class Base(DeclarativeBase): ...


class Refund(Base):
    __tablename__ = "refunds"
    key: Mapped[str] = mapped_column(primary_key=True)
    company: Mapped[str]
    order: Mapped[str]
    amount: Mapped[int]
    approved_by: Mapped[str | None]


class Notice(Base):
    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(primary_key=True)
    company: Mapped[str]
    text: Mapped[str]


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    queue.create()
    store.create()


if __name__ == "__main__":
    asyncio.run(create_tables())
