"""Every route of the site."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]

handler400 = "mlsite.api.bad_request"
handler403 = "mlsite.api.forbidden"
handler404 = "mlsite.api.not_found"
handler500 = "mlsite.api.server_error"
