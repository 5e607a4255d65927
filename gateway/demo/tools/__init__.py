"""The 44 tools, a module for each group. A tool is a plain function: desk and arguments in, JSON out."""
