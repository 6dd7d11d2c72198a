"""Every route of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from mlsite import signing_in, views
from mlsite.console import lists
from mlsite.login import login

# Each app registers its pages.
admin.autodiscover()

urlpatterns = [
    # First, for routes are tried in turn and this one is asked the most.
    path("api/v1/", include("predictions.urls")),
    path("", views.WelcomeView.as_view(), name="welcome"),
    path("api/v1/health", views.HealthView.as_view(), name="health"),
    path("api/v1/health/live", views.LiveView.as_view(), name="live"),
    path("api/v1/health/ready", views.ReadyView.as_view(), name="ready"),
    path("api/v1/metrics", views.MetricsView.as_view(), name="metrics"),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("apidocs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="apidocs"),
    path("api/v1/", include("features.urls")),
    path("api/v1/", include("models_store.urls")),
    path("api/v1/", include("pipeline.urls")),
    path("", include("predictions.urls_v2")),
    path("", include("predictions.urls_mlflow")),
    path("admin/second-factor/", admin.site.admin_view(signing_in.second_factor), name="console-second-factor"),
    path("admin/export/<slug:table>/", admin.site.admin_view(lists.export), name="console-export"),
    path("admin/filters/<slug:table>/", admin.site.admin_view(lists.keep), name="console-keep-filter"),
    path("admin/login/", login),
    path("admin/", admin.site.urls),
]

handler400 = "mlsite.api.bad_request"
handler403 = "mlsite.api.forbidden"
handler404 = "mlsite.api.not_found"
handler500 = "mlsite.api.server_error"
