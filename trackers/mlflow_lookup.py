"""From a run that someone copied out of MLflow's pages back to the cell it is of."""

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trackers.mlflow_client import mlflow_client
from trackers.run_facts import TAG


def cell_of_run(tracking_uri: str, run_id: str) -> tuple[str, str] | None:
    """Return (study, cell) of a run; None where there is no such run, or it is not of a cell.

    Raises:
        ConnectionError: The store cannot be reached.
    """
    try:
        tags = mlflow_client(tracking_uri).get_run(run_id).data.tags
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise ConnectionError(f"MLflow at {tracking_uri} does not answer: {error}") from error
    except (requests.RequestException, SQLAlchemyError) as error:
        raise ConnectionError(f"MLflow at {tracking_uri} does not answer: {error}") from error
    if tags.get(f"{TAG}kind") != "cell":
        return None
    return tags[f"{TAG}study"], tags[f"{TAG}cell"]
