"""The JSON-lines stream: each line once, in order, whatever stops it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from prometheus_client import REGISTRY

from models_store.actions.promote import promote
from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource
from pipeline.core.streaming import MAX_MESSAGE_BYTES, Consumed
from predictions import engine
from predictions.actions.audit_routes import audit_routes
from predictions.errors import InvalidRequestError, NotFiniteError
from predictions.models import Prediction
from tests.pipeline.served_model import flights, register
from tests.pipeline.stream_files import answers, lines, offsets, run, written

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_line_is_answered_in_order_and_written_down(folder: Path) -> None:
    written(folder, lines(25))
    assert run(folder) == Consumed(in_=25, scored=25, dead_letters=0, committed=25)
    found = answers(folder)
    assert offsets(found) == list(range(25))
    assert found[1]["key"] == "k1"
    assert found[3]["key"] == "3"
    assert found[0]["model"] == {"name": "late", "version": 1, "role": "production"}
    rows = {row.offset: row for row in Prediction.objects.all()}
    assert sorted(rows) == list(range(25))
    for item in found:
        row = rows[item["source"]["offset"]]
        assert str(row.pk) == item["prediction_id"]
        assert row.outputs == {"predictions": [item["prediction"]], "probabilities": [item["probabilities"]]}
        assert (row.source, row.principal, row.topic) == ("stream", "cli:test", item["source"]["topic"])
    assert rows[1].entity_keys == ["k1"]


POISON = [
    ("nonsense", "not JSON"),
    ("", "empty"),
    ("[1, 2]", "a message must be an object"),
    ('{"features": [1, 2]}', "has 2 values; the model takes 3"),
    ('{"features": ["x", 1, "AA"]}', "column delay: must be a number"),
    ('{"features": [NaN, 1, "AA"]}', "column delay: must not be missing"),
    ('{"features": [1e999, 1, "AA"]}', "out of range"),
    ('{"features": [1, 1, "ZZ"]}', "column carrier: must be one of AA, DL, UA"),
    ('{"record": {"delay": 1}}', "lacks distance, carrier"),
    ('{"features": [1, 1, "AA"], "record": {}}', "beside features only key may stand; got record"),
    ('{"features": [1, 1, "AA"], "key": {}}', "key must be a text"),
    ('{"features": [1, 1, "AA"], "key": "a\\u0000"}', "key must not hold a NUL"),
    ('{"delay": 1, "delay": 2}', "given twice"),
    ('{"features": ["\\ud800", 1, "AA"]}', "half of a surrogate pair"),
    ("[" * 5000, "nest too deep"),
]


def test_poisoned_lines_become_dead_letters_with_reasons(folder: Path) -> None:
    good = lines(len(POISON))
    written(folder, [line for at, (bad, _) in enumerate(POISON) for line in (bad, good[at])])
    assert run(folder) == Consumed(in_=30, scored=15, dead_letters=15, committed=30)
    dead = answers(folder, "out.jsonl.dead")
    assert offsets(dead) == list(range(0, 30, 2))
    assert offsets(answers(folder)) == list(range(1, 30, 2))
    for letter, (value, reason) in zip(dead, POISON, strict=True):
        assert reason in letter["error"]
        assert letter["code"] == InvalidRequestError.code
        assert letter["value"] == value


def test_line_over_the_limit_is_a_dead_letter_and_is_cut(folder: Path) -> None:
    written(folder, ['{"features": "' + "x" * (3 * MAX_MESSAGE_BYTES) + '"}', lines(1)[0]])
    assert run(folder) == Consumed(in_=2, scored=1, dead_letters=1, committed=2)
    letter = answers(folder, "out.jsonl.dead")[0]
    assert "over 1048576 bytes" in letter["error"]
    assert letter["cut"] is True
    assert len(letter["value"]) == 64 << 10
    assert run(folder).in_ == 0


def test_bytes_that_are_no_text_are_a_dead_letter(folder: Path) -> None:
    (folder / "in.jsonl").write_bytes(b'{"features": "\xff"}\n')
    assert run(folder).dead_letters == 1
    assert "not UTF-8" in answers(folder, "out.jsonl.dead")[0]["error"]


def test_stream_goes_on_where_it_stopped(folder: Path) -> None:
    items = lines(40)
    written(folder, items)
    assert run(folder, max_messages=13).committed == 13
    assert len(answers(folder)) == 13
    assert run(folder).committed == 27
    with (folder / "in.jsonl").open("a") as file:
        file.write(lines(1, seed=5)[0] + "\n")
    assert run(folder).committed == 1
    assert offsets(answers(folder)) == list(range(41))
    assert run(folder).in_ == 0


def test_last_line_without_a_break_waits_until_the_stream_is_idle(folder: Path) -> None:
    written(folder, lines(3), end="")
    with JsonlSource(folder / "in.jsonl", folder / "out.jsonl") as source:
        assert [message.offset for message in source.poll(10)] == [0, 1]
        assert source.poll(10) == []
        assert [message.offset for message in source.drain()] == [2]


def test_message_answered_before_a_promotion_keeps_its_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, lines(5))
    with monkeypatch.context() as patched:
        patched.setattr(JsonlSource, "commit", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        with pytest.raises(OSError, match="killed here"):
            run(folder)
    promote(str(register(seed=7)), target_stage="production", reason="test", actor="cli:test")
    engine.refresh()
    run(folder)
    assert {item["model"]["version"] for item in answers(folder)} == {1}
    with (folder / "in.jsonl").open("a") as file:
        file.write(lines(1)[0] + "\n")
    run(folder)
    assert answers(folder)[-1]["model"]["version"] == 2


def test_canary_answers_its_share_by_key(folder: Path) -> None:
    promote(str(register(seed=7)), target_stage="canary", percent=50, reason="test", actor="cli:test")
    engine.refresh()
    rows = flights(60).to_dict("records")
    written(folder, [json.dumps({"key": f"k{at % 6}", "record": row}) for at, row in enumerate(rows)])
    run(folder)
    by_key: dict[str, set[str]] = {}
    for item in answers(folder):
        by_key.setdefault(item["key"], set()).add(item["model"]["role"])
    assert all(len(roles) == 1 for roles in by_key.values())
    assert offsets(answers(folder)) == list(range(60))


def canary_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Put a canary beside production that has no answer for delays over 10."""
    promote(str(register(seed=7)), target_stage="canary", percent=100, reason="test", actor="cli:test")
    engine.refresh()
    canary = engine.serving("late").canary
    assert canary is not None
    score = canary.runtime.score

    def moody(frame: Any) -> Any:
        if (frame["delay"] > 10).any():
            raise error
        return score(frame)

    monkeypatch.setattr(canary.runtime, "score", moody)


