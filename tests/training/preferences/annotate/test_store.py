"""Nobody is asked twice, no answer is lost or counted twice, and everything is there again after a restart."""

from __future__ import annotations

import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.store import AGAIN_AFTER, PATIENCE, RefusedError, Store
from dser_training.preferences.annotate.tables import AGAIN, BROKEN, ORDINARY, StoreError
from dser_training.preferences.comparisons import ANSWERS
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from made_sheet import finish, write_candidates

pytestmark = pytest.mark.filterwarnings("error")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class TestOneAnnotator:
    def test_is_asked_about_every_pair_in_order(self, in_memory, sheet):
        store = in_memory()
        finish(store, store.annotator("Anna"))
        assert [each.pair for each in store.answered()] == list(range(len(sheet.pairs)))
        assert {each.kind for each in store.answered()} == {ORDINARY}

    def test_sees_the_same_question_until_it_is_answered(self, make_store):
        store = make_store(checks=0.5)
        anna = store.annotator("Anna")
        first, _ = store.question(anna)
        assert store.question(anna)[0] == first
        assert make_store(checks=0.5).question(anna)[0] == first
        store.answer(anna, first.id, "one", 1.0)
        assert store.question(anna)[0].id != first.id

    def test_may_answer_twice_the_same_but_not_otherwise(self, in_memory):
        store = in_memory()
        anna = store.annotator("Anna")
        question, _ = store.question(anna)
        for _ in range(3):
            store.answer(anna, question.id, "same", 1.0)
        with pytest.raises(RefusedError, match="answered already") as refused:
            store.answer(anna, question.id, "one", 1.0)
        assert refused.value.gone
        assert [each.answer.answer for each in store.answered()] == ["same"]

    def test_takes_answers_back_one_after_the_other_and_goes_on(self, in_memory):
        store = in_memory()
        anna = store.annotator("Anna")
        asked = []
        for _ in range(4):
            question, _ = store.question(anna)
            asked.append(question)
            store.answer(anna, question.id, "one", 1.0)
        beyond, _ = store.question(anna)
        for question in reversed(asked[1:]):
            assert store.question(anna)[1].undo == question.id
            store.undo(anna, question.id)
            store.undo(anna, question.id)  # once more changes nothing
            assert store.question(anna)[0] == question
        assert store.question(anna)[1].answered == 1
        for question in [*asked[1:], beyond]:
            assert store.question(anna)[0] == question
            store.answer(anna, question.id, "other", 1.0)
        assert [each.answer.answer for each in store.answered()] == ["one", *["other"] * 4]

    def test_cannot_take_back_another_answer_than_the_last(self, in_memory):
        store = in_memory()
        anna = store.annotator("Anna")
        first, _ = store.question(anna)
        store.answer(anna, first.id, "one", 1.0)
        second, _ = store.question(anna)
        store.answer(anna, second.id, "one", 1.0)
        with pytest.raises(RefusedError, match="only the last answer"):
            store.undo(anna, first.id)
        assert len(store.answered()) == 2

    @pytest.mark.parametrize("name", ["", "   ", "a" * 61, "a\x00b", "a\u202eb"])
    def test_has_a_name(self, in_memory, name):
        with pytest.raises(RefusedError, match="write a name of at most 60 letters"):
            in_memory().annotator(name)

    def test_is_the_same_by_the_same_name(self, in_memory):
        store = in_memory()
        assert store.annotator(" Anna  B ") == store.annotator("Anna B") != store.annotator("Ben")
        assert store.known("Nobody") is None


