"""Apply what a study found to pictures: a winner, or the class winners put together."""
