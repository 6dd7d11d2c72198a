"""Several promoters at once: one production version, one step of the generation for each success, losers told."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import connection

from features.ground.errors import DomainError
from models_store.actions.promote import promote
from models_store.actions.verify_audit import verify_audit
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel
from tests.models_store.made import made

PROMOTERS = 8
ROUNDS = 5
PROCESSES = 3

PROMOTER = """
import sys, django; django.setup()
from features.ground.errors import DomainError
from models_store.actions.promote import promote
print("ready", flush=True)
for line in sys.stdin:
    spec, seen = line.split()
    asked = {"target_stage": "production", "reason": "race", "actor": "user:racer", "expected_generation": int(seen)}
    try:
        print(promote(spec, **asked).state, flush=True)
    except DomainError as error:
        print(error.code, flush=True)
"""


def generation() -> int:
    """Return the model's generation, as everybody sees it before a round."""
    return RegisteredModel.objects.values_list("generation", flat=True).first() or 0


def check_round(answers: list[str], before: int) -> None:
    """Look at the whole registry after everybody has been answered: all saw one generation, so one may win."""
    assert sorted(answers) == ["applied"] + ["promotion_conflict"] * (len(answers) - 1)
    assert generation() == before + 1
    assert ModelVersion.objects.filter(stage="production").count() == 1
    assert PromotionRequest.objects.filter(state="applied").count() == generation()
    assert verify_audit().ok


def at_once(versions: list[str], seen: int | None) -> list[str]:
    """Promote each version in a thread of its own, all let go together."""
    gate, answers = threading.Barrier(len(versions)), []

    def run(spec: str) -> None:
        try:
            gate.wait()
            asked = {"target_stage": "production", "reason": "race", "actor": f"user:{spec}"}
            answers.append(promote(spec, **asked, expected_generation=seen).state)
        except DomainError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(spec,)) for spec in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_promoters_in_threads_leave_one_production_version(store):
    for _ in range(ROUNDS):
        before = generation()
        check_round(at_once([str(made()) for _ in range(PROMOTERS)], before), before)


def test_same_version_promoted_twice_at_once_is_applied_once(store):
    made()
    answers = at_once(["flights@1"] * PROMOTERS, None)
    assert answers.count("applied") == 1
    # Whoever comes when all is over is told that nothing is left to do.
    assert set(answers) <= {"applied", "promotion_conflict", "already_there"}
    assert generation() == 1


@pytest.fixture
def promoters(store) -> Iterator[Callable[[list[str]], list[str]]]:
    """Start processes that promote what they are told."""
    # Nothing of the test's own settings is taken over: these are processes as a user starts them.
    if connection.vendor != "sqlite":
        pytest.skip("the processes are given a SQLite file")
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "VAR_DIR": str(store),
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER],
            cwd=settings.BASE_DIR,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(PROCESSES)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * PROCESSES

    def ask(lines: list[str]) -> list[str]:
        for process, line in zip(running, lines, strict=True):
            process.stdin.write(f"{line}\n")
        return [process.stdout.readline().strip() for process in running]

    yield ask
    for process in running:
        process.stdin.close()
        assert process.wait() == 0
        process.stdout.close()


def test_promoters_in_processes_leave_one_production_version(store, promoters):
    for _ in range(ROUNDS):
        before = generation()
        check_round(promoters([f"{made()} {before}" for _ in range(PROCESSES)]), before)
