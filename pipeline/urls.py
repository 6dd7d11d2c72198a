"""Routes of the runs API."""

from django.urls import path

from pipeline import views

urlpatterns = [
    path("runs", views.RunsView.as_view(), name="runs"),
    path("runs/<uuid:run_id>", views.RunView.as_view(), name="run"),
]
