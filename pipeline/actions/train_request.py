"""What may be asked of a training, and whether it can be done at all; no training library is loaded for it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from django.conf import settings

from features.ground.errors import bounded
from features.models import DatasetVersion, FeatureSnapshot, FeatureView
from models_store.core.spec import checked_name
from models_store.models import RegisteredModel
from pipeline.core.training_columns import Columns, check_slices, group_name, target_name
from pipeline.core.training_errors import InvalidTrainingRequestError, UnknownSnapshotError
from pipeline.core.training_plan import ESTIMATORS, TrainingOptions, TrainingPlan, known_estimator


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest(TrainingOptions):
    """What to train, and how.

    Attributes
    ----------
    model : str
        Name of the registered model; made on first use.
    dataset : str
        `D` or `D@N`: take a snapshot of it. Either this or `snapshot_id`.
    snapshot_id : int or None
        A training snapshot that is there already.
    views : sequence of str
        Feature views to join to the dataset's rows.
    check_reproducible : bool
        Whether to train twice, and register only if both give the same.
    accept, reason : sequence of str, str
        Findings of the leakage check to take responsibility for, and why.
    """

    model: str
    dataset: str = ""
    snapshot_id: int | None = None
    views: Sequence[str] = ()
    check_reproducible: bool = False
    accept: Sequence[str] = ()
    reason: str = ""


def planned(request: TrainRequest) -> TrainingPlan:
    """Return how to train, if that can be done with the data there is.

    Parameters
    ----------
    request : TrainRequest
        What is asked.

    Returns
    -------
    TrainingPlan
        How.

    Raises
    ------
    DomainError
        If a name or an option is wrong; nothing has been written then.
    """
    checked_name(request.model)
    if bool(request.dataset) == (request.snapshot_id is not None):
        raise InvalidTrainingRequestError("train on either a dataset or a snapshot: give one of the two")
    if request.views and not request.dataset:
        raise InvalidTrainingRequestError("a snapshot already holds its views' features; give views with a dataset")
    plan = _plan(request)
    plan.check()
    own = [pair.partition("=")[0] for pair in settings.CONFIG.training.estimators]
    known_estimator(request.estimator, [*ESTIMATORS, *own])
    columns = coming_columns(request) if request.dataset else training_snapshot(request.snapshot_id).columns
    # Before a snapshot is taken, which would be left behind by a refusal.
    target = target_name(columns, request.target)
    check_slices(columns, target, request.slices)
    if request.split == "group":
        group_name(columns, target, request.group)
    return plan


def _plan(request: TrainRequest) -> TrainingPlan:
    task = RegisteredModel.objects.filter(name=request.model).values_list("task", flat=True).first()
    asked = {part.name: getattr(request, part.name) for part in fields(TrainingOptions)}
    return TrainingPlan(**asked, task=task or "")


def training_snapshot(number: int | None) -> FeatureSnapshot:
    """Return a training snapshot.

    Parameters
    ----------
    number : int or None
        Its number.

    Returns
    -------
    FeatureSnapshot
        The snapshot.

    Raises
    ------
    UnknownSnapshotError
        If there is none.
    """
    found = FeatureSnapshot.objects.filter(kind=FeatureSnapshot.Kind.TRAINING, pk=number or 0).first()
    if found is None:
        raise UnknownSnapshotError(
            f"there is no training snapshot {bounded(number)}; `manage.py snapshot` takes one", snapshot=number
        )
    return found


def coming_columns(request: TrainRequest) -> Columns:
    """Return name and role of the columns that a snapshot of the dataset and the views will have.

    Parameters
    ----------
    request : TrainRequest
        Dataset and views.

    Returns
    -------
    sequence of mapping
        In the snapshot's order.
    """
    dataset = DatasetVersion.objects.resolve(request.dataset).dataset
    own = [{"name": column.name, "role": column.role} for column in dataset.columns()]
    views = [FeatureView.objects.resolve(spec) for spec in request.views]
    made = [{"name": name, "role": "feature"} for view in views for name in view.feature_names]
    return [*own, *made]
