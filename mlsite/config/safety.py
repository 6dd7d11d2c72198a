"""Values that are well-formed and still must not start a process."""

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from mlsite.config.schema import Config

MIN_SECRET_BYTES = 32
MIN_DISTINCT = 8
DEFAULT_BEGINNINGS = ("change", "secret", "default", "django-insecure", "example", "test")


def faults(config: Config) -> list[str]:
    """Return one line for each unsafe value, naming its key and never showing a secret."""
    checks: list[Callable[[Config], Iterator[str]]] = [_files, _ports, _stores, _storage, _engines, _tracing]
    if config.app_env != "dev":
        checks += [_secrets, _switches]
    return [fault for check in checks for fault in check(config)]


def _files(config: Config) -> Iterator[str]:
    if bool(config.ssl_cert) != bool(config.ssl_key):
        yield "ssl_cert, ssl_key (SSL_CERT, SSL_KEY): give both or neither"
    for name, path in {"ssl_cert (SSL_CERT)": config.ssl_cert, "ssl_key (SSL_KEY)": config.ssl_key}.items():
        if path and not path.is_file():
            yield f"{name}: no file at {path}"


def _ports(config: Config) -> Iterator[str]:
    if config.grpc.enabled and config.grpc.port == config.server.port:
        yield f"grpc.port (GRPC__PORT): must differ from server.port (PORT), got {config.grpc.port} for both"


def _stores(config: Config) -> Iterator[str]:
    if config.features.online_store == "redis" and not config.redis.url.get_secret_value():
        yield "features.online_store (FEATURES__ONLINE_STORE): redis needs redis.url (REDIS_URL), got none"


def _storage(config: Config) -> Iterator[str]:
    if config.storage.endpoint.get_secret_value().startswith("http:") and not config.storage.allow_http:
        yield "storage.endpoint (STORAGE__ENDPOINT): has no TLS; use https, or turn storage.allow_http on"


def _engines(config: Config) -> Iterator[str]:
    if config.features.engine == "spark" and config.storage.url.get_secret_value().startswith("s3:"):
        yield (
            "features.engine (FEATURES__ENGINE): spark reads no bucket, and storage.url (STORAGE_URL) names one: Spark "
            "would need Hadoop's S3 libraries; use duckdb, polars or dask, or a folder that all its workers see"
        )


def _tracing(config: Config) -> Iterator[str]:
    if config.tracing.endpoint.get_secret_value() and not _is_installed("opentelemetry-exporter-otlp-proto-http"):
        yield "tracing.endpoint (TRACING__ENDPOINT): needs its extra: pip install -r requirements-otel.txt"


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _secrets(config: Config) -> Iterator[str]:
    values = {
        "security.secret_key (SECRET_KEY)": config.security.secret_key.get_secret_value(),
        "security.jwt_secret (JWT_SECRET)": config.security.jwt_secret.get_secret_value(),
    }
    for key, value in values.items():
        size = len(value.encode())
        if size < MIN_SECRET_BYTES or len(set(value)) < MIN_DISTINCT:
            yield (
                f"{key}: must be random and at least {MIN_SECRET_BYTES} bytes when APP_ENV is {config.app_env}, "
                f"got {size} bytes with {len(set(value))} distinct characters"
            )
        elif value.lower().startswith(DEFAULT_BEGINNINGS):
            yield f"{key}: looks like an example, not a secret; set a random one"
    if len(set(values.values())) < len(values) and all(values.values()):
        yield "security.jwt_secret (JWT_SECRET): must differ from SECRET_KEY"


def _switches(config: Config) -> Iterator[str]:
    where = f"when APP_ENV is {config.app_env}"
    if config.debug:
        yield f"debug (DEBUG): must be off {where}, got on"
    if not config.enable_auth:
        yield f"enable_auth (ENABLE_AUTH): must be on {where}, got off"
    if not config.server.allowed_hosts or "*" in config.server.allowed_hosts:
        yield f"server.allowed_hosts (SERVER__ALLOWED_HOSTS): name the hosts {where}, got '*' or none"
