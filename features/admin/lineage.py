"""What came from what, for the pages of datasets, views, snapshots and model versions."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model, Q, QuerySet

from features.ground.console import list_of, number, page_of
from features.ground.lineage import Lineage, Node
from features.models import Dataset, FeatureSnapshot, FeatureView

LAYERS = ("Dataset", "Feature view", "Snapshot", "Model version")
DATASET, VIEW, SNAPSHOT, VERSION = range(4)
# Of one layer; what is beyond is counted, with a link to the list.
MOST = 6
LOOKED_AT = 50
STAGES = ("production", "canary", "shadow", "candidate")
TITLE = "Lineage"


class Picture:
    """Collects nodes and edges, each once and no more than can be seen."""

    def __init__(self, here: Model) -> None:
        self.here = here
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], None] = {}

    def add(self, layer: int, obj: Model, title: str, note: str, kind: str = "") -> str:
        """Add a thing, if it isn't there."""
        key = key_of(obj)
        kind = "here" if obj == self.here else kind
        self.nodes.setdefault(key, Node(key=key, layer=layer, title=title, note=note, href=page_of(obj), kind=kind))
        return key

    def connect(self, source: Model, target: Model) -> None:
        """Draw an edge, where both ends are there."""
        ends = key_of(source), key_of(target)
        if ends[0] in self.nodes and ends[1] in self.nodes:
            self.edges[ends] = None

    def more(self, layer: int, count: int, address: str) -> None:
        """Say how many more there are."""
        if count > 0:
            key = f"more-{layer}"
            self.nodes[key] = Node(key=key, layer=layer, title=f"and {count:,} more", href=address, kind="more")

    def panel(self) -> Lineage:
        """Return the picture."""
        return Lineage(title=TITLE, wide=True, layers=LAYERS, nodes=tuple(self.nodes.values()), edges=tuple(self.edges))


def key_of(obj: Model) -> str:
    """Return what names an object in the picture."""
    return f"{obj._meta.model_name}-{obj.pk}"


def dataset_lineage(dataset: Dataset) -> Lineage:
    """Return what was made of a dataset."""
    picture = Picture(dataset)
    add_datasets(picture, [dataset])
    views = FeatureView.objects.newest().filter(dataset=dataset)
    add_views(picture, views[:MOST])
    picture.more(VIEW, views.count() - MOST, list_of("features_featureview", dataset__id__exact=dataset.pk))
    made = FeatureSnapshot.objects.filter(Q(dataset_version__dataset=dataset) | Q(sources__dataset=dataset))
    filters = {"dataset_version__dataset__id__exact": dataset.pk}
    add_snapshots(picture, made.distinct(), list_of("features_featuresnapshot", **filters))
    return picture.panel()


def view_lineage(view: FeatureView) -> Lineage:
    """Return what a view is of and what was made with it."""
    picture = Picture(view)
    add_datasets(picture, [view.dataset])
    add_views(picture, [view])
    made = FeatureSnapshot.objects.filter(Q(views=view) | Q(live_in=view)).distinct()
    add_snapshots(picture, made, list_of("features_featuresnapshot", views__id__exact=view.pk))
    return picture.panel()


def snapshot_lineage(snapshot: FeatureSnapshot, *, version: Any = None) -> Lineage:
    """Return what a snapshot was made of and what was trained on it; `version` shows that model version alone."""
    picture = Picture(version or snapshot)
    sources = Q(pk=snapshot.dataset_version.dataset_id) | Q(versions__used_by_snapshots=snapshot)
    add_datasets(picture, Dataset.objects.filter(sources).distinct()[:MOST])
    views = FeatureView.objects.filter(Q(snapshots=snapshot) | Q(live_snapshot=snapshot)).select_related("dataset")
    add_views(picture, views.distinct()[:MOST])
    versions = [version] if version else None
    one = FeatureSnapshot.objects.filter(pk=snapshot.pk)
    add_snapshots(picture, one, list_of("features_featuresnapshot"), versions=versions)
    return picture.panel()


def add_datasets(picture: Picture, datasets: Iterable[Dataset]) -> None:
    """Add datasets."""
    for dataset in datasets:
        newest = dataset.versions.order_by("-number").first()
        note = f"version {newest.number}, {number(newest.rows_total)} rows" if newest else "no rows yet"
        picture.add(DATASET, dataset, dataset.name, note)


def add_views(picture: Picture, views: Iterable[FeatureView]) -> None:
    """Add views, each after its dataset."""
    for view in views:
        count = len(view.aggregations) + len(view.derived)
        picture.add(VIEW, view, str(view), f"{count} feature{'s' if count != 1 else ''}")
        picture.connect(view.dataset, view)


def add_snapshots(
    picture: Picture, found: QuerySet[FeatureSnapshot], rest: str, *, versions: Sequence[Any] | None = None
) -> None:
    """Add the newest snapshots after their views, or their datasets where there is none, and their model versions."""
    shown = list(
        found.select_related("dataset_version__dataset").prefetch_related("views", "live_in", "sources__dataset")[:MOST]
    )
    for snapshot in shown:
        kind = "live" if snapshot.live_in.all() else ""
        words = "online, live" if kind else snapshot.get_kind_display()
        picture.add(SNAPSHOT, snapshot, snapshot.name, f"{words}, {number(snapshot.rows)} rows", kind)
        for view in (*snapshot.views.all(), *snapshot.live_in.all()):
            picture.connect(view, snapshot)
        # A label set's own columns come straight from its dataset.
        if snapshot.kind == FeatureSnapshot.Kind.TRAINING or not snapshot.live_in.all():
            for dataset in {snapshot.dataset_version.dataset, *(source.dataset for source in snapshot.sources.all())}:
                if not any(view.dataset_id == dataset.pk for view in snapshot.views.all()):
                    picture.connect(dataset, snapshot)
    picture.more(SNAPSHOT, found.count() - len(shown), rest)
    add_versions(picture, shown, versions)


def add_versions(picture: Picture, snapshots: Sequence[FeatureSnapshot], versions: Sequence[Any] | None) -> None:
    """Add the model versions trained on snapshots, those that serve first."""
    total, trained = len(versions or ()), list(versions or ())
    if versions is None:
        total = sum(snapshot.model_versions.count() for snapshot in snapshots)
        newest = [snapshot.model_versions.select_related("model").order_by("-pk")[:LOOKED_AT] for snapshot in snapshots]
        trained = [version for found in newest for version in found]
    order = {stage: place for place, stage in enumerate(STAGES)}
    trained.sort(key=lambda version: (order.get(version.stage, len(order)), -version.pk))
    for version in trained[:MOST]:
        picture.add(VERSION, version, str(version), version.stage, version.stage)
        if version.snapshot is not None:
            picture.connect(version.snapshot, version)
    picture.more(VERSION, total - len(trained[:MOST]), list_of("models_store_modelversion"))
