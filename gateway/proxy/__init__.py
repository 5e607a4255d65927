"""The data path: one request enters at `downstream` and leaves through `relay` or `reply`."""
