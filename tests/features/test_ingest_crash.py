"""A writer that dies between its steps leaves nothing that a later one trips over."""

import threading

import pytest

from features.actions import add_version as storing
from features.actions import changes
from features.actions.ingest import ingest
from features.adapters.delta import read_quarantine, read_table
from features.errors import DatasetChangedError
from features.models import Dataset, DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


class DiedError(Exception):
    pass


def dying(*_args, **_kwargs):
    raise DiedError


GOOD = "x\n" + "1\n" * 50


def stored(number: int) -> list[int]:
    version = DatasetVersion.objects.resolve(f"d@{number}")
    return read_table("d", version.delta_version)["x"].to_pylist()


def test_the_same_ingestion_again_completes_what_died_before_its_row(write, monkeypatch):
    path = write("d.csv", GOOD + "bad\n")
    with monkeypatch.context() as patch:
        patch.setattr(storing, "_record", dying)
        with pytest.raises(DiedError):
            ingest("d", [path], actor="test")
    assert not Dataset.objects.exists()
    made = ingest("d", [path], actor="test")
    assert (made.version, made.created) == (1, True)
    assert len(stored(1)) == 50
    assert len(read_quarantine("d", made.fingerprint)) == 1


def test_another_ingestion_does_not_take_over_rows_nobody_names(write, monkeypatch):
    ingest("d", [write("1.csv", GOOD)], actor="test")
    with monkeypatch.context() as patch:
        patch.setattr(storing, "_record", dying)
        with pytest.raises(DiedError):
            ingest("d", [write("2.csv", "x\n2\n2\n")], actor="test")
    ingest("d", [write("3.csv", "x\n3\n")], actor="test")
    assert sorted(set(stored(2))) == [1, 3]
    assert len(stored(1)) == 50
    ingest("d", [write("2.csv", "x\n2\n2\n")], actor="test")
    assert (stored(3).count(2), len(stored(3))) == (2, 53)


def test_death_between_quarantine_and_table_leaves_no_version(write, monkeypatch):
    ingest("d", [write("1.csv", GOOD)], actor="test")
    with monkeypatch.context() as patch:
        patch.setattr(changes, "commit", dying)
        with pytest.raises(DiedError):
            ingest("d", [write("2.csv", GOOD + "bad\n")], actor="test")
    assert DatasetVersion.objects.count() == 1
    assert len(stored(1)) == 50


def test_many_at_once_make_each_version_once(write):
    ingest("d", [write("0.csv", GOOD)], actor="test")
    paths = [write(f"{place}.csv", f"x\n{place}\n") for place in (2, 3, 2, 3)]
    results, errors = [], []

    def run(path):
        from django.db import connection

        try:
            results.append(ingest("d", [path], actor="test"))
        except BaseException as error:  # noqa: BLE001 (a thread's error must reach the test)
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(result.created for result in results) == [False, False, True, True]
    assert len(stored(3)) == 52


def test_a_schema_that_changed_meanwhile_is_a_conflict(write, monkeypatch):
    real = storing.locks.one_writer

    def after_another(name):
        Dataset.objects.create(name=name, schema=[{"name": "y", "dtype": "number"}])
        return real(name)

    monkeypatch.setattr(storing.locks, "one_writer", after_another)
    with pytest.raises(DatasetChangedError, match="changed while the rows were checked"):
        ingest("d", [write("d.csv", GOOD)], actor="test")


def test_the_same_bytes_brought_meanwhile_make_one_version(write, monkeypatch):
    path = write("d.csv", GOOD)
    real = storing.locks.one_writer

    def after_another(name):
        monkeypatch.setattr(storing.locks, "one_writer", real)
        ingest(name, [path], actor="other")
        return real(name)

    monkeypatch.setattr(storing.locks, "one_writer", after_another)
    assert not ingest("d", [path], actor="test").created
    assert DatasetVersion.objects.get().actor == "other"
