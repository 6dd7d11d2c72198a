import sys

from features.ground.command import plain
from features.ground.progress import shown, silent


def test_each_step_is_one_line_where_there_is_no_terminal(capsys):
    with shown("ingest") as report:
        report(0, "reading")
        report(10, "reading")
        report(50, "writing")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["ingest:   0 % reading", "ingest:  50 % writing"]
    silent(0, "nothing")


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shown("ingest") as report:
        report(100, "writing")
    assert capsys.readouterr().out == ""


def test_plain_forms(tmp_path):
    assert plain(tmp_path) == str(tmp_path)
