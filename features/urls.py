"""Routes of the data and features API."""

from django.urls import path

from features import views

urlpatterns = [
    path("features/online", views.OnlineView.as_view(), name="features-online"),
]
