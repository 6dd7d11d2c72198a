# One image for web server, worker and beat. It runs as an ordinary user, and with a read-only root file system as long as
# VAR_DIR is a volume.
#
#   docker build -t mlsite .
#   docker run --read-only --tmpfs /tmp -v mlsite-var:/var/lib/mlsite --env-file .env -p 8000:8000 mlsite

FROM python:3.13.9-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
COPY requirements-grpc.txt /tmp/requirements-grpc.txt
# `docker build --build-arg GRPC=yes` adds the extra; GRPC__ENABLED=true turns it on, at port 8001.
ARG GRPC=""
# Every package is named with its hash; none is built from source.
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt \
    && if [ -n "$GRPC" ]; then /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements-grpc.txt; fi \
    && /opt/venv/bin/pip uninstall --yes pip

FROM python:3.13.9-slim-bookworm AS final
RUN groupadd --gid 10001 mlsite \
    && useradd --uid 10001 --gid mlsite --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mlsite \
    && install --directory --owner mlsite --group mlsite --mode 0750 /var/lib/mlsite
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/mlsite
COPY manage.py ./
COPY features features
COPY models_store models_store
COPY predictions predictions
COPY pipeline pipeline
COPY mlsite mlsite
COPY templates templates
# Compiled here, since nothing can be written later.
RUN ["/opt/venv/bin/python", "-m", "compileall", "-q", "features", "models_store", "predictions", "pipeline", "mlsite"]
ENV PATH=/opt/venv/bin:$PATH \
    APP_ENV=prod \
    VAR_DIR=/var/lib/mlsite \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1
USER 10001:10001
VOLUME ["/var/lib/mlsite"]
EXPOSE 8000 8001
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "mlsite.probe"]
CMD ["python", "manage.py", "serve", "--migrate"]
