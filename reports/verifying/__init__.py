"""Is a report what the records say? Its stamp, its pieces, and what differs."""
