"""The predict path for a slow model asked by many at once: their rows are scored by one call."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from predictions import engine
from predictions.actions.predict_plain import Asked, begin, hand_out
from predictions.adapters.gathering import GatheringRuntime
from predictions.adapters.runtime import Scores
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
    read = list[_Read]()
    for index, question in enumerate(questions):
        # `predict` meets what is wrong with one again, and says it.
        with suppress(Exception):
            asked = begin(caller=question.caller, request_id=question.request_id, model=model)
            if asked is None:
                continue
            if (scored := asked.loaded.cache.get(question.body)) is not None:
                asked.loaded.meters.cache_hits.inc()
                answers[index] = hand_out(asked, scored, b"")
            elif found := frame_in(question.body, asked.loaded.plan, max_depth=asked.loaded.max_depth):
                read.append(_Read(index, question.body, asked, *found))
    # A version promoted meanwhile answers those that came after.
    for loaded in {id(each.asked.loaded): each.asked.loaded for each in read}.values():
        if isinstance(loaded.runtime, GatheringRuntime):
            for each, scores in _scored([each for each in read if each.asked.loaded is loaded], loaded.runtime):
                with suppress(Exception):
                    scored = checked(loaded, each.frame, scores)
                    loaded.cache.put(each.body, scored)
                    answers[each.place] = hand_out(each.asked, scored, each.text)
    return answers


class _Read(NamedTuple):
    place: int
    body: bytes
    asked: Asked
    frame: Columns
    text: bytes


def _scored(read: Sequence[_Read], runtime: GatheringRuntime) -> Iterator[tuple[_Read, Scores]]:
    """Yield those of a version's questions that it has an answer to."""
    started = time.perf_counter()
    said = runtime.score_all([each.frame for each in read])
    seconds = time.perf_counter() - started
    for each, scores in zip(read, said, strict=True):
        if isinstance(scores, Scores):
            each.asked.loaded.meters.scoring.observe(seconds)
            yield each, scores
