"""The predict path for a slow model asked by many at once: their rows are scored by one call."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from predictions import engine
from predictions.actions.predict_plain import Asked, begin, hand_out
from predictions.adapters.gathering import GatheringRuntime
from predictions.adapters.scoring import checked
from predictions.core.caller import Caller
from predictions.core.inputs import Columns
from predictions.core.plain_body import frame_in


class Question(NamedTuple):
    """A body, who asks it, and the request's own id."""

    body: bytes
    caller: Caller
    request_id: str


def is_gathered(model: str | None) -> bool:
    """Tell whether requests to a model are better answered together.

    Parameters
    ----------
    model : str, optional
        The model's name; the default model if None.

    Returns
    -------
    bool
        True for one that is kept in scikit-learn.
    """
    serving = engine.at_hand(model)
    loaded = None if serving is None else serving.production
    return loaded is not None and isinstance(loaded.runtime, GatheringRuntime)


def predict_together(questions: Sequence[Question], *, model: str | None) -> list[bytes | None]:
    """Answer bodies with the version in production, by one call of the model for all of them.

    Parameters
    ----------
    questions : sequence of Question
        JSON texts of predict requests.
    model : str, optional
        The model's name; the default model if None.

    Returns
    -------
    list of bytes or None
        The JSON text of each answer, as `predict_plain` gives it; None, with nothing done, where `predict` must
        decide or say what is wrong.
    """
    answers: list[bytes | None] = [None] * len(questions)
    read = list[tuple[int, Asked, Columns, bytes]]()
    for index, (body, caller, request_id) in enumerate(questions):
        try:
            asked = begin(caller=caller, request_id=request_id, model=model)
            if asked is None:
                continue
            if (scored := asked.loaded.cache.get(body)) is not None:
                asked.loaded.meters.cache_hits.inc()
                answers[index] = hand_out(asked, scored, b"")
                continue
            loaded = asked.loaded
            if (found := frame_in(body, loaded.plan, max_depth=loaded.max_depth)) is not None:
                read.append((index, asked, *found))
        except Exception:  # noqa: BLE001, S112 (`predict` meets the same, and says it)
            continue
    # A version promoted meanwhile answers those that came after.
    for loaded in {id(asked.loaded): asked.loaded for _, asked, _, _ in read}.values():
        if not isinstance(loaded.runtime, GatheringRuntime):
            continue
        ours = [one for one in read if one[1].loaded is loaded]
        started = time.perf_counter()
        said = loaded.runtime.score_all([frame for _, _, frame, _ in ours])
        seconds = time.perf_counter() - started
        for (index, asked, frame, text), scores in zip(ours, said, strict=True):
            if isinstance(scores, Exception):
                continue
            try:
                scored = checked(loaded, frame, scores)
                loaded.cache.put(questions[index].body, scored)
                answers[index] = hand_out(asked, scored, text)
            except Exception:  # noqa: BLE001, S112 (the same)
                continue
            loaded.meters.scoring.observe(seconds)
    return answers
