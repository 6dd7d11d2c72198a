"""Routes of MLflow's scoring server: at the root for the default model, and below /mlflow/ for each."""

from django.urls import path

from predictions import views_mlflow as views

MODEL = "mlflow/<slug:name>"

urlpatterns = [
    path("ping", views.OpenPingView.as_view(), name="mlflow-ping"),
    path("health", views.OpenPingView.as_view(), name="mlflow-health"),
    path("version", views.OpenVersionView.as_view(), name="mlflow-version"),
    path("invocations", views.InvocationsView.as_view(), name="mlflow-invocations"),
    path(f"{MODEL}/ping", views.PingView.as_view(), name="mlflow-model-ping"),
    path(f"{MODEL}/health", views.PingView.as_view(), name="mlflow-model-health"),
    path(f"{MODEL}/version", views.VersionView.as_view(), name="mlflow-model-version"),
    path(f"{MODEL}/invocations", views.InvocationsView.as_view(), name="mlflow-model-invocations"),
]
