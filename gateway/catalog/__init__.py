"""What is known about tools: risk classes and recommended policies."""
