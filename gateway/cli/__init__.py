"""The `gateway` command, one module for each subcommand."""
