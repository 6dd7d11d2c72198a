"""Who answers for a model, and what health shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from features.ground.errors import bounded
from predictions.adapters.loading import LoadedVersion
from predictions.core.routing import BUCKETS, bucket, key_name, unit_of
from predictions.errors import ModelNotReadyError, StageEmptyError


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """Who answers for one model."""

    model: str
    model_id: int
    generation: int
    canary_percent: int
    route_key: bytes
    production: LoadedVersion | None = None
    canary: LoadedVersion | None = None
    shadow: LoadedVersion | None = None
    callers: tuple[str, ...] = ()
    # The production version of a model nobody asked for long, let go to make room; the next question loads it.
    asleep: int | None = None
    error: str = ""

    @property
    def state(self) -> tuple[int, int, int, tuple[str, ...]]:
        """Return what tells two states of the registry apart."""
        return self.model_id, self.generation, self.canary_percent, self.callers

    @property
    def loaded(self) -> list[LoadedVersion]:
        """Return the versions in memory."""
        return [version for version in (self.production, self.canary, self.shadow) if version is not None]

    def pick(self, entities: Sequence[str], prediction_id: UUID) -> tuple[LoadedVersion, str, Mapping[str, Any]]:
        """Return the version that answers for an entity or prediction, as what, and why."""
        route: Mapping[str, Any] = {}
        if self.canary is not None:
            unit, by = unit_of(entities, prediction_id)
            found = bucket(unit, model=self.model, key=self.route_key)
            route = {"by": by, "bucket": found, "percent": self.canary_percent, "key": key_name(self.route_key)}
            if found < self.canary_percent * BUCKETS // 100:
                return self.canary, "canary", route
        return self.live(), "production", route

    def holder(self, stage: str) -> LoadedVersion:
        """Return the version that holds a stage."""
        held = {"production": self.production, "canary": self.canary, "shadow": self.shadow}
        if (found := held.get(stage)) is None:
            raise StageEmptyError(
                f"no version of {self.model} is loaded as {bounded(stage, 40)}; ask {', '.join(held)}, or a version",
                model=self.model,
                loaded=[name for name, version in held.items() if version],
            )
        return found

    def live(self) -> LoadedVersion:
        """Return the production version."""
        if self.production is None:
            why = f": {self.error}" if self.error else "; promote a version first"
            raise ModelNotReadyError(f"no production version of {self.model} is loaded{why}", model=self.model)
        return self.production


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelStatus:
    """What health shows of one model."""

    name: str
    version: int | None
    loaded_at: datetime | None
    engine: str | None
    generation: int
    canary: int | None
    canary_percent: int
    shadow: int | None
    error: str


def status_of(serving: Serving) -> ModelStatus:
    """Return what health shows of a model."""
    production = serving.production
    return ModelStatus(
        name=serving.model,
        version=production.number if production else serving.asleep,
        loaded_at=production.loaded_at if production else None,
        engine=production.engine if production else None,
        generation=serving.generation,
        canary=serving.canary.number if serving.canary else None,
        canary_percent=serving.canary_percent,
        shadow=serving.shadow.number if serving.shadow else None,
        error=serving.error,
    )
