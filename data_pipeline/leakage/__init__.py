"""What is in two splits: groups, and the same or nearly the same pictures and videos."""
