"""The models this process answers with: loaded beside the old ones, swapped by one reference."""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from features.ground.errors import DomainError, bounded
from models_store.errors import UnknownModelError, UnknownVersionError
from models_store.models import ModelVersion, RegisteredModel, Stage
from predictions import metrics
from predictions.adapters.loading import LoadedVersion, load_version
from predictions.adapters.route_key import route_key
from predictions.adapters.serving import ModelStatus, Serving, status_of
from predictions.errors import AmbiguousModelError, ModelLoadError, ModelNotReadyError
from predictions.noted import count_noted

logger = logging.getLogger(__name__)
LIVE = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW)
PINNED_KEPT = 8
# After the quick retries a broken version is tried at this pace, so that a restored file needs no restart.
SLOW_RETRY_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    model: str
    attempts: int
    next_at: float
    error: str


class Engine:
    """The loaded models of one process; reading takes no lock and asks no database."""

    def __init__(self) -> None:
        self._table: Mapping[str, Serving] = {}
        self._default = ""
        self._asked: dict[str, float] = {}
        self._pinned: OrderedDict[tuple[str, int], LoadedVersion] = OrderedDict()
        self._failures: dict[int, _Failure] = {}
        self._polling = False
        self._forget_process()
        os.register_at_fork(after_in_child=self._forget_process)

    def _forget_process(self) -> None:
        """Begin anew in a forked child: threads don't survive a fork, loaded models do."""
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ready = False

    def serving(self, name: str | None = None) -> Serving:
        """Return who answers for a model; for the default one if none is named."""
        if not self._ready:
            self._first()
        key = name or self._default
        found = self._table.get(key)
        if found is None:
            raise self._unknown(name)
        self._asked[key] = time.monotonic()
        return found if found.asleep is None else self._wake(key)

    def at_hand(self, name: str | None) -> Serving | None:
        """Return who answers for a model if nothing has to be loaded for it."""
        found = self._table.get(name or self._default) if self._ready else None
        return found if found is not None and found.asleep is None else None

    def _wake(self, name: str) -> Serving:
        """Load a model that was let go, and let go of others for it."""
        with self._lock:
            found = self._table.get(name)
            if found is not None and found.asleep is not None:
                row = RegisteredModel.objects.only("name", "generation", "canary_percent", "policy").get(name=name)
                table = {**self._table, name: self._build(row, found.callers, None)}
                self._table = self._within_bound(table, keep=name)
            return self._table[name]

    def _within_bound(self, table: dict[str, Serving], keep: str = "") -> dict[str, Serving]:
        """Let go of what was asked longest ago until the rest fits; versions asked by number go first."""
        room = settings.CONFIG.model.max_memory_mb * 1_048_576
        pinned = sum(loaded.size_bytes for loaded in self._pinned.values())
        sizes = {name: sum(loaded.size_bytes for loaded in serving.loaded) for name, serving in table.items()}
        while room and self._pinned and pinned + sum(sizes.values()) > room:
            pinned -= self._pinned.popitem(last=False)[1].size_bytes
        for name in sorted(sizes, key=lambda name: self._asked.get(name, 0.0)):
            if not room or sum(sizes.values()) <= room:
                break
            serving = table[name]
            if name != keep and serving.production is not None:
                number = serving.production.number
                table[name] = replace(serving, production=None, canary=None, shadow=None, asleep=number)
                sizes[name] = 0
        return table

    def version(self, name: str, number: int) -> LoadedVersion:
        """Return one version by number, loading it if it is not in memory."""
        if not self._ready:
            self._first()
        # Not by `serving`: a process that does not poll may not know a new model yet.
        serving = self._table.get(name)
        live = serving.loaded if serving else []
        for loaded in [*live, self._pinned.get((name, number))]:
            if loaded is not None and loaded.number == number:
                return loaded
        with self._lock:
            row = ModelVersion.objects.select_related("model", "snapshot").filter(model__name=name, number=number)
            if (version := row.first()) is None:
                if not RegisteredModel.objects.filter(name=name).exists():
                    raise self._unknown(name)
                raise UnknownVersionError(f"{name} has no version {number}", model=name, version=number)
            try:
                self._pinned[name, number] = loaded = load_version(version)
            except (DomainError, OSError) as error:
                raise ModelLoadError(f"{name}@{number} can't be loaded: {error}", model=name) from error
            while len(self._pinned) > PINNED_KEPT:
                self._pinned.popitem(last=False)
            self._table = self._within_bound(dict(self._table))
            return loaded

    def refresh(self) -> None:
        """Compare generations and load what changed; what can't be loaded leaves the old version answering."""
        with self._lock:
            table = dict(self._table)
            rows = list(RegisteredModel.objects.only("name", "generation", "canary_percent", "policy"))
            for gone in table.keys() - {row.name for row in rows}:
                del table[gone]
            for row in rows:
                old, callers = table.get(row.name), tuple(row.policy.get("callers", ()))
                state = (row.pk, row.generation, row.canary_percent, callers)
                if old is None or old.state != state or self._due(row.name):
                    table[row.name] = self._build(row, callers, old)
                    table = self._within_bound(table, keep=row.name)
            self._table = table
            self._default = self._choose_default(table)
            self._ready = True

    def start(self) -> None:
        """Follow the registry from a thread of this process."""
        self._polling = True
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, name="engine-poll", daemon=True)
                self._thread.start()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the registry while the block lasts; a process that serves does so anyway."""
        if self._polling:
            yield
            return
        self.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """End the thread and forget what is loaded; the next question loads it anew."""
        self._polling = False
        thread = self._thread
        self._stop.set()
        if thread is not None:
            thread.join(timeout=10)
        self._table, self._failures, self._asked = {}, {}, {}
        self._pinned.clear()
        self._forget_process()

    def status(self) -> list[ModelStatus]:
        """Return what is loaded, by model, the default one first."""
        if not self._ready:
            self._first()
        found = sorted(self._table.values(), key=lambda serving: (serving.model != self._default, serving.model))
        return [status_of(serving) for serving in found]

    def _first(self) -> None:
        try:
            self.refresh()
        except DatabaseError as error:
            raise ModelNotReadyError(f"the registry can't be read: {bounded(str(error), 120)}") from error
        if self._polling:
            self.start()

    def _poll(self) -> None:
        stop, is_away = self._stop, False
        while True:
            close_old_connections()
            try:
                count_noted()
                self.refresh()
                is_away = False
            except DatabaseError as error:
                if not is_away:
                    logger.warning("the registry can't be read; the loaded versions keep answering: %s", error)
                is_away = True
            except Exception:  # the loop must outlive one bad round
                logger.exception("refreshing the served models failed")
            if stop.wait(settings.CONFIG.model.poll_seconds):
                break
        connection.close()

    def _build(self, model: RegisteredModel, callers: tuple[str, ...], old: Serving | None) -> Serving:
        pk, name = model.pk, model.name
        wanted = {
            version.stage: version
            for version in ModelVersion.objects.filter(model=pk, stage__in=LIVE).select_related("model", "snapshot")
        }
        self._forget_failures(name, {row.pk for row in wanted.values()})
        kept = {version.version_id: version for version in old.loaded} if old else {}
        loaded = {stage: kept.get(row.pk) or self._load(row) for stage, row in wanted.items()}
        errors = [f"{row}: {self._failures[row.pk].error}" for stage, row in wanted.items() if loaded[stage] is None]
        serving = Serving(
            model=name,
            model_id=pk,
            generation=model.generation,
            canary_percent=model.canary_percent,
            callers=callers,
            route_key=route_key(),
            production=loaded.get(Stage.PRODUCTION),
            canary=loaded.get(Stage.CANARY),
            shadow=loaded.get(Stage.SHADOW),
            error=bounded("; ".join(errors), 400),
        )
        if Stage.PRODUCTION in wanted and serving.production is None and old is not None:
            return replace(serving, production=old.production)
        return serving

    def _load(self, version: ModelVersion) -> LoadedVersion | None:
        failure = self._failures.get(version.pk)
        if failure is not None and time.monotonic() < failure.next_at:
            return None
        try:
            loaded = load_version(version)
        except Exception as error:  # whatever a model file does, the version before it keeps answering
            expected = isinstance(error, DomainError | OSError)
            logger.warning("%s can't be loaded: %s", version, error, exc_info=not expected)
            self._failed(version, error)
            return None
        self._failures.pop(version.pk, None)
        return loaded

    def _forget_failures(self, model: str, wanted: set[int]) -> None:
        stale = [pk for pk, failure in self._failures.items() if failure.model == model and pk not in wanted]
        for pk in stale:
            del self._failures[pk]

    def _failed(self, version: ModelVersion, error: Exception) -> None:
        config, before = settings.CONFIG.model, self._failures.get(version.pk)
        attempts = before.attempts + 1 if before else 1
        # The first retry comes after the delay, each further one after twice the time.
        soon = config.retry_delay * 2 ** (attempts - 1)
        delay = soon if attempts <= config.retries else max(SLOW_RETRY_S, soon)
        metrics.model_load_failures_total.labels(version.model.name).inc()
        self._failures[version.pk] = _Failure(
            model=version.model.name,
            attempts=attempts,
            next_at=time.monotonic() + delay,
            error=bounded(str(error), 300),
        )

    def _due(self, model: str) -> bool:
        now = time.monotonic()
        return any(failure.model == model and failure.next_at <= now for failure in self._failures.values())

    def _choose_default(self, table: Mapping[str, Serving]) -> str:
        live = [name for name, found in table.items() if found.production or found.asleep or found.error]
        return settings.CONFIG.model.default or (live[0] if len(live) == 1 else "")

    def _unknown(self, name: str | None) -> DomainError:
        if name or self._default:
            return UnknownModelError(
                f"no model is named {bounded(name or self._default, 100)}", model=bounded(name or self._default, 100)
            )
        live = sorted(name for name, serving in self._table.items() if serving.production is not None)
        if live:
            return AmbiguousModelError(
                f"several models are in production: name one of {bounded(', '.join(live), 200)} in the path, "
                "or set model.default",
                models=live[:20],
            )
        return ModelNotReadyError("no model has a production version; promote one first")


_engine = Engine()
serving = _engine.serving
at_hand = _engine.at_hand
version = _engine.version
refresh = _engine.refresh
start = _engine.start
followed = _engine.followed
stop = _engine.stop
status = _engine.status
