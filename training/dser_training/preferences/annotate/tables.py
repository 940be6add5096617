"""The tables of answers, and a database with them, wherever its URL says."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    String,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from dser_ext.errors import DserError

ORDINARY, AGAIN, BROKEN = "ordinary", "again", "broken"
"""Kinds of questions; the last two check attention."""
LONGEST_NAME = 60  # characters of an annotator's name
BUSY_SECONDS = 30  # that one waits for another who writes to the same file


class StoreError(DserError):
    """Answers cannot be kept or read: a database that is not there, or that belongs to other candidates."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC, which SQLite keeps without its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.replace(tzinfo=timezone.utc)


class Base(DeclarativeBase):
    """Of all tables."""


class Work(Base):
    """The sheet that all answers are about; one row. key: that no other store has."""

    __tablename__ = "work"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(16))


class Annotator(Base):
    """Who answers."""

    __tablename__ = "annotators"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME), unique=True)


class Assignment(Base):
    """One question put to one annotator.

    number: 1, 2, … of that annotator; two that are put at once would have the same. pair: of the sheet. left, right:
    candidates of its line. claim: the pair while nobody else may be asked about it; none where everybody is. open:
    whether it is theirs to answer, and was not given to somebody else because they took too long.
    """

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("annotator_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(8))
    pair: Mapped[int]
    left: Mapped[int]
    right: Mapped[int]
    claim: Mapped[int | None] = mapped_column(unique=True)
    open: Mapped[bool] = mapped_column(default=True)
    put_at: Mapped[datetime] = mapped_column(Moment)
    annotator: Mapped[Annotator] = relationship()
    answer: Mapped[Answer | None] = relationship(back_populates="assignment")


class Answer(Base):
    """What was answered to a question. seconds: that the annotator took; none where it is not known."""

    __tablename__ = "answers"
    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignments.id"), unique=True)
    answer: Mapped[str] = mapped_column(String(12))
    seconds: Mapped[float | None]
    answered_at: Mapped[datetime] = mapped_column(Moment)
    assignment: Mapped[Assignment] = relationship(back_populates="answer")


def connect(url: str) -> Engine:
    """A database with the tables. Raises StoreError naming what is wrong; no password of the URL is ever shown."""
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreError(
            "store: no URL of a database; write sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        ) from error
    except ModuleNotFoundError as error:
        raise StoreError(f'store: {error.name} is missing; for PostgreSQL, pip install "psycopg[binary]"') from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        Base.metadata.create_all(engine)
    except SQLAlchemyError as error:
        raise unusable(engine, error) from error
    return engine


def unusable(engine: Engine, error: SQLAlchemyError) -> StoreError:
    """The sentence for a database that does not do what it should."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return StoreError(
        f"{engine.url.render_as_string(hide_password=True)}: cannot be used "
        f"({reason[0] if reason else type(error).__name__}); see that the database is there and may be written to"
    )


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # we say when a transaction begins
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {setting}").close()


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # who reads first and writes then must not meet another in between
