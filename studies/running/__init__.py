"""Running a study: the coordinator, its pool, trial processes, failure policy and budgets."""
