"""What was seen of each column when a contract was inferred, for the person who is to approve it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from features.core.infer import TOLERATED_SHARE, ColumnGuess
from features.core.profile import ColumnSummary

# A name that often stands for something about a person: its values are not shown before somebody has looked.
PERSONAL = re.compile(
    r"e-?mail|phone|mobile|ssn|social.?sec|passport|birth|dob$|(first|last|full|sur|maiden).?name|address|iban|"
    r"credit.?card|^ip$|ip.?addr",
    re.IGNORECASE,
)


def inference_report(guesses: Sequence[ColumnGuess]) -> dict[str, Any]:
    """Return what each column's dtype was inferred from.

    Parameters
    ----------
    guesses : sequence of ColumnGuess
        What was counted.

    Returns
    -------
    dict
        rows, and columns: name, dtype, missing, fits (values by candidate dtype), why, looks_personal.
    """
    return {"rows": max((guess.rows for guess in guesses), default=0), "columns": [_column(guess) for guess in guesses]}


def _column(guess: ColumnGuess) -> dict[str, Any]:
    chosen = guess.column().dtype
    fits: dict[str, int] = {dtype: max(guess.present - misfits, 0) for dtype, misfits in guess.misfits.items()}
    return {
        "name": guess.name,
        "dtype": chosen,
        "missing": guess.rows - guess.present,
        "fits": fits,
        "why": _why(guess.present, chosen, fits),
        "looks_personal": PERSONAL.search(guess.name) is not None,
    }


def _why(present: int, chosen: str, fits: Mapping[str, int]) -> str:
    if not present:
        return "no value is there, so anything may be said of it: text"
    if chosen in fits:
        wrong = present - fits[chosen]
        rest = f"; the other {wrong} are faults" if wrong else ""
        return f"{fits[chosen]} of {present} values are of dtype {chosen}{rest}"
    best = max(fits, key=lambda dtype: fits[dtype])
    if not fits[best]:
        return f"none of {present} values is of another dtype"
    return (
        f"no other dtype fits: of {present} values {fits[best]} are of dtype {best}, "
        f"and at least {1 - TOLERATED_SHARE:.0%} would have to be"
    )


def with_examples(
    report: Mapping[str, Any],
    summaries: Sequence[ColumnSummary],
    examples: Mapping[str, Sequence[str]],
    hidden: Sequence[str],
) -> dict[str, Any]:
    """Return the report together with what the valid rows hold.

    Parameters
    ----------
    report : mapping
        As `inference_report` returns it.
    summaries : sequence of ColumnSummary
        Profiles of the columns.
    examples : mapping of str to sequence of str
        Some values of each column.
    hidden : sequence of str
        Columns about persons.

    Returns
    -------
    dict
        The same, with distinct and examples for each column; none of columns that are or seem to be about persons.
    """
    distinct = {summary.column: summary.distinct for summary in summaries}

    def told(column: Mapping[str, Any]) -> dict[str, Any]:
        name = column["name"]
        shown = [] if column["looks_personal"] or name in hidden else list(examples.get(name, ()))
        return {**column, "distinct": distinct.get(name), "examples": shown}

    return {**report, "columns": [told(column) for column in report["columns"]]}