class TestSeveralAnnotators:
    def test_share_the_pairs_that_are_for_everybody_and_no_other(self, in_memory, sheet):
        store = in_memory(overlap=0.25)
        finish(store, *(store.annotator(name) for name in ("Anna", "Ben", "Cleo")))
        asked = Counter(each.pair for each in store.answered())
        assert asked == {pair: 3 if pair in store.shared else 1 for pair in range(len(sheet.pairs))}

    def test_see_sides_at_random(self, in_memory):
        store = in_memory(overlap=1.0)
        finish(store, *(store.annotator(str(n)) for n in range(8)))
        left_is_first = [each.left < each.right for each in store.answered()]
        assert 0.3 < sum(left_is_first) / len(left_is_first) < 0.7

    def test_cannot_answer_for_each_other(self, in_memory):
        store = in_memory()
        anna, ben = store.annotator("Anna"), store.annotator("Ben")
        question, _ = store.question(anna)
        for act in (
            lambda: store.answer(ben, question.id, "one", 1.0),
            lambda: store.undo(ben, question.id),
            lambda: store.asked(ben, question.id),
            lambda: store.answer(anna, 999, "one", 1.0),
        ):
            with pytest.raises(RefusedError, match="put to somebody else"):
                act()
        assert not store.answered()

    @pytest.mark.slow
    def test_at_the_same_moment_never_get_the_same_pair(self, make_store, sheet):
        stores = [make_store(checks=0.2) for _ in range(4)]
        annotators = [stores[0].annotator(f"annotator {n}") for n in range(4)]
        with ThreadPoolExecutor(len(stores)) as people:
            list(people.map(finish, stores, annotators))
        ordinary = [each.pair for each in stores[0].answered() if each.kind == ORDINARY]
        assert sorted(ordinary) == list(range(len(sheet.pairs)))

    def test_two_tabs_that_ask_at_the_same_moment_see_one_question(self, make_store):
        stores = [make_store() for _ in range(4)]
        anna = stores[0].annotator("Anna")
        for _ in range(5):
            with ThreadPoolExecutor(len(stores)) as tabs:
                seen = {question.id for question, _ in tabs.map(lambda store: store.question(anna), stores)}
            assert len(seen) == 1
            stores[0].answer(anna, seen.pop(), "one", 1.0)


class TestAQuestionThatWasOpenForLong:
    def test_goes_to_somebody_else_and_its_late_answer_counts(self, in_memory):
        clock = Clock()
        store = in_memory(now=clock)
        anna, ben = store.annotator("Anna"), store.annotator("Ben")
        late, _ = store.question(anna)
        clock.now += PATIENCE / 2
        assert store.question(ben)[0].line != late.line
        store.answer(ben, store.question(ben)[0].id, "one", 1.0)
        clock.now += PATIENCE
        taken, _ = store.question(ben)
        assert taken.line == late.line
        store.answer(anna, late.id, "other", 4000.0)
        store.answer(ben, taken.id, "one", 1.0)
        assert [each.annotator.name for each in store.answered()] == ["Ben", "Anna", "Ben"]
        store.undo(anna, late.id)
        assert store.question(anna)[0] == late

    def test_stays_where_it_is_while_its_annotator_is_there(self, in_memory):
        clock = Clock()
        store = in_memory(now=clock)
        anna, ben = store.annotator("Anna"), store.annotator("Ben")
        question, _ = store.question(anna)
        clock.now += PATIENCE * 2
        assert store.question(anna)[0] == question
        assert store.question(ben)[0].line != question.line

    def test_comes_back_to_its_first_annotator_if_nobody_answers(self, in_memory):
        clock = Clock()
        store = in_memory(now=clock)
        anna, ben = store.annotator("Anna"), store.annotator("Ben")
        first, _ = store.question(anna)
        clock.now += PATIENCE * 2
        store.question(ben)
        clock.now += PATIENCE * 2
        assert store.question(anna)[0] == first
        finish(store, anna)
        assert len({each.pair for each in store.answered()}) == len(store.sheet.pairs)


@pytest.fixture(scope="module")
def answered(sheet):
    """What six annotators answered, many checks among it."""
    store = Store("sqlite://", sheet, checks=0.4, overlap=1.0)
    finish(store, *(store.annotator(f"annotator {n}") for n in range(6)))
    return store.answered()


class TestChecks:
    def test_are_of_both_kinds_and_about_as_many_as_asked_for(self, answered):
        kinds = Counter(each.kind for each in answered)
        assert set(kinds) == {ORDINARY, AGAIN, BROKEN}
        assert 0.25 < 1 - kinds[ORDINARY] / len(answered) < 0.55

    def test_show_an_answered_pair_again_later_with_sides_swapped(self, answered):
        first = {(each.annotator_id, each.pair): each for each in answered if each.kind == ORDINARY}
        again = [each for each in answered if each.kind == AGAIN]
        for each in again:
            before = first[each.annotator_id, each.pair]
            assert (each.left, each.right) == (before.right, before.left)
            assert each.number > before.number + AGAIN_AFTER
        assert max(Counter((each.annotator_id, each.pair) for each in again).values()) == 1

    def test_show_a_broken_candidate_beside_a_real_one_on_either_side(self, answered):
        broken = [each for each in answered if each.kind == BROKEN]
        assert {(each.left < 0, each.right < 0) for each in broken} == {(True, False), (False, True)}


