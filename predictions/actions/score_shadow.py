"""Ask the shadow the same question, beside the answer."""

import logging
import time
from dataclasses import dataclass, replace

from features.ground.ordered_ids import ordered_id
from predictions import metrics
from predictions.actions.log_predictions import log
from predictions.adapters.background import BackgroundQueue, shadow_room
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.core.log_entry import LogEntry
from predictions.errors import PredictionsError

logger = logging.getLogger(__name__)
_told: set[int] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowRequest:
    """The shadow to ask, and the live answer it stands beside."""

    loaded: LoadedVersion
    live: LogEntry


def score_shadow(request: ShadowRequest) -> None:
    """Score the live request's rows with the shadow and log its answer under the same request id.

    Parameters
    ----------
    request : ShadowRequest
        Who is asked, and what was answered live; the rows are as scored there.
    """
    loaded, live = request.loaded, request.live
    started = time.perf_counter()
    try:
        columns = list(live.frame.values())
        rows = [list(row) for row in zip(*(values.tolist() for values in columns), strict=True)]
        records = [dict(zip(live.frame, row, strict=True)) for row in rows]
        wanted = [{name: record.get(name) for name in loaded.plan.names} for record in records]
        scored = score_frame(loaded, loaded.plan.from_records(wanted))
    except Exception as error:  # whatever a shadow does is nobody's fault but its own
        metrics.shadow_errors_total.labels(loaded.model).inc()
        # Once: it may fail as often as it is asked.
        if not isinstance(error, PredictionsError) and loaded.version_id not in _told:
            _told.add(loaded.version_id)
            logger.exception("shadow %s@%s failed", loaded.model, loaded.number)
        return
    log.offer(
        replace(
            live,
            id=ordered_id(),
            version_id=loaded.version_id,
            role="shadow",
            route={"beside": str(live.id)},
            fallback="",
            hidden=loaded.hidden,
            frame=scored.frame,
            predictions=scored.predictions,
            probabilities=scored.probabilities,
            inputs_json=b"",
            outputs_json=b"",
            latency_ms=(time.perf_counter() - started) * 1000,
        )
    )


shadow_queue: BackgroundQueue[ShadowRequest] = BackgroundQueue(score_shadow, shadow_room)


def offer_to_shadow(loaded: LoadedVersion, live: LogEntry) -> None:
    """Let the shadow answer too, later; dropped and counted if too many requests wait for it.

    Parameters
    ----------
    loaded : LoadedVersion
        The shadow.
    live : LogEntry
        The live answer.
    """
    if not shadow_queue.offer(ShadowRequest(loaded=loaded, live=live)):
        metrics.shadow_dropped_total.labels(loaded.model).inc()
