"""What every test runs under. Fixtures stand beside the tests that use them."""

from hypothesis import settings

# No deadline: how long one example takes says more about the machine's other work than about the code.
# No database: a failure prints the example that reproduces it, and the tree stays clean.
settings.register_profile("gateway", deadline=None, database=None, print_blob=True)
settings.load_profile("gateway")
