"""A line in the log for each request that took long."""

import logging

import structlog

from features.ground.quick_settings import setting

logger = logging.getLogger(__name__)


def note_slow(method: str, route: str, status: int, seconds: float, *, request_id: str = "") -> None:
    """Write a line if a request took over `logs.slow_request_ms`; the route is named, never what was asked."""
    limit = setting("CONFIG").logs.slow_request_ms
    if not limit or seconds * 1000 < limit:
        return
    bound = {"request_id": request_id} if request_id else {}
    with structlog.contextvars.bound_contextvars(**bound):
        logger.warning("slow request: %s %s answered %s after %.0f ms", method, route, status, seconds * 1000)
