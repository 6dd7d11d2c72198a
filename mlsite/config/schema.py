"""Every key of the configuration, its type and its default.

Defaults that a person may want to read live in base.yaml; `docs/settings.md` explains each key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from mlsite.config.rules import address_of, factories, like, pairs_of, split, targets

ROOT = Path(__file__).resolve().parents[2]
Share = Annotated[float, Field(ge=0, le=1)]
_OFF = {"false", "none", "no", "0", "off"}
# YAML and environment both spell "off" in ways that become False.
Rate = Annotated[str, BeforeValidator(lambda v: "off" if str(v).lower() in _OFF else v)]


BUCKET_OR_FOLDER = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=-]+)*/?|file:///.+"
SERVER = r"https?://[^/@?#\s]+/?"
Names = Annotated[list[str], NoDecode, BeforeValidator(split)]
Role = Literal["admin", "promoter", "approver", "user", "readonly"]
RatePattern = Field(pattern=r"^(off|\d+/(second|minute|hour|day|[smhd]))$")


class Section(BaseModel):
    """A group of keys; an unknown one is an error that names itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ServerConfig(Section):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    threads: int = Field(1, ge=1, le=256)
    max_in_progress: int = Field(128, ge=1, le=1024)
    max_slow_senders: int = Field(256, ge=1, le=2048)
    allowed_hosts: Names = ["localhost", "127.0.0.1", "[::1]"]
    trusted_proxies: Names = []
    base_url: str = ""
    secure: bool = False


class GrpcConfig(Section):
    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = Field(8001, ge=1, le=65535)
    threads: int = Field(4, ge=1, le=256)


class DatabaseConfig(Section):
    url: Annotated[SecretStr, address_of("postgresql", "postgres", "sqlite")] = SecretStr("")
    conn_max_age_s: int = Field(60, ge=0)
    busy_timeout_s: float = Field(20, gt=0)
    connect_timeout_s: int = Field(3, ge=2, le=60)
    statement_timeout_s: float = Field(3, ge=0)
    lock_timeout_s: float = Field(2, ge=0)


class RedisConfig(Section):
    url: Annotated[SecretStr, address_of("redis", "rediss", "unix")] = SecretStr("")
    socket_timeout_s: float = Field(1.0, gt=0)


class SecurityConfig(Section):
    secret_key: SecretStr = SecretStr("")
    jwt_secret: SecretStr = SecretStr("")
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    jwt_issuer: str = "mlsite"
    jwt_audience: str = "mlsite-api"
    require_expiry: bool = True
    require_token_id: bool = True
    require_issuer: bool = True
    require_audience: bool = True
    token_expire_minutes: int = Field(30, ge=1, le=1440)
    refresh_expire_days: int = Field(7, ge=1, le=90)
    token_cache_s: float = Field(30, ge=0, le=30)
    token_grace_s: float = Field(300, ge=0, le=3600)
    max_request_size: int = Field(1_048_576, ge=1024)
    max_depth: int = Field(32, ge=4, le=512)
    max_rows: int = Field(1000, ge=1)
    max_string: int = Field(4096, ge=16)
    metrics_token: SecretStr = SecretStr("")
    signing_key: SecretStr = SecretStr("")
    trusted_keys: Names = []
    second_factor: Literal["off", "optional", "required"] = "optional"


class ModelConfig(Section):
    default: str = ""
    retries: int = Field(3, ge=0, le=20)
    retry_delay: float = Field(1.0, ge=0, le=300)
    cache_size: int = Field(1024, ge=0)
    poll_seconds: float = Field(0.25, gt=0, le=60)
    parity_tolerance: float = Field(1e-5, gt=0)
    max_artefact_mb: int = Field(512, ge=1)
    max_memory_mb: float = Field(2048, ge=0)


class InputValidationConfig(Section):
    min_value: float = -1e30
    max_value: float = 1e30


class PredictionLogConfig(Section):
    enabled: bool = True
    buffer_rows: int = Field(10_000, ge=1)
    flush_seconds: float = Field(0.2, gt=0)
    write_timeout_s: float = Field(1.0, gt=0, le=30)
    durable: bool = False
    spool_mb: int = Field(512, ge=1)
    sample: Share = 1.0
    redact: Names = []
    keep_days: int = Field(0, ge=0)
    shadow_queue: int = Field(256, ge=1)


class CanaryConfig(Section):
    guard: bool = True
    mirror: bool = True
    alpha: float = Field(0.01, gt=0, lt=0.5)
    max_error_share: float = Field(0.02, gt=0, lt=1)
    max_latency_ratio: float = Field(3.0, ge=1)


class JobsConfig(Section):
    broker_url: Annotated[SecretStr, address_of("redis", "rediss", "filesystem")] = SecretStr("")
    concurrency: int = Field(1, ge=1, le=64)
    lease_seconds: int = Field(30, ge=2)
    heartbeat_seconds: float = Field(5, gt=0)
    max_attempts: int = Field(3, ge=1, le=20)
    sweep_seconds: float = Field(15, gt=0)


class TrainingConfig(Section):
    estimators: Annotated[Names, BeforeValidator(pairs_of), AfterValidator(factories)] = []


