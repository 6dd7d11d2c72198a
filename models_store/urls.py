"""Routes of the registry, below /api/v1/."""

from django.urls import path

from models_store import views

urlpatterns = [
    path("models", views.ModelList.as_view(), name="models"),
    path("models/<str:name>", views.ModelDetail.as_view(), name="model"),
    path("models/<str:name>/versions", views.VersionList.as_view(), name="model-versions"),
    path("models/<str:name>/versions/<int:number>", views.VersionDetail.as_view(), name="model-version"),
]
