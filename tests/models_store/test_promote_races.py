"""Several promoters at once: one production version, one step of the generation for each success, losers told."""

import json
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
from tests.models_store.made import made, no_gates

PROMOTERS = 20
# 50 where services are tested: each round is 20 processes, each with its own look at the artefact.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "5"))
THREADS = 8


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
    for _ in range(3):
        before = generation()
        check_round(at_once([str(made()) for _ in range(THREADS)], before), before)


def test_same_version_promoted_twice_at_once_is_applied_once(store):
    made()
    answers = at_once(["flights@1"] * THREADS, None)
    assert answers.count("applied") == 1
    # Whoever comes when all is over is told that nothing is left to do.
    assert set(answers) <= {"applied", "promotion_conflict", "already_there"}
    assert generation() == 1


@pytest.fixture
def promoters(store) -> Iterator[Callable[[int, list[str]], list[str]]]:
    """Start the mother of promoters, with the settings of a user and this test's database."""
    at = connection.settings_dict
    sqlite = f"sqlite:///{at['NAME']}"
    served = f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "DATABASE_URL": sqlite if connection.vendor == "sqlite" else served,
        # Twenty writers to one file: the last one may wait for nineteen others.
        "DATABASE__BUSY_TIMEOUT_S": "60",
        "VAR_DIR": str(store),
    }
    mother = subprocess.Popen(
        [sys.executable, "-m", "tests.models_store.promoters"],
        cwd=settings.BASE_DIR,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert mother.stdout.readline() == "ready\n"

    def ask(seen: int, specs: list[str]) -> list[str]:
        mother.stdin.write(f"{seen} {' '.join(specs)}\n")
        return json.loads(mother.stdout.readline())

    yield ask
    mother.stdin.close()
    assert mother.wait() == 0
    mother.stdout.close()


@pytest.mark.timeout(1200)
def test_promoters_in_processes_leave_one_production_version(store, promoters):
    candidates = [str(made(policy=no_gates())) for _ in range(PROMOTERS)]
    for _ in range(ROUNDS):
        before = generation()
        answers = promoters(before, candidates)
        check_round(answers, before)
        # The winner has its stage; the losers try again beside a new one.
        candidates[answers.index("applied")] = str(made())


@pytest.mark.postgres
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_thousand_promotions_leave_one_production_version(database):
    url = os.environ.get("TEST_POSTGRES_URL")
    if not url or connection.vendor == "postgresql":
        pytest.skip("TEST_POSTGRES_URL is not set, or the whole run is on PostgreSQL already")
    race = "tests/models_store/test_promote_races.py::test_promoters_in_processes_leave_one_production_version"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", race]
    environ = {**os.environ, "RACE_ROUNDS": os.environ.get("RACE_ROUNDS", "50")}
    environ |= {"TEST_DATABASE_URL": url} if database == "postgresql" else {}
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
