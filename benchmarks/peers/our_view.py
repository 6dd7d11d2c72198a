"""Our server without the short edge in front of Django."""

from mlsite.gate import Gate
from mlsite.wsgi import django_application

application = Gate(django_application)
