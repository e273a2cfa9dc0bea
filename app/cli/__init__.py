"""The command line: options, their checks, and what runs without a window."""
