"""The threads of a web process: how many work, who relieves whom, and when they end."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from predictions.adapters import crew as crew_module
from predictions.adapters.crew import MANY_SLOW, SPARE, Crew, Work
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.conftest import Configure

WAIT_S = 60


class Held:
    """Jobs that are in progress until they are let go."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.let_go = threading.Event()
        self.threads: list[threading.Thread] = []

    def job(self, begun: threading.Event | None = None, *, aside: bool = False) -> Callable[[], None]:
        """Return a job that says that it has begun, and waits, having stepped aside if it knows that it is slow."""

        def run() -> None:
            if aside:
                self.crew.step_aside()
            self.threads.append(threading.current_thread())
            if begun is not None:
                begun.set()
            assert self.let_go.wait(WAIT_S)

        return run

    def begin(self, count: int, work: Work = Work.PREDICT, *, aside: bool = False) -> None:
        """Return when so many jobs are held up, each in a thread of its own."""
        for _ in range(count):
            begun = threading.Event()
            assert self.crew.submit(work, self.job(begun, aside=aside))
            assert begun.wait(WAIT_S)


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.fixture
def held(crew: Crew) -> Iterator[Held]:
    held = Held(crew)
    yield held
    held.let_go.set()
    wait_for(lambda: is_free(crew))