class TestCandidatesMadeAnew:
    def test_are_refused(self, make_store, tmp_path):
        make_store()
        other = sheets.read(write_candidates(tmp_path / "other", seed=1))
        with pytest.raises(StoreError, match=r"answers\.db: holds answers about other candidates than these"):
            Store(f"sqlite:///{tmp_path / 'answers.db'}", other)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no URL of a database"),
        ("magic://there", "no URL of a database"),
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
        ("postgresql+psycopg://anna:secret@127.0.0.1:1/answers?connect_timeout=2", "cannot be used"),
    ],
)
def test_a_database_that_is_not_there_is_one_sentence_without_its_password(sheet, url, said):
    with pytest.raises(StoreError, match=said) as refused:
        Store(url, sheet)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_said(sheet, tmp_path):
    (tmp_path / "a.db").write_text("something else, and long enough to be looked at as what it is not" * 20)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(f"sqlite:///{tmp_path / 'a.db'}", sheet)


class TwoAnnotators(RuleBasedStateMachine):
    """Whatever two people do in whatever order, the store holds what they said last of each question, once."""

    names = st.sampled_from(["Anna", "Ben"])

    @initialize(overlap=st.sampled_from([0.0, 0.3, 1.0]), checks=st.sampled_from([0.0, 0.4]))
    def start(self, overlap, checks):
        self.folder = tempfile.TemporaryDirectory()
        self.sheet = sheets.read(write_candidates(Path(self.folder.name, "candidates")))
        self.settings = {"overlap": overlap, "checks": checks}
        self.open()
        self.said: dict[str, dict[int, str]] = {"Anna": {}, "Ben": {}}
        self.shown: dict[str, int | None] = {}

    def open(self):
        self.store = Store(f"sqlite:///{Path(self.folder.name, 'answers.db')}", self.sheet, **self.settings)

    def who(self, name):
        return self.store.annotator(name)

    @rule(name=names)
    def ask(self, name):
        question, progress = self.store.question(self.who(name))
        if self.shown.get(name) is not None:
            assert question is not None
            assert question.id == self.shown[name]
        self.shown[name] = question and question.id
        assert progress.answered == len(self.said[name])
        assert progress.undo == (list(self.said[name])[-1] if self.said[name] else None)

    @rule(name=names, answer=st.sampled_from(ANSWERS), times=st.integers(1, 3))
    def answer(self, name, answer, times):
        if self.shown.get(name) is not None:
            for _ in range(times):
                self.store.answer(self.who(name), self.shown[name], answer, 1.0)
            self.said[name][self.shown.pop(name)] = answer

    @rule(name=names, answer=st.sampled_from(ANSWERS))
    def answer_an_old_one(self, name, answer):
        for question, said in self.said[name].items():
            if said != answer:
                with pytest.raises(RefusedError, match="answered already"):
                    self.store.answer(self.who(name), question, answer, 1.0)

    @rule(name=names, times=st.integers(1, 2))
    def undo(self, name, times):
        if self.said[name]:
            last, _ = list(self.said[name].items())[-1]
            for _ in range(times):
                self.store.undo(self.who(name), last)
            del self.said[name][last]
            self.shown[name] = last

    @rule()
    def restart(self):
        self.store.close()
        self.open()

    @invariant()
    def what_was_said_is_kept_once(self):
        if not hasattr(self, "store"):
            return
        kept = self.store.answered()
        for name, said in self.said.items():
            assert {each.id: each.answer.answer for each in kept if each.annotator.name == name} == said
        ordinary = Counter(each.pair for each in kept if each.kind == ORDINARY)
        assert all(count == 1 or pair in self.store.shared for pair, count in ordinary.items())

    def teardown(self):
        if hasattr(self, "store"):
            finish(self.store, self.who("Anna"), self.who("Ben"))
            ordinary = Counter(each.pair for each in self.store.answered() if each.kind == ORDINARY)
            shared = self.store.shared
            assert ordinary == {pair: 2 if pair in shared else 1 for pair in range(len(self.sheet.pairs))}
            self.store.close()
            self.folder.cleanup()


@pytest.mark.slow
class TestTwoAnnotators(TwoAnnotators.TestCase):
    settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
