"""Routes of the data and features API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
