# Builds with BuildKit, with Docker's classic builder, with Podman and with Buildah: no syntax of one builder alone.
# `make pin-image` replaces the tag below by the digest that the registry has for it.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
COPY requirements/serve.txt /tmp/serve.txt
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /tmp/serve.txt
COPY model_store/ /srv/model_store/
COPY app/ /srv/app/
COPY deploy/healthcheck.py /srv/
# COPY keeps the modes of the checkout, and after `umask 077` nobody but its owner could read them.
RUN python -m compileall -q --invalidation-mode unchecked-hash /srv && chmod -R a+rX,go-w /srv

# No pip, no network and no write access from here on.
FROM ${PYTHON}
LABEL org.opencontainers.image.title="paper-subjects" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PAPERS_HOST=0.0.0.0 \
    PAPERS_PORT=8000
WORKDIR /srv
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv
# Any other user and group work as well: OpenShift, for example, chooses its own.
USER 10001:10001
# The build fails if torch is installed, the service cannot be imported, or the artefact is damaged or unreadable.
RUN python -c "import importlib.util as u, app.main; assert not u.find_spec('torch') and not u.find_spec('transformers')" \
    && python -c "from pathlib import Path; from model_store.store import Store; Store(Path('model_store/artefacts')).open()"
EXPOSE 8000
STOPSIGNAL SIGTERM
# Healthy means ready: the golden papers were reproduced, and a real inference succeeded recently.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["python", "healthcheck.py"]
CMD ["python", "-m", "app"]
