"""The store: who is asked what, and what they answered. Everything that is said to be kept is on disk by then."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.sheet import Sheet, SheetPair
from dser_training.preferences.annotate.tables import (
    AGAIN,
    BROKEN,
    LONGEST_NAME,
    ORDINARY,
    Annotator,
    Answer,
    Assignment,
    StoreError,
    Work,
    connect,
    unusable,
)
from dser_training.preferences.comparisons import ANSWERS, ONE, OTHER, SAME

PATIENCE = timedelta(hours=1)
"""How long a question may be open before somebody else is asked."""
AGAIN_AFTER = 5  # questions, before a pair is asked about again
ATTEMPTS = 30  # at what others did at the same moment

_Result = TypeVar("_Result")


class RefusedError(StoreError):
    """What an annotator asks for and cannot have. gone: whether the page should ask for its question anew."""

    def __init__(self, message: str, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True)
class Question:
    """id: of the assignment. left, right: candidates of the line, or the broken one."""

    id: int
    line: str
    left: int
    right: int


@dataclass(frozen=True)
class Progress:
    """answered: by this annotator. undo: the question they answered last, if any. done, pairs: of the whole sheet."""

    answered: int
    undo: int | None
    done: int
    pairs: int


class Store:
    """Answers about one sheet, in a database that several servers may share.

    overlap: share of the pairs that everybody answers. checks: share of the questions that check attention. now: the
    time. Raises StoreError if the database cannot be used, or holds answers about other candidates.
    """

    def __init__(
        self,
        url: str,
        sheet: Sheet,
        *,
        overlap: float = 0.0,
        checks: float = 0.0,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.sheet, self._checks, self._now = sheet, checks, now
        self.shared = sheet.for_everybody(overlap)
        self._engine = connect(url)
        self.place = self._engine.url.render_as_string(hide_password=True)
        self.key = self.transaction(self._take_up)
        """What no other store has, this one on other servers excepted."""

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def annotator(self, name: str) -> int:
        """The number of an annotator, new or not. Raises RefusedError for what is no name."""
        return self.transaction(lambda session: self.named(session, name))

    @staticmethod
    def named(session: Session, name: str) -> int:
        """As `annotator`, within a transaction."""
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise RefusedError(f"write a name of at most {LONGEST_NAME} letters")
        found = session.scalar(select(Annotator).where(Annotator.name == name))
        if found is None:
            found = Annotator(name=name)
            session.add(found)
            session.flush()
        return found.id

    def known(self, name: str) -> int | None:
        """The number of an annotator who is there already."""
        return self.transaction(lambda session: session.scalar(select(Annotator.id).where(Annotator.name == name)))

    def question(self, annotator: int) -> tuple[Question | None, Progress]:
        """The question that is open, else the next; None once there is none. The same until it is answered."""

        def put(session: Session) -> tuple[Question | None, Progress]:
            session.get(Annotator, annotator, with_for_update=True)  # their other tabs wait, as all do with SQLite
            found = session.scalar(
                select(Assignment)
                .outerjoin(Answer)
                .where(Assignment.annotator_id == annotator, Answer.id.is_(None), Assignment.open)
                .order_by(Assignment.number)
                .limit(1)
            )
            if found is not None and self._now() - found.put_at > PATIENCE / 10:
                found.put_at = self._now()
            found = found or self._next(session, annotator)
            return (self._shown(found) if found else None), self._progress(session, annotator)

        return self.transaction(put)

    def asked(self, annotator: int, question: int) -> Question:
        """A question that was put to this annotator. Raises RefusedError if it was not."""
        return self.transaction(lambda session: self._shown(self._own(session, annotator, question)))

    def answer(self, annotator: int, question: int, answer: str, seconds: float | None) -> None:
        """Keep an answer; once more the same changes nothing. Raises RefusedError if another one is there already."""
        if answer not in ANSWERS:
            raise RefusedError(f"answer {', '.join(ANSWERS)}")

        def keep(session: Session) -> None:
            assignment = self._own(session, annotator, question)
            if assignment.answer is None:
                session.add(Answer(assignment_id=question, answer=answer, seconds=seconds, answered_at=self._now()))
            elif assignment.answer.answer != answer:
                raise RefusedError("this question is answered already; here is the next one", gone=True)

        self.transaction(keep)

    def undo(self, annotator: int, question: int) -> None:
        """Take back the answer to the question that was answered last; once more changes nothing."""

        def take_back(session: Session) -> None:
            if self._own(session, annotator, question).answer is None:
                return
            if self._last(session, annotator) != question:
                raise RefusedError("only the last answer can be taken back; here is where you are", gone=True)
            session.execute(delete(Answer).where(Answer.assignment_id == question))
            session.execute(update(Assignment).where(Assignment.id == question).values(open=True))

        self.transaction(take_back)

    def answered(self) -> Sequence[Assignment]:
        """All questions with an answer, in the order of the answers; with their annotators."""
        query = select(Assignment).join(Answer).order_by(Answer.answered_at, Answer.id)
        query = query.options(joinedload(Assignment.annotator), joinedload(Assignment.answer))
        return self.transaction(lambda session: session.scalars(query).all())

    def transaction(self, work: Callable[[Session], _Result]) -> _Result:
        """Do all of it or nothing; again where somebody else was faster. Raises StoreError if the database fails."""
        for attempt in range(ATTEMPTS):
            try:
                with Session(self._engine, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except (IntegrityError, OperationalError) as error:
                lost = isinstance(error, IntegrityError) or error.connection_invalidated
                if not lost or attempt == ATTEMPTS - 1:
                    raise unusable(self._engine, error) from error
            except SQLAlchemyError as error:
                raise unusable(self._engine, error) from error
        raise AssertionError

    def _take_up(self, session: Session) -> str:
        work = session.get(Work, 1)
        if work is None:
            work = Work(id=1, fingerprint=self.sheet.fingerprint, key=secrets.token_hex(8))
            session.add(work)
        elif work.fingerprint != self.sheet.fingerprint:
            raise StoreError(
                f"{self.place}: holds answers about other candidates than these; name another store, or the folder "
                "with the candidates that people were asked about"
            )
        return work.key

    def _own(self, session: Session, annotator: int, question: int) -> Assignment:
        found = session.get(Assignment, question)
        if found is None or found.annotator_id != annotator:
            raise RefusedError("this question was put to somebody else; here is yours", gone=True)
        return found

    def _shown(self, assignment: Assignment) -> Question:
        line = self.sheet.pairs[assignment.pair].line
        return Question(assignment.id, line, assignment.left, assignment.right)

    def _progress(self, session: Session, annotator: int) -> Progress:
        own = select(func.count()).select_from(Answer).join(Assignment).where(Assignment.annotator_id == annotator)
        pairs = select(func.count(Assignment.pair.distinct())).join(Answer).where(Assignment.kind == ORDINARY)
        return Progress(
            session.scalar(own) or 0, self._last(session, annotator), session.scalar(pairs) or 0, len(self.sheet.pairs)
        )

    def _last(self, session: Session, annotator: int) -> int | None:
        query = select(Answer.assignment_id).join(Assignment).where(Assignment.annotator_id == annotator)
        return session.scalar(query.order_by(Answer.id.desc()).limit(1))

    def _next(self, session: Session, annotator: int) -> Assignment | None:
        """Put a new question; None if there is none."""
        before = session.scalar(select(func.max(Assignment.number)).where(Assignment.annotator_id == annotator)) or 0
        chance = random.Random(f"{self.sheet.fingerprint} {annotator} {before + 1}")  # the same if it is tried again
        pair = self._free_pair(session, annotator)
        if pair is None:
            return None
        put = Assignment(annotator_id=annotator, number=before + 1, open=True, put_at=self._now())
        if chance.random() < self._checks:
            put.kind, put.pair, put.left, put.right = self._check(session, annotator, before, chance)
        else:
            claim = None if pair in self.shared else pair
            late = Assignment.put_at <= self._now() - PATIENCE
            session.execute(update(Assignment).where(Assignment.claim == pair, late).values(claim=None, open=False))
            whose = Assignment.annotator_id == annotator, Assignment.kind == ORDINARY, Assignment.pair == pair
            if (again := session.scalar(select(Assignment).where(*whose))) is not None:  # theirs before, for too long
                again.claim, again.open, again.put_at = claim, True, self._now()
                return again
            put.kind, put.pair, put.claim = ORDINARY, pair, claim
            put.left, put.right = chance.sample(_both(self.sheet.pairs[pair]), 2)
        session.add(put)
        session.flush()
        return put

    def _free_pair(self, session: Session, annotator: int) -> int | None:
        """The first pair that this annotator is to be asked about; somebody else may have had it for too long."""
        late = self._now() - PATIENCE
        questions = (
            select(Assignment.pair, Assignment.annotator_id, Assignment.claim, Assignment.put_at, Answer.id)
            .outerjoin(Answer)
            .where(Assignment.kind == ORDINARY)
        )
        taken: set[int] = set()
        for pair, whose, claim, put_at, answered in session.execute(questions):
            held = answered is not None or (claim is not None and put_at > late)
            if whose == annotator if pair in self.shared else held:
                taken.add(pair)
        return next((pair for pair in range(len(self.sheet.pairs)) if pair not in taken), None)

    def _check(self, session: Session, annotator: int, before: int, chance: random.Random) -> tuple[str, int, int, int]:
        """A question that checks attention: kind, pair, left, right."""
        own = select(Assignment).where(Assignment.annotator_id == annotator)
        repeated = set(session.scalars(own.where(Assignment.kind == AGAIN).with_only_columns(Assignment.pair)))
        decided = own.join(Answer).where(
            Assignment.kind == ORDINARY,
            Assignment.number <= before - AGAIN_AFTER,
            Answer.answer.in_((ONE, OTHER, SAME)),
        )
        old = [each for each in session.scalars(decided.order_by(Assignment.number)) if each.pair not in repeated]
        if old and chance.random() < 0.5:
            first = chance.choice(old)
            return AGAIN, first.pair, first.right, first.left
        pair = chance.randrange(len(self.sheet.pairs))
        sides = [chance.choice(_both(self.sheet.pairs[pair])), sheets.BROKEN]
        chance.shuffle(sides)
        return BROKEN, pair, *sides


def _both(pair: SheetPair) -> tuple[int, int]:
    return pair.one, pair.other
