"""A running simulation with everything the user can do to it: editing, log, replay, state files."""