@pytest.mark.parametrize("error", [NotFiniteError("no number"), ZeroDivisionError("a fault of its own")])
def test_production_answers_what_a_canary_cannot(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    canary_that_fails(monkeypatch, error)
    before = REGISTRY.get_sample_value("canary_fallbacks_total", {"model": "late"}) or 0.0
    rows = [{"delay": delay, "distance": 500.0, "carrier": "AA"} for delay in (1.0, 40.0, 2.0, 50.0)]
    written(folder, [*map(json.dumps, rows), json.dumps({"delay": "x"})])
    assert run(folder) == Consumed(in_=5, scored=4, dead_letters=1, committed=5)
    expected = isinstance(error, NotFiniteError)
    roles = ["canary", "production"] * 2 if expected else ["production"] * 4
    found = answers(folder)
    assert [item["model"]["role"] for item in found] == roles
    assert [item["model"]["version"] for item in found] == [2 if role == "canary" else 1 for role in roles]
    assert found[1]["prediction"] == "late"
    code = "not_finite" if expected else "internal_error"
    logged = {row.offset: row for row in Prediction.objects.all()}
    assert [logged[at].fallback for at in range(4)] == ["" if role == "canary" else code for role in roles]
    assert {row.route["percent"] for row in logged.values()} == {100}
    assert audit_routes().ok
    after = REGISTRY.get_sample_value("canary_fallbacks_total", {"model": "late"}) or 0.0
    assert after - before == roles.count("production")
    # What production refuses too is a dead letter, with production's reason.
    assert "lacks distance, carrier" in answers(folder, "out.jsonl.dead")[0]["error"]


def test_named_version_answers_pinned(folder: Path) -> None:
    register(seed=7)
    written(folder, lines(2))
    run(folder, model="late@2")
    assert answers(folder)[0]["model"] == {"name": "late", "version": 2, "role": "pinned"}


def test_same_name_with_other_content_is_another_stream(folder: Path) -> None:
    written(folder, lines(5))
    run(folder)
    for name in ("out.jsonl", "out.jsonl.dead", "out.jsonl.offset"):
        (folder / name).unlink()
    written(folder, lines(5, seed=9))
    run(folder)
    assert Prediction.objects.count() == 10


def test_command_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = lines(12)
    items[2] = "poison"
    written(folder, items)
    files = ["--input", str(folder / "in.jsonl"), "--output", str(folder / "out.jsonl")]
    call_command("consume", "--source", "jsonl", "--model", "late", "--max-messages", "10", "--json", *files)
    assert json.loads(capsys.readouterr().out) == {"in": 10, "scored": 9, "dead_letters": 1, "committed": 10}


def test_wish_to_stop_ends_a_stream_without_an_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, lines(5))
    asked = iter([False, False, True])
    with JsonlSource(folder / "in.jsonl", folder / "out.jsonl") as source:
        done = consume(source, ConsumeRequest(model="late", actor="cli:test"), stop=lambda: next(asked))
    assert done.committed == 5
