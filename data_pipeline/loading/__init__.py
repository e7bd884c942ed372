"""From listed items to batches on the device."""