class DriftConfig(Section):
    method: Literal["psi", "ks", "wasserstein", "jensenshannon"] = "psi"
    threshold: float = Field(0.2, gt=0)
    drift_share: Share = 0.3
    window_hours: float = Field(24, gt=0)
    max_rows: int = Field(20_000, ge=100)


class KafkaConfig(Section):
    bootstrap_servers: str = ""
    input_topic: str = "predict-requests"
    output_topic: str = "predictions"
    dead_letter_topic: str = "predictions-dead-letters"
    group_id: str = "mlsite"
    slot: str = "0"
    poll_records: int = Field(500, ge=1)


class StreamingConfig(Section):
    expected: Names = []
    max_lag: int = Field(0, ge=0)
    kafka: KafkaConfig = KafkaConfig()


class AlertsConfig(Section):
    slack_webhook: Annotated[SecretStr, address_of("https", "http")] = SecretStr("")
    timeout_s: float = Field(5, gt=0)


class EventsConfig(Section):
    webhooks: Annotated[Names, AfterValidator(targets)] = []
    webhook_secret: SecretStr = SecretStr("")
    slack: bool = True
    timeout_s: float = Field(5, gt=0, le=30)

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        if self.webhooks and len(self.webhook_secret.get_secret_value()) < 16:
            raise ValueError("webhook_secret of at least 16 characters is needed where webhooks are set")
        return self


class AuditConfig(Section):
    checkpoint_minutes: float = Field(60, gt=0)


class FeaturesConfig(Section):
    engine: Literal["duckdb", "polars", "dask", "spark"] = "duckdb"
    dask_scheduler: str = ""
    spark_master: str = ""
    max_rejected: Share = 0.1
    require_approval: bool = False
    max_ratio: int = Field(100, ge=1)
    max_unpacked_mb: int = Field(16_384, ge=1)
    max_cells: int = Field(2_000_000_000, ge=1)
    online_store: Literal["database", "redis"] = "database"
    max_upload_mb: int = Field(1024, ge=1, le=1_048_576)
    keep_versions_days: int = Field(90, ge=1)
    lock_wait_s: float = Field(300, ge=0)


class StorageConfig(Section):
    # Hidden when it is refused: somebody may have put a key into it.
    url: Annotated[SecretStr, like(BUCKET_OR_FOLDER, "must be s3://BUCKET/PREFIX or file:///FOLDER")] = SecretStr("")
    endpoint: Annotated[SecretStr, like(SERVER, "must be https://HOST:PORT, and nothing else")] = SecretStr("")
    region: str = Field("us-east-1", min_length=1)
    allow_http: bool = False


class LogsConfig(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    slow_request_ms: float = Field(1000, ge=0)
    max_mb: int = Field(10, ge=1)
    keep: int = Field(5, ge=1)


class TracingConfig(Section):
    endpoint: Annotated[SecretStr, address_of("http", "https")] = SecretStr("")
    sample: Share = 1.0
    service: str = Field("mlsite", min_length=1, max_length=100)


class Config(Section):
    """The whole configuration of one process."""

    app_env: Literal["dev", "staging", "prod"] = "dev"
    debug: bool = False
    var_dir: Path = ROOT / "var"
    enable_auth: bool = True
    allowed_roles: Annotated[list[Role], NoDecode, BeforeValidator(split)] = ["admin", "user"]
    rate_limit: Annotated[Rate, RatePattern] = "100/minute"
    token_rate_limit: Annotated[Rate, RatePattern] = "10/minute"  # noqa: S105 (a rate, not a secret)
    login_rate_limit: Annotated[Rate, RatePattern] = "5/minute"
    row_rate_limit: Annotated[Rate, RatePattern] = "off"
    nan_replacement: float | None = None
    ssl_cert: Path | None = None
    ssl_key: Path | None = None
    server: ServerConfig = ServerConfig()
    grpc: GrpcConfig = GrpcConfig()
    database: DatabaseConfig = DatabaseConfig()
    redis: RedisConfig = RedisConfig()
    security: SecurityConfig = SecurityConfig()
    model: ModelConfig = ModelConfig()
    input_validation: InputValidationConfig = InputValidationConfig()
    prediction_log: PredictionLogConfig = PredictionLogConfig()
    canary: CanaryConfig = CanaryConfig()
    jobs: JobsConfig = JobsConfig()
    training: TrainingConfig = TrainingConfig()
    drift: DriftConfig = DriftConfig()
    streaming: StreamingConfig = StreamingConfig()
    alerts: AlertsConfig = AlertsConfig()
    events: EventsConfig = EventsConfig()
    audit: AuditConfig = AuditConfig()
    features: FeaturesConfig = FeaturesConfig()
    storage: StorageConfig = StorageConfig()
    logs: LogsConfig = LogsConfig()
    tracing: TracingConfig = TracingConfig()

    def keys(self) -> dict[str, Any]:
        """Return every key by its dotted name, secrets masked."""
        return dict(_flat(self.model_dump(mode="json"), ""))


def _flat(tree: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        pairs += _flat(value, f"{name}.") if isinstance(value, dict) else [(name, value)]
    return pairs
