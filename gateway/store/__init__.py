"""State that outlives the process: counters and keys under the state directory."""
