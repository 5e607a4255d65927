"""Policies: documents, their compilation, and the engine that decides. Pure: no I/O, no clock."""
