"""Routes of the runs API, and of what starts a run."""

from django.urls import path

from pipeline import views, views_datasets

urlpatterns = [
    path("runs", views.RunsView.as_view(), name="runs"),
    path("runs/<uuid:run_id>", views.RunView.as_view(), name="run"),
    path("datasets/<slug:name>/versions", views_datasets.DatasetVersionsView.as_view(), name="dataset-versions"),
]
