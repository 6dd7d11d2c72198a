"""Cells of a CSV file that a spreadsheet takes for what they are, and not for formulas."""

import re

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
QUOTE = "'"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet computes.

    Parameters
    ----------
    text : str
        As it is.

    Returns
    -------
    str
        With a quote before it where it could be a formula, or starts with a quote itself; a number stays as it is.
    """
    if not text.startswith((*STARTS, QUOTE)) or NUMBER.fullmatch(text):
        return text
    return QUOTE + text


def plain_cell(text: str) -> str:
    """Return the text that `safe_cell` was given.

    Parameters
    ----------
    text : str
        As it stands in the file.

    Returns
    -------
    str
        Without the quote that made it safe.
    """
    return text[1:] if text.startswith(QUOTE) and text[1:].startswith((*STARTS, QUOTE)) else text
