"""CSV: rows under a header, in and out."""

import csv
import io
from typing import Any

from features.ground.errors import bounded
from predictions.core.answer import PredictAnswer
from predictions.core.tables import Table
from predictions.errors import InvalidRequestError


def parse_csv(body: bytes, *, lenient: bool) -> Table:
    """Return the rows of a CSV text with a header, comma-separated, UTF-8.

    Parameters
    ----------
    body : bytes
        The text; a byte order mark is allowed.
    lenient : bool
        Whether it is read as a data frame, see `Table`.

    Returns
    -------
    Table
        Cells as text, the empty one missing; the model's schema says which are numbers.

    Raises
    ------
    InvalidRequestError
        If it is no such text, or a row has another number of cells than the header.
    """
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"the body is not UTF-8 at byte {error.start}", byte=error.start) from None
    except csv.Error as error:
        raise InvalidRequestError(f"the body is not CSV: {bounded(str(error), 100)}") from None
    rows = [line for line in lines if line]
    if not rows:
        raise InvalidRequestError("the body is empty; send a header and rows")
    names = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:]):
        if len(row) != len(names):
            raise InvalidRequestError(f"row {number} has {len(row)} cells; the header names {len(names)}", row=number)
    columns: list[Any] = [list(cells) for cells in zip(*rows[1:], strict=True)] or [[] for _ in names]
    return Table(names=names, columns=columns, lenient=lenient, are_texts=True)


def csv_answer(answer: PredictAnswer) -> bytes:
    """Return an answer as CSV: the prediction, and a column of shares for each class.

    Parameters
    ----------
    answer : PredictAnswer
        What the model said.

    Returns
    -------
    bytes
        A header and one line per row, UTF-8.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shares = answer.probabilities
    writer.writerow(["prediction", *(f"probability_{label}" for label in answer.classes if shares is not None)])
    for row, prediction in enumerate(answer.predictions):
        writer.writerow([prediction, *(shares[row] if shares is not None else ())])
    return text.getvalue().encode()
