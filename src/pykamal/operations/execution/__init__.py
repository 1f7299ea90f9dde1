"""Plans as data, what must be right before one starts, the executor, hooks, and the errors that explain a failure."""
