"""Django's settings, derived from the typed configuration in mlsite/config."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy

from mlsite import __version__, config
from mlsite.config.load import EXIT_CONFIG
from mlsite.logs import logging_config
from mlsite.secrets import dev_secret

# Before scikit-learn is imported. Its threads wait for each other by spinning, which costs a busy machine seven times
# the work: gradient boosting on 245,000 rows took 143 s beside other processes, and 16 s with sleeping threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    CONFIG = config.load()
except config.ConfigError as error:
    print(f"configuration refused:\n{error}", file=sys.stderr)
    raise SystemExit(EXIT_CONFIG) from error

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = CONFIG.var_dir.resolve()
try:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    print(f"configuration refused:\nvar_dir (VAR_DIR): can't make {VAR_DIR} ({error.strerror})", file=sys.stderr)
    raise SystemExit(EXIT_CONFIG) from error
DEV = CONFIG.app_env == "dev"
VERSION = __version__

SECRET_KEY = CONFIG.security.secret_key.get_secret_value() or dev_secret(VAR_DIR, "secret_key")
JWT_SECRET = CONFIG.security.jwt_secret.get_secret_value() or dev_secret(VAR_DIR, "jwt_secret")
DEBUG = CONFIG.debug
ALLOWED_HOSTS = CONFIG.server.allowed_hosts

INSTALLED_APPS = [
    "mlsite",
    "unfold",
    "unfold.contrib.filters",
    "mlsite.admin_pages.AdminPagesConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_prometheus",
    "features",
    "models_store",
    "predictions",
    "pipeline",
]

# These only add headers; the lane learns from them what they add.
HEADER_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mlsite.middleware.PolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = [
    "mlsite.middleware.RequestIdMiddleware",
    "mlsite.middleware.MetricsMiddleware",
    "mlsite.middleware.RateLimitHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mlsite.middleware.PolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mlsite.middleware.BodyLimitMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Steps over those that follow, where a program asks.
    "mlsite.middleware.CookielessMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mlsite.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mlsite.urls"
WSGI_APPLICATION = "mlsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database() -> dict[str, Any]:
    url = CONFIG.database.url.get_secret_value() or f"sqlite:///{VAR_DIR / 'db.sqlite3'}"
    options: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=CONFIG.database.conn_max_age_s))
    if options["ENGINE"].endswith("sqlite3"):
        options["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": CONFIG.database.busy_timeout_s,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        }
        # A file beside the main one, so that tests use several connections as users do.
        options["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    else:
        options["CONN_HEALTH_CHECKS"] = True
        options.setdefault("OPTIONS", {}).update(_postgresql_options())
    return options


def _postgresql_options() -> dict[str, Any]:
    """Return how long a connection waits; jobs and commands may work for as long as they need."""
    database = CONFIG.database
    waits: dict[str, Any] = {
        "connect_timeout": database.connect_timeout_s,
        # A machine that is gone says nothing; the system would wait for it for a quarter of an hour.
        "tcp_user_timeout": database.connect_timeout_s * 1000,
    }
    if os.environ.get("PROCESS_ROLE") == "web":
        limits = {"statement_timeout": database.statement_timeout_s, "lock_timeout": database.lock_timeout_s}
        waits["options"] = " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in limits.items())
    return waits


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SILENCED_SYSTEM_CHECKS = ["security.W008"]  # a redirect to TLS; see SECURE_SSL_REDIRECT
REDIS_URL = CONFIG.redis.url.get_secret_value()
CACHES: dict[str, Any]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {
                "SOCKET_TIMEOUT": CONFIG.redis.socket_timeout_s,
                "SOCKET_CONNECT_TIMEOUT": CONFIG.redis.socket_timeout_s,
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    # django_ratelimit.E003 wants a shared cache; the embedded default is one process on one machine.
    SILENCED_SYSTEM_CHECKS += ["django_ratelimit.E003", "django_ratelimit.W001"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["predictions.tokens.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["features.ground.roles.RoleRequired"],
    # It counts for views that name a scope.
    "DEFAULT_THROTTLE_CLASSES": ["predictions.throttles.PrincipalThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["predictions.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "mlsite.openapi.ApiSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "mlsite.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # Answers are JSON: `?format=` says what an uploaded file holds.
    "URL_FORMAT_OVERRIDE": None,
}
SIMPLE_JWT = {
    "ALGORITHM": CONFIG.security.jwt_algorithm,
    "SIGNING_KEY": JWT_SECRET,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=CONFIG.security.token_expire_minutes),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=CONFIG.security.refresh_expire_days),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "ISSUER": CONFIG.security.jwt_issuer,
    "AUDIENCE": CONFIG.security.jwt_audience,
    "LEEWAY": 0,
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Model life-cycle API",
    "DESCRIPTION": "Predictions, outcomes and the registry. Authorize with a token from /api/v1/token.",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # What a request may not leave blank an answer may: so each has a shape of its own.
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    # Runs and snapshots each have kinds.
    "ENUM_NAME_OVERRIDES": {"SnapshotKindEnum": "features.models.FeatureSnapshot.Kind"},
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["mlsite.formats"]
STATIC_URL = "static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Served from the packages themselves, so that no collectstatic step stands between a clone and a working page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = VAR_DIR / "uploads"

CSRF_FAILURE_VIEW = "mlsite.api.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
TLS = CONFIG.server.secure or bool(CONFIG.ssl_cert)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = False  # TLS ends here or at the proxy in front; a redirect would break probes inside a cluster.
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = TLS
if CONFIG.server.trusted_proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.security.max_request_size
LOGIN_URL = "admin:login"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Unfold evaluates expressions in attributes; only the console gets this besides (mlsite.middleware).
CONSOLE_CSP = {"script-src": [UNSAFE_EVAL], "frame-src": [SELF]}

CELERY_BROKER_URL = CONFIG.jobs.broker_url.get_secret_value() or REDIS_URL or "filesystem://"

LOGGING_CONFIG = None
LOGGING = logging_config(CONFIG, VAR_DIR)

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Model life cycle",
    "SITE_HEADER": "Model life cycle",
    "SITE_SYMBOL": "model_training",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "mlsite.console.icon"}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "ENVIRONMENT": "mlsite.console.environment",
    "DASHBOARD_CALLBACK": "mlsite.console.dashboard",
    "LOGIN": {"form": "mlsite.signing_in.LoginForm"},
    "ACCOUNT": {"navigation": [{"title": "Second factor", "link": reverse_lazy("console-second-factor")}]},
    "STYLES": ["mlsite.console.stylesheet"],
    "SCRIPTS": ["mlsite.console.script"],
    "SIDEBAR": {"show_search": False, "navigation": "mlsite.console.sidebar"},
}
