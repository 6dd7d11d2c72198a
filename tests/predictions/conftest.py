"""Each test of serving begins with nothing loaded, nothing counted and an empty log."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User

from predictions import engine, tokens
from predictions.actions.issue_token import issue_token
from predictions.actions.log_predictions import log
from predictions.actions.score_shadow import shadow_queue
from predictions.adapters import limits

Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return a function that changes settings by dotted name, with __ for the dot."""

    def change(**values: Any) -> None:
        for name, value in values.items():
            section, _, key = name.rpartition("__")
            config = settings.CONFIG
            if section:
                value = getattr(config, section).model_copy(update={key: value})
            changed = config.model_copy(update={section or key: value})
            monkeypatch.setattr(settings, "CONFIG", changed)

    return change


@pytest.fixture
def serving(var_dir: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test a serving process of its own: no model, no count, no log."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    engine.stop()
    shadow_queue.close()
    log.close()
    tokens.verified.clear()
    for counter in limits._counters.values():
        counter.close()
    limits._counters.clear()


@pytest.fixture
def token(serving: None) -> Callable[..., str]:
    """Return a function that makes a token for a user with a role."""

    def make(role: str = "user", name: str = "alice", minutes: int | None = None) -> str:
        user, _ = User.objects.get_or_create(username=name)
        user.groups.set([Group.objects.get(name=role)])
        return issue_token(name, role=role, minutes=minutes, create=False).token

    return make
