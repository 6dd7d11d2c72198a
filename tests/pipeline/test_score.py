"""Batch scoring: what comes out, and what a kill leaves behind."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from pipeline.actions.score import score
from pipeline.models import BatchScore, Run
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from tests.pipeline.batch_files import KilledError, killed_after, written
from tests.pipeline.served_model import flights, production, register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_output_holds_input_and_answers(folder: Path, ending: str) -> None:
    frame = flights(1000)
    source = written(folder, frame, f"in.{ending}")
    result = score("late", source, folder / f"out.{ending}", chunk_rows=300, actor="cli:test")
    out = pd.read_csv(folder / "out.csv") if ending == "csv" else pd.read_parquet(folder / "out.parquet")
    assert (result.rows, result.rejected, result.model_version) == (1000, 0, "late@1")
    assert list(out.columns) == [
        *frame.columns, "prediction", "probability_late", "probability_on time", "model_version", "row"
    ]  # fmt: skip
    pd.testing.assert_frame_equal(out[frame.columns], frame, check_dtype=False)
    assert list(out["row"]) == list(range(1000))
    assert set(out["model_version"]) == {"late@1"}
    assert sorted(entry.name for entry in folder.iterdir()) == [f"in.{ending}", f"out.{ending}"]


def test_batch_answers_as_the_serving_path_does(folder: Path) -> None:
    frame = flights(50)
    score("late", written(folder, frame, "in.parquet"), folder / "out.parquet", chunk_rows=7, actor="cli:test")
    out = pq.read_table(folder / "out.parquet").to_pydict()
    for at in (0, 7, 49):
        row = list(frame.to_dict("records")[at].values())
        answer = predict(PredictRequest(principal="user:test", request_id="r", model="late", rows=[row]))
        assert answer.predictions == [out["prediction"][at]]
        assert answer.probabilities == [[out["probability_late"][at], out["probability_on time"][at]]]
    flush_log()


def test_chunk_size_does_not_change_the_answers(folder: Path) -> None:
    source = written(folder, flights(40), "in.parquet")
    for name, size in (("a", 1), ("b", 7), ("c", 40)):
        score("late", source, folder / f"{name}.parquet", chunk_rows=size, actor="cli:test")
    tables = [pq.read_table(folder / f"{name}.parquet").combine_chunks() for name in "abc"]
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_stopped_batch_goes_on_and_gives_the_same_bytes(folder: Path, ending: str) -> None:
    frame = flights(600)
    frame.loc[[5, 250], "delay"] = 5000.0
    source = written(folder, frame, f"in.{ending}")
    score("late", source, folder / f"whole.{ending}", chunk_rows=100, actor="cli:test")
    for parts in (1, 3, 2):
        with pytest.raises(KilledError):
            score(
                "late", source, folder / f"out.{ending}", chunk_rows=100, actor="cli:test", report=killed_after(parts)
            )
        assert not (folder / f"out.{ending}").exists()
    first = folder / f"out.{ending}.partial" / "parts" / f"part-00000.{ending}"
    before = first.stat().st_mtime_ns
    done: list[int] = []
    result = score(
        "late", source, folder / f"out.{ending}", chunk_rows=100, actor="cli:test", report=lambda *_: done.append(
            first.stat().st_mtime_ns if first.exists() else before
        )
    )  # fmt: skip
    assert set(done) == {before}
    assert (result.rows, result.rejected) == (598, 2)
    assert (folder / f"out.{ending}").read_bytes() == (folder / f"whole.{ending}").read_bytes()
    rejects = [(folder / f"{name}.{ending}.rejected.jsonl").read_bytes() for name in ("out", "whole")]
    assert rejects[0] == rejects[1]
    assert not (folder / f"out.{ending}.partial").exists()


def test_changed_input_starts_anew(folder: Path) -> None:
    source = written(folder, flights(300))
    with pytest.raises(KilledError):
        score("late", source, folder / "out.csv", chunk_rows=100, actor="cli:test", report=killed_after(2))
    other = flights(200, seed=9)
    written(folder, other)
    score("late", source, folder / "out.csv", chunk_rows=100, actor="cli:test")
    assert list(pd.read_csv(folder / "out.csv")["delay"]) == list(other["delay"])


def test_faulty_rows_are_set_aside_with_reasons(folder: Path) -> None:
    (folder / "in.csv").write_text(
        "delay,distance,carrier\n1,100,AA\nlate,100,AA\n2,100\n3,100,ZZ\n,100,AA\n1e999,100,AA\n4,NA,AA\n5,200,UA\n6,1,AA,x\n"
    )
    result = score("late", folder / "in.csv", folder / "out.csv", actor="cli:test")
    assert (result.rows, result.rejected) == (2, 7)
    assert list(pd.read_csv(folder / "out.csv")["row"]) == [0, 7]
    rejects = [json.loads(line) for line in Path(result.rejected_output).read_text().splitlines()]
    assert [(item["row"], item["reason"]) for item in rejects] == [
        (1, "column delay: must be a number; got late"),
        (2, "2 fields where the header has 3"),
        (3, "column carrier: must be one of AA, DL, UA; got ZZ"),
        (4, "column delay: must not be missing; got nan"),
        (5, "column delay: must be a number; got 1e999"),
        (6, "column distance: must not be missing; got nan"),
        (8, "4 fields where the header has 3"),
    ]
    assert rejects[0]["values"] == {"delay": "late", "distance": "100", "carrier": "AA"}
    assert rejects[1]["values"] == "2,100"


def test_all_rows_faulty_gives_a_header_and_the_reasons(folder: Path) -> None:
    (folder / "in.csv").write_text("delay,distance,carrier\nx,1,AA\ny,1,AA\n")
    result = score("late", folder / "in.csv", folder / "out.csv", actor="cli:test")
    assert (result.rows, result.rejected) == (0, 2)
    assert len((folder / "out.csv").read_text().splitlines()) == 1


def test_second_batch_without_faults_removes_old_rejects(folder: Path) -> None:
    frame = flights(10)
    frame.loc[0, "carrier"] = "ZZ"
    score("late", written(folder, frame), folder / "out.csv", actor="cli:test")
    assert (folder / "out.csv.rejected.jsonl").exists()
    score("late", written(folder, flights(10)), folder / "out.csv", actor="cli:test")
    assert not (folder / "out.csv.rejected.jsonl").exists()


def test_only_predictions_leaves_the_input_out(folder: Path) -> None:
    source = written(folder, flights(5))
    score("late", source, folder / "out.csv", only_predictions=True, actor="cli:test")
    assert (folder / "out.csv").read_text().splitlines()[0] == (
        "prediction,probability_late,probability_on time,model_version,row"
    )


def test_folder_becomes_a_folder_and_is_replaced_whole(folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(3):
        written(folder / "in", flights(40, seed=number), f"{number}.parquet")
    for chunk in (50, 30):
        result = score("late", folder / "in", folder / "out", chunk_rows=chunk, actor="cli:test")
    out = pq.read_table(folder / "out")
    assert result.rows == out.num_rows == 120
    assert out.column("row").to_pylist() == list(range(120))
    assert sorted(entry.name for entry in (folder / "out").iterdir()) == [f"part-0000{n}.parquet" for n in range(4)]


def test_regression_has_a_value_and_no_probability(folder: Path) -> None:
    production("minutes", regression=True)
    score("minutes", written(folder, flights(20)), folder / "out.csv", actor="cli:test")
    out = pd.read_csv(folder / "out.csv")
    assert list(out.columns[3:]) == ["prediction", "model_version", "row"]
    assert out["prediction"].corr(out["delay"]) > 0.99


def test_named_version_is_scored_before_it_is_promoted(folder: Path) -> None:
    register(seed=3)
    assert score("late@2", written(folder, flights(5)), folder / "out.csv", actor="cli:test").model_version == "late@2"


def test_batch_is_recorded(folder: Path) -> None:
    source = written(folder, flights(5))
    score("late", source, folder / "out.csv", actor="cli:test")
    row = BatchScore.objects.get()
    assert (str(row.model_version), row.rows, row.rejected) == ("late@1", 5, 0)
    assert (row.input, row.output) == (str(source), str(folder / "out.csv"))


def test_command_scores_as_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(folder, flights(50))
    call_command("score", "late", str(source), str(folder / "out.csv"), "--chunk-rows", "20", "--json")
    answer = json.loads(capsys.readouterr().out)
    run = Run.objects.get()
    assert (answer["run"], answer["rows"], answer["rejected"]) == (str(run.pk), 50, 0)
    assert run.state == "succeeded"
    assert BatchScore.objects.get().run == run
