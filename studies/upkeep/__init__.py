"""Keeping a workspace in order: what may be deleted, and studies that go on from others."""
