"""Routes of the data and features API, below /api/v1/.

The list of a dataset's versions takes uploads too, which are jobs: its route is the pipeline's.
"""

from django.urls import path

from features.views import datasets as views
from features.views.online import OnlineView

urlpatterns = [
    path("datasets", views.DatasetList.as_view(), name="datasets"),
    path("datasets/<slug:name>", views.DatasetDetail.as_view(), name="dataset"),
    path("datasets/<slug:name>/versions/<int:number>", views.DatasetVersionDetail.as_view(), name="dataset-version"),
    path("datasets/<slug:name>/quarantine", views.QuarantineList.as_view(), name="dataset-quarantine"),
    path("views", views.ViewList.as_view(), name="views"),
    path("views/<slug:name>", views.ViewDetail.as_view(), name="view"),
    path("snapshots", views.SnapshotList.as_view(), name="snapshots"),
    path("snapshots/<int:snapshot_id>", views.SnapshotDetail.as_view(), name="snapshot"),
    path("features/online", OnlineView.as_view(), name="features-online"),
]
