"""One text for the columns that name an entity."""

from collections.abc import Sequence

SEPARATOR = "|"
MAX_KEY = 300


def entity_key(values: Sequence[object]) -> str:
    r"""Return the key of an entity: its one value as text, or several joined by `|`.

    Parameters
    ----------
    values : sequence
        The entity columns' values, in the view's order; `|` and `\` inside a text are escaped where there are several.

    Returns
    -------
    str
    """
    texts = [str(value) for value in values]
    if len(texts) == 1:
        return texts[0]
    return SEPARATOR.join(text.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR) for text in texts)