@pytest.fixture
def nobody_seems_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave each thread its turn, however long a busy machine takes."""
    monkeypatch.setattr(crew_module, "WORKING_S", 2 * WAIT_S)


def is_free(crew: Crew) -> bool:
    return [crew.in_progress(work) for work in Work] == [0, 0]


def does_another(crew: Crew) -> bool:
    """Tell whether a further job is done, whatever is in progress."""
    done = threading.Event()
    return crew.submit(Work.PREDICT, done.set, always=True) and done.wait(WAIT_S)


def test_each_kind_has_a_bound_of_its_own(crew: Crew, held: Held, configure: Configure) -> None:
    configure(server__max_in_progress=4)
    taken = [crew.submit(Work.PREDICT, held.job()) for _ in range(5)]
    others = [crew.submit(Work.OTHER, held.job()) for _ in range(3)]
    assert taken == [True] * 4 + [False]
    assert others == [True] * 2 + [False]
    assert [crew.in_progress(work) for work in Work] == [4, 2]


def test_a_bound_of_one_leaves_one_of_each_kind(crew: Crew, held: Held, configure: Configure) -> None:
    configure(server__max_in_progress=1)
    assert [crew.submit(work, held.job()) for work in (*Work, *Work)] == [True, True, False, False]


def test_what_must_be_done_is_done_beyond_the_bound(crew: Crew, held: Held, configure: Configure) -> None:
    configure(server__max_in_progress=1)
    held.begin(1)
    assert not crew.submit(Work.PREDICT, held.job())
    assert does_another(crew)


@pytest.mark.usefixtures("nobody_seems_slow")
def test_what_must_be_done_is_next_and_the_rest_keeps_its_order(crew: Crew) -> None:
    done, ended = list[str](), threading.Event()

    def job(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    def first() -> None:
        # From inside, so that nobody takes the second before the third is there.
        for name in ("second", "third"):
            crew.submit(Work.OTHER, job(name))
        crew.submit(Work.OTHER, job("health"), always=True)
        crew.submit(Work.OTHER, ended.set)
        done.append("first")

    crew.submit(Work.OTHER, first)
    assert ended.wait(WAIT_S)
    assert done == ["first", "health", "second", "third"]


@pytest.mark.usefixtures("nobody_seems_slow")
@pytest.mark.parametrize("threads", [1, 3])
def test_so_many_work_at_one_time_as_the_setting_says(crew: Crew, configure: Configure, threads: int) -> None:
    configure(server__threads=threads)
    lock, ended = threading.Lock(), threading.Semaphore(0)
    together = threading.Barrier(threads)
    now = most = 0

    def job() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        # All of them are at work, or nobody goes on.
        together.wait(WAIT_S)
        with lock:
            now -= 1
        together.wait(WAIT_S)
        ended.release()

    for _ in range(4 * threads):
        assert crew.submit(Work.PREDICT, job)
    assert all(ended.acquire(timeout=WAIT_S) for _ in range(4 * threads))
    assert most == threads


def test_a_thread_that_is_held_up_is_relieved_while_a_job_waits(crew: Crew, held: Held) -> None:
    held.begin(1)
    assert does_another(crew)
    assert crew.in_progress(Work.PREDICT) == 1


@pytest.mark.usefixtures("nobody_seems_slow")
def test_one_who_steps_aside_is_relieved_at_once(crew: Crew, held: Held) -> None:
    held.begin(1, aside=True)
    assert does_another(crew)
    assert crew.in_progress(Work.PREDICT) == 1


@pytest.mark.usefixtures("nobody_seems_slow")
def test_where_many_are_held_up_nobody_waits_to_see_it_of_the_next(crew: Crew, held: Held) -> None:
    held.begin(MANY_SLOW, aside=True)
    held.begin(MANY_SLOW)
    assert does_another(crew)


@pytest.mark.usefixtures("nobody_seems_slow")
def test_whoever_steps_aside_twice_is_relieved_once(crew: Crew) -> None:
    done = list[str]()
    ended = threading.Event()

    def slow() -> None:
        crew.step_aside()
        crew.step_aside()
        # Of those who may take jobs now there is one: it does them in turn.
        for name in "abcd":
            crew.submit(Work.PREDICT, lambda name=name: done.append(name))  # type: ignore[misc]  # bound now
        crew.submit(Work.PREDICT, ended.set)

    assert crew.submit(Work.PREDICT, slow)
    assert ended.wait(WAIT_S)
    assert done == ["a", "b", "c", "d"]
    assert does_another(crew)


def test_stepping_aside_outside_of_a_job_is_nothing(crew: Crew) -> None:
    crew.step_aside()
    assert does_another(crew)


def test_of_the_threads_that_are_not_needed_a_few_rest_and_the_others_end(crew: Crew, held: Held) -> None:
    held.begin(SPARE + 5, aside=True)
    assert len(set(held.threads)) == SPARE + 5
    held.let_go.set()
    wait_for(lambda: sum(thread.is_alive() for thread in held.threads) <= SPARE)
    assert does_another(crew)
    assert sum(thread.is_alive() for thread in held.threads) == SPARE


def test_a_job_that_raises_takes_no_thread_with_it(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    threads = list[threading.Thread]()

    def fails() -> None:
        threads.append(threading.current_thread())
        raise ZeroDivisionError

    assert crew.submit(Work.PREDICT, fails)
    assert does_another(crew)
    wait_for(lambda: is_free(crew))
    assert threads[0].is_alive()
    assert "a request ended without an answer" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_is_handed_out_when_its_request_counts_no_longer(crew: Crew, configure: Configure) -> None:
    configure(server__max_in_progress=1)
    counted = list[int]()
    told = threading.Semaphore(0)

    def tell() -> None:
        counted.append(crew.in_progress(Work.PREDICT))
        told.release()

    for _ in range(50):
        # Each finds the room that the one before has left.
        assert crew.submit(Work.PREDICT, lambda: tell)
        assert told.acquire(timeout=WAIT_S)
    assert counted == [0] * 50


def test_a_forked_process_begins_with_a_crew_of_its_own(crew: Crew, held: Held) -> None:
    held.begin(2, aside=True)
    child = os.fork()
    if not child:
        os._exit(0 if is_free(crew) and does_another(crew) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert crew.in_progress(Work.PREDICT) == 2


def test_where_no_thread_can_be_started_requests_wait_until_one_can(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, threading.Event()

    def seldom(thread: threading.Thread) -> None:
        if thread.name == "crew" and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", seldom)
    assert does_another(crew)
    assert refused.is_set()
