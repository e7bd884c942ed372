"""Where facts go: frozen records, the event log of every trial, and MLflow."""
