"""How text becomes plain data: one strict reader for each format, and the small values written inside it."""
