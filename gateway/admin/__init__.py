"""The second listener: health, metrics."""
