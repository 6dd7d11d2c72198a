"""Requests to a slow model are answered together as each would be alone, in the action and over real HTTP."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from predictions import engine
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict_plain import predict_plain
from predictions.actions.predict_together import Question, is_gathered, predict_together
from predictions.adapters.gathering import GatheringRuntime
from predictions.core.caller import Caller
from predictions.models import Prediction
from tests.predictions.tiny import staged
from tests.served import Site, copied_site

WHO = Caller(name="service:test", roles=("user",))
COLOURS = ("red", "blue")


def body_of(rows: int, seed: int) -> bytes:
    chance = random.Random(seed)
    return json.dumps(
        {"data": [[chance.uniform(0, 9), chance.gauss(0, 1), chance.choice(COLOURS)] for _ in range(rows)]}
    ).encode()


WRONG = [
    b"{",
    b'{"data": [[1]]}',
    b'{"data": [["x", 1, "red"]]}',
    b'{"entities": [{"id": 1}]}',
    b'{"data": [[-1, 1, "red"]]}',
]


def outputs(answer: bytes) -> object:
    said = json.loads(answer)
    return said["predictions"], said.get("probabilities"), said["model"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("serving")
def test_each_gets_the_bits_it_would_get_alone_and_a_row_in_the_log() -> None:
    staged(engine="sklearn")
    engine.refresh()
    assert is_gathered("tiny")
    bodies = [body_of(1 + seed % 3, seed) for seed in range(40)]
    mixed = [*bodies, *WRONG]
    random.Random(5).shuffle(mixed)
    calls = list[int]()
    loaded = engine.serving("tiny").production
    assert loaded is not None
    runtime = loaded.runtime
    assert isinstance(runtime, GatheringRuntime)
    asked = runtime._runtime.score
    runtime._runtime.score = lambda frame: calls.append(len(frame["length"])) or asked(frame)  # type: ignore[method-assign,func-returns-value]  # counts and asks
    answers = predict_together([Question(body, WHO, f"id-{place}") for place, body in enumerate(mixed)], model="tiny")
    assert calls == [sum(1 + seed % 3 for seed in range(40))]
    for body, answer in zip(mixed, answers, strict=True):
        if body in WRONG:
            assert answer is None
            continue
        alone = predict_plain(body, caller=WHO, request_id="alone", model="tiny")
        assert answer is not None
        assert alone is not None
        assert outputs(answer) == outputs(alone)
    flush_log()
    logged = dict(Prediction.objects.exclude(request_id="alone").values_list("request_id", "outputs__predictions"))
    said = {f"id-{place}": json.loads(answer)["predictions"] for place, answer in enumerate(answers) if answer}
    assert logged == said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory, TOKEN_RATE_LIMIT="off", RATE_LIMIT="off", MODEL__CACHE_SIZE="0")


def test_many_callers_over_http_each_get_their_own_answer(site: Site) -> None:
    asked = [body_of(1 + seed % 4, seed) for seed in range(24)]
    path, headers = (
        "/api/v1/models/kept/predict",
        {"Authorization": f"Bearer {site.tokens['user']}", "Content-Type": "application/json"},
    )
    with site.served() as server:

        def caller(seed: int) -> list[tuple[int, bytes]]:
            order = [*range(len(asked)), -1]
            random.Random(seed).shuffle(order)
            with httpx.Client(base_url=server.base, timeout=60) as client:
                posts = [
                    (place, client.post(path, content=asked[place] if place >= 0 else WRONG[1], headers=headers))
                    for place in order
                ]
            return [
                (place, answer.content if answer.status_code == 200 else str(answer.status_code).encode())
                for place, answer in posts
            ]

        alone = [outputs(answer) for place, answer in sorted(caller(0)) if place >= 0]
        with ThreadPoolExecutor(16) as pool:
            answers = [pair for pairs in pool.map(caller, range(16)) for pair in pairs]
    assert {answer for place, answer in answers if place < 0} == {b"400"}
    assert all(outputs(answer) == alone[place] for place, answer in answers if place >= 0)
    assert len({json.loads(answer)["prediction_id"] for place, answer in answers if place >= 0}) == 16 * len(asked)
