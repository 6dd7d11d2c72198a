"""Routes of serving, below /api/v1/."""

from django.urls import path

from predictions import views

urlpatterns = [
    path("predict", views.PredictView.as_view(), name="predict"),
    path("models/<slug:name>/predict", views.PredictView.as_view(), name="predict-model"),
    path("models/<slug:name>/versions/<int:number>/predict", views.PredictView.as_view(), name="predict-version"),
    path("models/<slug:name>/stages/<slug:stage>/predict", views.PredictStageView.as_view(), name="predict-stage"),
    path("feedback", views.FeedbackView.as_view(), name="feedback"),
    path("token", views.TokenView.as_view(), name="token"),
    path("token/refresh", views.TokenRefreshingView.as_view(), name="token-refresh"),
    path("token/revoke", views.TokenRevokingView.as_view(), name="token-revoke"),
    path("predictions/<uuid:prediction_id>", views.PredictionView.as_view(), name="prediction"),
]
