"""Keep and drop the filters a person comes back to."""

from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.db import transaction

from features.ground.errors import bounded
from mlsite.errors import BadSavedFilterError
from mlsite.models import SavedFilter

MOST = 30
MAX_NAME = 60
MAX_QUERY = 2000
# Which page of the list it was, and that it was a window of its own, say nothing about the rows.
LEFT_OUT = {"p", "all", "e", "_popup", "_to_field"}


def save_filter(user_id: int, table: str, *, name: str, query: str) -> SavedFilter:
    """Keep a list's search and filters under a name; the same name again replaces it.

    Parameters
    ----------
    user_id : int
        Whose it is.
    table, name, query : str
        The list; 1 to 60 characters; what follows the ? in the list's address.

    Returns
    -------
    SavedFilter
        As kept.

    Raises
    ------
    BadSavedFilterError
        If the name is none, there is nothing to keep, or there are 30 for this list already.
    """
    kept = urlencode([pair for pair in parse_qsl(query.lstrip("?")) if pair[0] not in LEFT_OUT])
    words = " ".join(name.split())
    if not 0 < len(words) <= MAX_NAME or "\x00" in words:
        raise BadSavedFilterError(f"a name of 1 to {MAX_NAME} characters is needed, got {bounded(name)!r}")
    if not 0 < len(kept) <= MAX_QUERY:
        raise BadSavedFilterError(
            f"search or filter the list first: 1 to {MAX_QUERY} characters of its address are kept, got {len(kept)}"
        )
    with transaction.atomic(durable=True):
        # Lock the owner: two windows may save the last one that fits.
        User.objects.select_for_update().get(pk=user_id)
        mine = SavedFilter.objects.filter(user_id=user_id, table=table)
        if mine.exclude(name=words).count() >= MOST:
            raise BadSavedFilterError(f"at most {MOST} filters are kept for a list: drop one first")
        found, _ = SavedFilter.objects.update_or_create(
            user_id=user_id, table=table, name=words, defaults={"query": kept}
        )
    return found


def drop_filter(user_id: int, table: str, *, name: str) -> bool:
    """Drop a filter; nobody else's is ever touched.

    Parameters
    ----------
    user_id : int
        Whose it is.
    table, name : str
        The list, and the filter's name.

    Returns
    -------
    bool
        Whether there was one.
    """
    with transaction.atomic(durable=True):
        dropped, _ = SavedFilter.objects.filter(user_id=user_id, table=table, name=name).delete()
    return bool(dropped)
