"""One way to get an MLflow client: quiet, without telemetry, and never blocked for minutes."""

import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow reads the first two when it is imported.
CLIENT_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # A repeated request may create a run twice, and the default waits for four minutes: whether
    # to try again is the upload queue's business, which looks what is there first.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def configure_mlflow() -> None:
    """Set the environment for the first import of MLflow; what is set already wins."""
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # MLflow 3.17 asks SQLAlchemy 2.1 for something deprecated in every query of runs; remove this
    # when a newer MLflow does not.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)


def mlflow_client(tracking_uri: str) -> "MlflowClient":
    """Return a client of a server (`http://…`) or a database (`sqlite:////…`)."""
    configure_mlflow()
    from mlflow import MlflowClient  # here, because it takes seconds

    return MlflowClient(tracking_uri)
