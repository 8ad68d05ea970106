# Two stages: the first has pip and a network, the second has neither need.
# For an image that can be built again, pin the base by its digest, as `docker buildx imagetools inspect python:3.11-slim`
# prints it: docker build --build-arg PYTHON=python:3.11-slim@sha256:<digest> .
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
COPY requirements/serve.txt /tmp/serve.txt
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /tmp/serve.txt

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
COPY model_store/ model_store/
COPY app/ app/
# The build fails if torch found its way in, if the service cannot be imported, or if the artefact is not whole.
RUN python -c "import importlib.util as u, app.main; assert not u.find_spec('torch') and not u.find_spec('transformers')" \
    && python -c "from pathlib import Path; from model_store.store import Store; Store(Path('model_store/artefacts')).open()"
# Nothing below may write: the code belongs to root, and the service is somebody else.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Healthy means ready: golden papers replayed, a real inference lately.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PAPERS_PORT\"]}/readyz', timeout=3)"]
CMD ["python", "-m", "app"]
