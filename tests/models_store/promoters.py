"""Promoters as processes: one mother that has imported everything, and children that all promote at one shot.

Reads a line for each round, `GENERATION SPEC…`, and answers with a line of what each promoter was told.
"""

import json
import os
import sys

import django

django.setup()

from django.db import connections  # noqa: E402 (the app registry must be ready first)

from features.ground.errors import DomainError  # noqa: E402
from models_store.actions.promote import promote  # noqa: E402


def told(spec: str, seen: int) -> str:
    """Return what one promoter is told."""
    asked = {"target_stage": "production", "reason": "race", "actor": f"user:{spec}"}
    try:
        return promote(spec, **asked, expected_generation=seen).state
    except DomainError as error:
        return error.code


def race(specs: list[str], seen: int) -> list[str]:
    """Let a process for each version promote it, all at one shot."""
    connections.close_all()
    shot, trigger = os.pipe()
    answers = []
    for spec in specs:
        answer, say = os.pipe()
        if os.fork() == 0:
            os.close(trigger)
            os.read(shot, 1)  # ends when the last writer closes: for all at once
            try:
                said = told(spec, seen)
            except BaseException as error:  # noqa: BLE001 (a child must say what befell it, and end)
                said = f"{type(error).__name__}: {error}"
            os.write(say, said.encode()[:4000])
            os._exit(0)
        os.close(say)
        answers.append(answer)
    os.close(shot)
    os.close(trigger)
    found = [b"".join(iter(lambda one=answer: os.read(one, 4096), b"")).decode() for answer in answers]
    for answer in answers:
        os.close(answer)
        os.wait()
    return found


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        seen, *specs = line.split()
        print(json.dumps(race(specs, int(seen))), flush=True)
