"""Our server without the short edge in front of Django."""

from mlsite.wsgi import django_application as application

__all__ = ["application"]
