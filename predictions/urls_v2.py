"""Routes of the Open Inference Protocol."""

from django.urls import path

from predictions import views_v2 as views

MODEL = "v2/models/<slug:name>"
VERSION = f"{MODEL}/versions/<int:number>"

urlpatterns = [
    path("v2", views.ServerView.as_view(), name="v2"),
    path("v2/", views.SlashedServerView.as_view()),
    path("v2/health/live", views.ServerLiveView.as_view(), name="v2-live"),
    path("v2/health/ready", views.ServerReadyView.as_view(), name="v2-ready"),
    path("v2/repository/index", views.RepositoryView.as_view(), name="v2-repository"),
    path("v2/repository/models/<slug:name>/load", views.ModelControlView.as_view(), name="v2-load"),
    path("v2/repository/models/<slug:name>/unload", views.ModelControlView.as_view(), name="v2-unload"),
    path("v2/models/stats", views.AllStatisticsView.as_view(), name="v2-stats"),
    path(MODEL, views.ModelView.as_view(), name="v2-model"),
    path(f"{MODEL}/ready", views.ModelReadyView.as_view(), name="v2-model-ready"),
    path(f"{MODEL}/config", views.ModelConfigView.as_view(), name="v2-model-config"),
    path(f"{MODEL}/infer", views.InferView.as_view(), name="v2-infer"),
    path(f"{MODEL}/stats", views.StatisticsView.as_view(), name="v2-model-stats"),
    path(VERSION, views.ModelView.as_view(), name="v2-version"),
    path(f"{VERSION}/ready", views.ModelReadyView.as_view(), name="v2-version-ready"),
    path(f"{VERSION}/config", views.ModelConfigView.as_view(), name="v2-version-config"),
    path(f"{VERSION}/infer", views.InferView.as_view(), name="v2-version-infer"),
    path(f"{VERSION}/stats", views.StatisticsView.as_view(), name="v2-version-stats"),
]
