"""The WSGI application: the lane for the common predict request, Django for everything else."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
django_application = get_wsgi_application()

from mlsite import urls  # noqa: F401 (now, and not while the first client waits)
from predictions.lane import Lane

application = Lane(django_application)
