"""Tables: each module computes a record that a template prints."""
