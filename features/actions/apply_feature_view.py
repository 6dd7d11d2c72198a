"""Declare feature views; a changed definition is a new version."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from features.core.capabilities import check_engine
from features.core.changes import Change, changes
from features.core.windows import ViewDefinition, check_columns, parse_view
from features.errors import DefinitionError
from features.ground.audit import record_audit, refusals_audited
from features.models import Dataset, FeatureView


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewPlan:
    """What declaring a view would do.

    Parameters
    ----------
    view : str
        The view's name.
    version : int
        The version that would be live.
    change : str
        new, changed or unchanged.
    added, removed, changed : list of str
        Features that come, go, and are computed otherwise.
    changes : list of Change
        Each thing that differs: features, tests, ttl, entity, with what was before and comes after.
    """

    view: str
    version: int
    change: str
    added: list[str]
    removed: list[str]
    changed: list[str]
    changes: list[Change]


def plan_feature_view(definition: Mapping[str, Any] | ViewDefinition) -> ViewPlan:
    """Tell what `apply_feature_view` would change.

    Parameters
    ----------
    definition : mapping or ViewDefinition
        As for `apply_feature_view`.

    Returns
    -------
    ViewPlan
    """
    view, _ = _checked(definition)
    last = FeatureView.objects.filter(name=view.name).order_by("-version").first()
    same = last is not None and last.definition_digest == view.digest
    found = [] if same else changes(last.definition() if last else None, view)
    features = [change for change in found if change.what == "feature"]
    return ViewPlan(
        view=view.name,
        version=(last.version + (not same)) if last else 1,
        change="unchanged" if same else "changed" if last else "new",
        added=[change.name for change in features if change.before is None],
        removed=[change.name for change in features if change.after is None],
        changed=[change.name for change in features if change.before is not None and change.after is not None],
        changes=found,
    )


@refusals_audited("apply_feature_view", object_type="feature_view", of="definition.name")
def apply_feature_view(definition: Mapping[str, Any] | ViewDefinition, *, actor: str) -> FeatureView:
    """Declare a feature view.

    Parameters
    ----------
    definition : mapping or ViewDefinition
        name, dataset, entity, features (name, column, function, window), and ttl, derived, tests, description, owner
        if wanted.
    actor : str
        Who asks; the owner where the definition names none.

    Returns
    -------
    FeatureView
        The same version again for the same definition, else a new one. Who owns it and what it is for are no part of
        the definition: they change where they stand.

    Raises
    ------
    DefinitionError
        If the definition can't be used on its dataset, or not by the engine that is configured.
    UnknownDatasetError
        If its dataset isn't known.
    """
    view, dataset = _checked(definition)
    with transaction.atomic(durable=True):
        # Lock the dataset: two callers may race for one version number.
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        last = FeatureView.objects.filter(name=view.name).order_by("-version").first()
        if last is not None and last.dataset_id != dataset.pk:
            raise DefinitionError(f"view {view.name!r} is of another dataset; a view stays with its dataset")
        if last is not None and last.definition_digest == view.digest:
            return _described(last, view, actor)
        return _added(last, view, dataset, actor)


def _described(last: FeatureView, view: ViewDefinition, actor: str) -> FeatureView:
    before = {"description": last.description, "owner": last.owner}
    after = {"description": view.description or last.description, "owner": view.owner or last.owner}
    if before != after:
        last.description, last.owner = after["description"], after["owner"]
        last.save(update_fields=["description", "owner"])
        _audit("features.view_described", last, actor, before, after)
    return last


def _added(last: FeatureView | None, view: ViewDefinition, dataset: Dataset, actor: str) -> FeatureView:
    made = FeatureView.objects.create(
        name=view.name,
        version=last.version + 1 if last else 1,
        dataset=dataset,
        entity_columns=list(view.entity),
        aggregations=[asdict(feature) for feature in view.features],
        derived=[asdict(one) for one in view.derived],
        tests=[asdict(test) for test in view.tests],
        ttl_seconds=view.ttl_seconds,
        definition_digest=view.digest,
        description=view.description or (last.description if last else ""),
        owner=view.owner or (last.owner if last else actor),
    )
    before = {"version": last.version, "digest": last.definition_digest} if last else {}
    _audit("features.view_applied", made, actor, before, {"version": made.version, "digest": view.digest})
    return made


def _audit(action: str, view: FeatureView, actor: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    record_audit(
        action=action, object_type="feature_view", object_id=str(view), actor=actor, before=before, after=after
    )


def _checked(definition: Mapping[str, Any] | ViewDefinition) -> tuple[ViewDefinition, Dataset]:
    view = parse_view(definition)
    dataset = Dataset.objects.named(view.dataset)
    if not dataset.timestamp_column:
        raise DefinitionError(f"view {view.name!r} needs times, and dataset {dataset.name!r} has no timestamp column")
    check_columns(view, dataset.dtypes())
    check_engine(view, settings.CONFIG.features.engine)
    return view, dataset
