"""The study file: schema, loading with file:line:col errors, overrides, JSON Schema."""
