"""The WSGI application: the lane for the common predict request, Django for everything else."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
django.setup(set_prefix=False)

from django.conf import settings

from mlsite import urls  # noqa: F401 (now, and not while the first client waits)
from mlsite.handler import Handler
from predictions.lane import Application, Lane

django_application = Handler()
application: Application = Lane(django_application)
if settings.CONFIG.tracing.endpoint:
    from mlsite.tracing import TracedApplication

    application = TracedApplication(application)

# What is here now stays for good: collecting garbage need not look through it again and again.
gc.collect()
gc.freeze()
gc.set_threshold(2_000, 10, 10)
