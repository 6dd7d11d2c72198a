"""The plain case gives the bytes and the log rows `predict` gives, and leaves the rest to it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from features.ground.errors import DomainError
from predictions import engine
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.predict_plain import predict_plain
from predictions.core.caller import Caller
from predictions.errors import PredictionsError
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.contract import bodies
from tests.predictions.numbers import COLUMNS, drawn, serve
from tests.predictions.tiny import staged

CALLER = Caller(name="user:eve", roles=("user",))
ZEROS = [0.0] * COLUMNS


def body_of(cells: str, rows: int = 1) -> bytes:
    return f'{{"data": [{", ".join([f"[{cells}]"] * rows)}]}}'.encode()


def with_first(cell: str) -> str:
    return ", ".join([cell, *map(str, ZEROS[1:])])


def many(*last: str) -> bytes:
    """Return a long body whose last rows are these."""
    rows = [f"[{', '.join(map(str, row))}]" for row in drawn(60)]
    return f'{{"data": [{", ".join([*rows, *last])}]}}'.encode()


BODIES = [
    many(),
    *(many(f"[{with_first(cell)}]") for cell in ("-0", "true", "1e30", "18446744073709551616", "12345678901", "1E2")),
    many().replace(b", ", b" ,\n\t"),
    many().replace(b'"data"', b'"d\\u0061ta"'),
    body_of(", ".join(map(str, drawn(1)[0]))),
    json.dumps({"data": drawn(40)}).encode(),
    json.dumps({"data": drawn(2)}, indent=3).encode(),
    json.dumps({"records": [{f"n{place}": cell for place, cell in enumerate(ZEROS)}]}).encode(),
    body_of(", ".join(["1", "2", "null", *map(str, ZEROS[3:])])),
    *(
        body_of(with_first(cell))
        for cell in ("1", "-0", "true", "1e30", "18446744073709551616", "1e-400", "12345678901")
    ),
]
REFUSED = [
    *(body_of(with_first(cell)) for cell in ("null", "NaN", '"1"', "1e31", "1e999", "[1]", "[]", "{}", "-1e31")),
    body_of(with_first("0") + ", 1"),
    body_of(", ".join(["1", "-51", *map(str, ZEROS[2:])])),
    body_of("1"),
    b'{"data": [[%b], [%b]]}' % (b"1, " * COLUMNS + b"1", b"1, " * (COLUMNS - 2) + b"1"),
    b'{"data": []}',
    b'{"data": [], "data": [[1]]}',
    # Long enough for the reader that makes no objects: it must not take what the other refuses.
    *(
        many(*rows)
        for rows in (
            [f"[{', '.join(['1'] * (COLUMNS - 1))}]", f"[{', '.join(['1'] * (COLUMNS + 1))}]"],
            [f"[[1], {', '.join(['1'] * (COLUMNS - 1))}]"],
            [f"[[1, 1], {', '.join(['1'] * (COLUMNS - 2))}]"],
            ["1"],
            ["null"],
            ["[]"],
            [json.dumps({f"n{place}": 0 for place in range(COLUMNS)})],
            *([f"[{with_first(cell)}]"] for cell in ("null", "NaN", '"1"', "1e31", "1e999", "{}", "01", "+1", "1.")),
        )
    ),
    b"\xef\xbb\xbf" + many(),
    many() + b"x",
    many()[:-2],
    many().replace(b'"data"', b'"datum"'),
    many()[:-1] + b', "data": [[1]]}',
    many().replace(b'"data"', b'"data": [[1]], "data"'),
]


def plain(body: bytes, model: str = "numbers") -> bytes | None:
    return predict_plain(body, caller=CALLER, request_id="r", model=model)


def whole(body: bytes, model: str = "numbers") -> bytes:
    return predict(PredictRequest(principal=CALLER.name, caller=CALLER, request_id="r", model=model, body=body)).json()


def said(ask: Callable[[bytes, str], bytes | None], body: bytes) -> Any:
    """Return what is said to a body for `tiny`: an answer without its own id, or a refusal in full; None if nothing."""
    try:
        answer = ask(body, "tiny")
    except DomainError as error:
        return error.code, error.message, error.fields
    return answer and without_own(answer)


def without_own(answer: bytes | None) -> dict[str, Any]:
    assert answer is not None
    found: dict[str, Any] = json.loads(answer)
    assert list(found)[-2:] == ["prediction_id", "timestamp"]
    del found["prediction_id"], found["timestamp"]
    return found


@pytest.mark.parametrize("kind", ["logistic", "ridge", "forest"])
def test_both_give_the_same_answers_and_log_rows(serving: None, configure: Configure, kind: str) -> None:
    configure(model__cache_size=0)
    serve(kind)
    for body in BODIES:
        ours, theirs = plain(body), whole(body)
        assert without_own(ours) == without_own(theirs)
        assert len(ours or b"") == len(theirs)
    flush_log()
    kept = Prediction.objects.order_by("at").values(
        "columns", "inputs", "outputs", "rows", "principal", "source", "route"
    )
    rows = list(kept)
    assert len(rows) == 2 * len(BODIES)
    assert rows[::2] == rows[1::2]


def test_both_refuse_the_same_with_the_same_words(serving: None) -> None:
    serve()
    for body in REFUSED:
        with pytest.raises(PredictionsError) as ours:
            plain(body)
        with pytest.raises(PredictionsError) as theirs:
            whole(body)
        assert (ours.value.code, ours.value.message) == (theirs.value.code, theirs.value.message)
    flush_log()
    assert not Prediction.objects.exists()


def test_both_say_the_same_to_every_body_of_the_contract(serving: None, configure: Configure) -> None:
    configure(model__cache_size=0)
    staged()
    differing, answered = [], 0
    for name, body in bodies().items():
        ours = said(plain, body)
        answered += isinstance(ours, dict)
        if ours is not None and ours != said(whole, body):
            differing.append(name)
    assert differing == []
    assert answered > 5


def test_what_is_answered_from_the_cache_is_logged_whole(serving: None) -> None:
    serve()
    first, second = plain(BODIES[0]), plain(BODIES[0])
    assert without_own(first) == without_own(second)
    flush_log()
    rows = list(Prediction.objects.values_list("inputs", "outputs"))
    assert rows[0] == rows[1]


def test_entities_and_trials_are_left_to_the_whole_path(serving: None) -> None:
    staged()
    assert predict_plain(b'{"entities": ["a"]}', caller=CALLER, request_id="r", model="tiny") is None
    body = b'{"data": [[4.0, 1.5, "red"]]}'
    assert predict_plain(body, caller=CALLER, request_id="r", model="tiny")
    staged("shadow", seed=2)
    engine.refresh()
    assert predict_plain(body, caller=CALLER, request_id="r", model="tiny") is None
