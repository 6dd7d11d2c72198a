"""Routes of the registry, below /api/v1/."""

from django.urls import path

from models_store import views

urlpatterns = [
    path("models", views.ModelList.as_view(), name="models"),
    path("models/<str:name>", views.ModelDetail.as_view(), name="model"),
    path("models/<str:name>/card", views.EditCard.as_view(), name="edit-card"),
    path("models/<str:name>/experiments", views.Experiments.as_view(), name="experiments"),
    path("models/<str:name>/versions", views.VersionList.as_view(), name="model-versions"),
    path("models/<str:name>/versions/<int:number>", views.VersionDetail.as_view(), name="model-version"),
    path("models/<str:name>/versions/<int:number>/card", views.VersionCard.as_view(), name="version-card"),
    path("models/<str:name>/versions/<int:number>/promote", views.Promote.as_view(), name="promote"),
    path("models/<str:name>/rollback", views.RollBack.as_view(), name="rollback"),
    path("models/<str:name>/rollback/drill", views.DrillRollback.as_view(), name="rollback-drill"),
    path("promotions", views.PromotionList.as_view(), name="promotions"),
    path("promotions/<int:number>", views.PromotionDetail.as_view(), name="promotion"),
    path("promotions/<int:number>/approve", views.Approve.as_view(), name="approve"),
    path("promotions/<int:number>/reject", views.Reject.as_view(), name="reject"),
]
