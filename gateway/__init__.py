"""A policy gateway for MCP: no tool call reaches the server without passing the rules of its grant."""

__version__ = "0.1.0"
