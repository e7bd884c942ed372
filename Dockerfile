# One image in two sizes: `services` serves databases and pages, `worker` trains. Only the second
# one holds torch, which is gigabytes.
#
#   docker build --target services -t visionstudy-services .
#   docker build --target worker -t visionstudy-worker .

FROM python:3.11-slim-bookworm AS services
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 PIP_CONSTRAINT=/app/constraints.txt \
    MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true \
    VISIONSTUDY_WORKSPACE=/workspace
WORKDIR /app
RUN useradd --uid 1000 --create-home vision && install -d -o vision -g vision /workspace
COPY constraints.txt ./
RUN pip install \
    boto3 jinja2 mlflow numpy nvidia-ml-py optuna optuna-dashboard pandas plotly psutil \
    "psycopg[binary]" pydantic rich ruamel.yaml scipy sqlalchemy typer
COPY pyproject.toml README.md LICENSE ./
COPY studies studies
COPY models models
COPY data_pipeline data_pipeline
COPY trackers trackers
COPY reports reports
RUN pip install --no-deps --editable .
USER vision
VOLUME /workspace
ENTRYPOINT ["visionstudy"]
CMD ["--help"]

FROM services AS worker
USER root
RUN pip install --editable ".[dashboard,postgres,ray,s3,samplers]"
USER vision
