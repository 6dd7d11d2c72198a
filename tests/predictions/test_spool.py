"""Answers that find no room in memory, or no database, wait on disk and come back whole."""

import pytest

from predictions.actions.log_predictions import flush_log, log
from predictions.adapters.spool import Spool, segments
from predictions.errors import LogUnavailableError
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.test_log import ask, count, entry, shed
from tests.predictions.tiny import register, staged


def test_a_full_buffer_goes_to_disk_and_comes_back(serving: None, configure: Configure) -> None:
    configure(prediction_log__buffer_rows=3, prediction_log__flush_seconds=1000.0)
    version, before = register(), shed()
    # The writer is at a batch before.
    with log._flushing:
        assert [log.offer(entry(version.pk, rows)) for rows in (2, 1, 1)] == [True, True, True]
        assert (len(log), len(segments())) == (2, 1)
    log.close()
    assert (len(log), segments(), shed()) == (0, [], before)
    assert Prediction.objects.count() == 3


def test_without_room_anywhere_it_sheds_and_counts(
    serving: None, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(prediction_log__buffer_rows=1, prediction_log__flush_seconds=1000.0, prediction_log__spool_mb=0)
    before = shed()
    with log._flushing:
        assert [log.offer(entry(register().pk)), log.offer(entry())] == [True, False]
    assert shed() == before + 1


def test_a_durable_log_refuses_what_it_can_not_keep(serving: None, configure: Configure) -> None:
    configure(prediction_log__durable=True, prediction_log__spool_mb=0)
    staged()
    with pytest.raises(LogUnavailableError, match="no answer may be given unrecorded"):
        ask()


def test_a_durable_answer_can_be_read_at_once(serving: None, configure: Configure) -> None:
    configure(prediction_log__durable=True, prediction_log__flush_seconds=1000.0)
    staged()
    answer = ask()
    assert not Prediction.objects.exists()
    flush_log()
    assert Prediction.objects.get().pk == answer.prediction_id


def test_damaged_lines_on_disk_cost_no_other(serving: None, configure: Configure) -> None:
    version = register()
    spool = Spool()
    assert spool.append([entry(version.pk).row(), entry(version.pk).row()], sync=True)
    path = segments()[0]
    spool.seal()
    path.write_bytes(b'{"not": "a row"}\n' + path.read_bytes() + b'["cut')
    log.flush()
    assert log._flush_quietly()
    assert Prediction.objects.count() == 2
    assert segments() == []


def test_a_row_on_disk_the_database_never_takes_is_counted(serving: None) -> None:
    version, before = register(), count("refused")
    spool = Spool()
    assert spool.append([entry(version.pk).row(), entry(987_654).row(), entry(version.pk).row()], sync=False)
    spool.seal()
    assert log._flush_quietly()
    assert count("refused") == before + 1
    assert (Prediction.objects.count(), segments()) == (2, [])


def test_the_segment_of_a_living_process_is_left_alone(serving: None) -> None:
    spool, other = Spool(), Spool()
    assert spool.append([entry(register().pk).row()], sync=False)
    assert other.restore(lambda rows: pytest.fail("it belongs to another")) == 0
    spool.seal()
    assert other.restore(lambda rows: None) == 1
