"""Files and functions stay small enough to read at once."""

from tests.house.source import APPS, functions, name, python_files

MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 50


def test_no_file_is_long():
    files = python_files(*APPS, "tests", "benchmarks")
    lengths = {name(file): len(file.read_text().splitlines()) for file in files}
    assert {file: lines for file, lines in lengths.items() if lines > MOST_FILE_LINES} == {}


def test_no_function_is_long():
    long = {
        f"{name(file)}:{node.name}": lines
        for file in python_files(*APPS, "benchmarks")
        for node in functions(file)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert long == {}
