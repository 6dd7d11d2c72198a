"""Which version answers: a split that is stable, can be recomputed, and can't be steered by a client."""

import hashlib

BUCKETS = 10_000


def bucket(unit: str, *, model: str, key: bytes) -> int:
    """Return the bucket of an entity or request, from 0 to 9999.

    Parameters
    ----------
    unit : str
        The entity key, or the request id where there is no entity.
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
        The entity key or request id.
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
