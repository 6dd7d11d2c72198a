"""Which version answers: a split that is stable, can be recomputed, and can't be steered by a client."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

BUCKETS = 10_000
# By what the split went: the entity that was asked about, or the prediction's own id, which the server makes.
BY_ENTITY, BY_ID = "entity", "id"


def unit_of(entities: Sequence[str], prediction_id: UUID) -> tuple[str, str]:
    """Return what a request is split by: its one entity, or its prediction id; never anything else a client sends.

    Parameters
    ----------
    entities : sequence of str
        Keys that were asked about.
    prediction_id : UUID
        Made by the server, so that a client can't choose it.

    Returns
    -------
    tuple of str and str
        The unit, and `entity` or `id`.
    """
    # Of several entities a client could name one first whose side it knows.
    if entities and entities.count(entities[0]) == len(entities):
        return entities[0], BY_ENTITY
    return str(prediction_id), BY_ID


def bucket(unit: str, *, model: str, key: bytes) -> int:
    """Return the bucket of an entity or request, from 0 to 9999.

    Parameters
    ----------
    unit : str
        The entity key, or the prediction id where there is not one entity.
    model : str
        The model's name, so that two models split apart.
    key : bytes
        A secret of at most 64 bytes; without it nobody can choose a bucket.

    Returns
    -------
    int
        The same for the same unit, model and key.
    """
    text = f"{model}\x00{unit}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, key=key, digest_size=8).digest(), "big") % BUCKETS


def goes_to_canary(unit: str, *, model: str, key: bytes, percent: int) -> bool:
    """Tell whether the canary answers for an entity or request.

    Parameters
    ----------
    unit : str
        The entity key or prediction id.
    model : str
        The model's name.
    key : bytes
        A secret of at most 64 bytes.
    percent : int
        Share of the traffic the canary gets, 0 to 100; a larger share keeps everybody it had.

    Returns
    -------
    bool
        The same for the same arguments.
    """
    return bucket(unit, model=model, key=key) < percent * BUCKETS // 100


def key_name(key: bytes) -> str:
    """Return a short name of a key that says nothing about it, so that a route says by which key it went.

    Parameters
    ----------
    key : bytes
        The secret of the split.

    Returns
    -------
    str
        8 hexadecimal digits.
    """
    return hashlib.blake2b(b"name", key=key, digest_size=4).hexdigest()


def route_fault(
    route: Mapping[str, Any],
    role: str,
    *,
    entities: Sequence[str],
    prediction_id: UUID,
    model: str,
    key: bytes,
    fallback: str = "",
) -> str:
    """Return why a logged route can't be right; empty if it is what the split says.

    Parameters
    ----------
    route : mapping
        As logged: by, bucket, percent, key; empty where no canary was loaded.
    role : str
        As what the version answered.
    entities : sequence of str
        Keys that were asked about.
    prediction_id : UUID
        The prediction's id.
    model : str
        The model's name.
    key : bytes
        The secret of the split.
    fallback : str
        Why production answered where the canary was due, if it did.

    Returns
    -------
    str
        What differs.
    """
    if not route:
        return "" if role != "canary" else "a canary answered, and no split is logged"
    if route.get("key") != key_name(key):
        return "it went by another key than today's"
    unit, by = unit_of(entities, prediction_id)
    found = bucket(unit, model=model, key=key)
    if (by, found) != (route.get("by"), route.get("bucket")):
        return f"bucket {found} by {by} is due, {route.get('bucket')} by {route.get('by')} is logged"
    due = "canary" if found < int(route.get("percent", 0)) * BUCKETS // 100 else "production"
    if fallback and due == "canary":
        due = "production"
    return "" if role == due else f"{due} was due for bucket {found} at {route['percent']} %, {role} answered"
