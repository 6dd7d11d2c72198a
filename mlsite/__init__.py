"""The composition root: settings, URLs, Celery, WSGI, the console."""

__version__ = "0.1.0"
