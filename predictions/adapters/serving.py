"""Who answers for a model, and what health shows of it."""

from dataclasses import dataclass
from datetime import datetime

from features.ground.errors import bounded
from predictions.adapters.loading import LoadedVersion
from predictions.core.routing import goes_to_canary
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
    error: str = ""

    @property
    def state(self) -> tuple[int, int, int]:
        """Return what tells two states of the registry apart."""
        return self.model_id, self.generation, self.canary_percent

    def pick(self, unit: str) -> tuple[LoadedVersion, str]:
        """Return the version that answers for an entity or request, and as what."""
        if self.canary is not None and goes_to_canary(
            unit, model=self.model, key=self.route_key, percent=self.canary_percent
        ):
            return self.canary, "canary"
        return self.live(), "production"

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
        version=production.number if production else None,
        loaded_at=production.loaded_at if production else None,
        engine=production.engine if production else None,
        generation=serving.generation,
        canary=serving.canary.number if serving.canary else None,
        canary_percent=serving.canary_percent,
        shadow=serving.shadow.number if serving.shadow else None,
        error=serving.error,
    )
