"""Networks that say what a picture shows."""
