"""The audit journal: what was decided, and what became of it."""
