"""Declare feature views; a changed definition is a new version."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from features.core.windows import ViewDefinition, check_columns, parse_view
from features.errors import DefinitionError
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
    added, removed : list of str
        Features that come and go; a changed feature is in both.
    """

    view: str
    version: int
    change: str
    added: list[str]
    removed: list[str]


def plan_feature_view(definition: Mapping[str, Any]) -> ViewPlan:
    """Tell what `apply_feature_view` would change.

    Parameters
    ----------
    definition : mapping
        As for `apply_feature_view`.

    Returns
    -------
    ViewPlan
    """
    view, _ = _checked(definition)
    last = FeatureView.objects.filter(name=view.name).order_by("-version").first()
    before = {feature["name"]: feature for feature in last.aggregations} if last else {}
    after = {feature.name: asdict(feature) for feature in view.features}
    same = last is not None and last.definition_digest == view.digest
    return ViewPlan(
        view=view.name,
        version=(last.version + (not same)) if last else 1,
        change="unchanged" if same else "changed" if last else "new",
        added=[name for name, feature in after.items() if before.get(name) != feature],
        removed=[name for name, feature in before.items() if after.get(name) != feature],
    )


def apply_feature_view(definition: Mapping[str, Any], *, actor: str) -> FeatureView:
    """Declare a feature view.

    Parameters
    ----------
    definition : mapping
        name, dataset, entity, features (name, column, function, window), and ttl, description, owner if wanted.
    actor : str
        Who asks; the owner where the definition names none.

    Returns
    -------
    FeatureView
        The same version again for the same definition, else a new one.

    Raises
    ------
    DefinitionError
        If the definition can't be used on its dataset.
    UnknownDatasetError
        If its dataset isn't known.
    """
    view, dataset = _checked(definition)
    with transaction.atomic(durable=True):
        # Lock the dataset: two callers may race for one version number.
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        last = FeatureView.objects.filter(name=view.name).order_by("-version").first()
        if last is not None and last.definition_digest == view.digest:
            return last
        if last is not None and last.dataset_id != dataset.pk:
            raise DefinitionError(f"view {view.name!r} is of another dataset; a view stays with its dataset")
        return FeatureView.objects.create(
            name=view.name,
            version=last.version + 1 if last else 1,
            dataset=dataset,
            entity_columns=list(view.entity),
            aggregations=[asdict(feature) for feature in view.features],
            ttl_seconds=view.ttl_seconds,
            definition_digest=view.digest,
            description=view.description,
            owner=view.owner or actor,
        )


def _checked(definition: Mapping[str, Any]) -> tuple[ViewDefinition, Dataset]:
    view = parse_view(definition)
    dataset = Dataset.objects.named(view.dataset)
    if not dataset.timestamp_column:
        raise DefinitionError(f"view {view.name!r} needs times, and dataset {dataset.name!r} has no timestamp column")
    check_columns(view, dataset.dtypes())
    return view, dataset
