"""Batch scoring: what is refused, and that nothing is written then."""

from pathlib import Path

import pytest

from features.ground.errors import DomainError
from models_store.errors import NoProductionVersionError, UnknownModelError
from pipeline.actions.score import score
from pipeline.errors import InvalidOutputError, OutputBusyError, UnknownFileError, UnreadableTableError
from pipeline.models import BatchScore
from predictions.errors import InvalidRequestError
from tests.pipeline.batch_files import written
from tests.pipeline.served_model import flights, register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, UnknownFileError, "there is no file or folder"),
        (b"", UnreadableTableError, "in.csv is empty"),
        (b"delay,distance,carrier\n", UnreadableTableError, "a header and no rows"),
        (b"delay;distance;carrier\n1;2;AA\n", InvalidRequestError, "the input lacks the columns delay"),
        (b"delay,carrier\n1,AA\n", InvalidRequestError, "the input lacks the columns distance"),
        (b"delay,delay\n1,2\n", UnreadableTableError, "names columns twice: \\['delay'\\]"),
        (b"\xff\xfe\x00", UnreadableTableError, "is no csv file"),
        (b"delay,distance,carrier\n" + b"1,2,AA\n" * 9000 + b"1,2,\xff\n", UnreadableTableError, "can't be read"),
    ],
)
def test_unusable_input_is_refused_and_nothing_written(
    folder: Path, content: bytes | None, error: type[DomainError], text: str
) -> None:
    if content is not None:
        (folder / "in.csv").write_bytes(content)
    with pytest.raises(error, match=text):
        score("late", folder / "in.csv", folder / "out.csv", actor="cli:test")
    assert not (folder / "out.csv").exists()
    assert not BatchScore.objects.exists()


def test_earlier_output_stays_when_a_later_batch_is_refused(folder: Path) -> None:
    score("late", written(folder, flights(5)), folder / "out.csv", actor="cli:test")
    before = (folder / "out.csv").read_bytes()
    (folder / "bad.csv").write_text("delay,distance,carrier\n")
    with pytest.raises(UnreadableTableError):
        score("late", folder / "bad.csv", folder / "out.csv", actor="cli:test")
    assert (folder / "out.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("out.xlsx", "must end in .csv or .parquet; got out.xlsx"),
        ("gone/out.csv", "there is no folder"),
        ("in.csv", "another place than the input"),
        (".", "the output must be one too"),
    ],
)
def test_unusable_output_is_refused(folder: Path, output: str, text: str) -> None:
    with pytest.raises(InvalidOutputError, match=text):
        score("late", written(folder, flights(5)), folder / output, actor="cli:test")


def test_folder_with_other_files_is_not_replaced(folder: Path) -> None:
    (folder / "in").mkdir()
    written(folder / "in", flights(5))
    (folder / "out").mkdir()
    (folder / "out" / "precious.txt").write_text("keep me")
    with pytest.raises(InvalidOutputError, match="holds other files"):
        score("late", folder / "in", folder / "out", actor="cli:test")
    with pytest.raises(InvalidOutputError, match="the output must be one too"):
        score("late", folder / "in", folder / "out.csv", actor="cli:test")


def test_mixed_and_unequal_folders_are_refused(folder: Path) -> None:
    (folder / "in").mkdir()
    with pytest.raises(UnreadableTableError, match=r"holds no \.csv and no \.parquet"):
        score("late", folder / "in", folder / "out", actor="cli:test")
    written(folder / "in", flights(5), "a.csv")
    written(folder / "in", flights(5)[["delay"]], "b.csv")
    with pytest.raises(UnreadableTableError, match=r"b.csv has the columns"):
        score("late", folder / "in", folder / "out", actor="cli:test")
    written(folder / "in", flights(5), "c.parquet")
    with pytest.raises(UnreadableTableError, match="holds both formats"):
        score("late", folder / "in", folder / "out", actor="cli:test")


def test_column_named_like_the_output_is_refused_unless_left_out(folder: Path) -> None:
    source = written(folder, flights(5).assign(prediction=1))
    with pytest.raises(InvalidOutputError, match="named like the output's: prediction"):
        score("late", source, folder / "out.csv", actor="cli:test")
    assert score("late", source, folder / "out.csv", only_predictions=True, actor="cli:test").rows == 5


def test_output_another_process_writes_is_refused(folder: Path) -> None:
    source = written(folder, flights(300))
    seen = []

    def report(percent: int, step: str) -> None:
        if not seen:
            seen.append(step)
            with pytest.raises(OutputBusyError, match="another process is writing"):
                score("late", source, folder / "out.csv", actor="cli:test")

    score("late", source, folder / "out.csv", chunk_rows=100, actor="cli:test", report=report)
    assert seen


def test_chunk_rows_out_of_range_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidOutputError, match="chunk rows must be from 1"):
        score("late", written(folder, flights(5)), folder / "out.csv", chunk_rows=0, actor="cli:test")


def test_unknown_model_and_no_production_version_are_refused(folder: Path) -> None:
    register("idle")
    source = written(folder, flights(5))
    with pytest.raises(UnknownModelError):
        score("nobody", source, folder / "out.csv", actor="cli:test")
    with pytest.raises(NoProductionVersionError):
        score("idle", source, folder / "out.csv", actor="cli:test")
