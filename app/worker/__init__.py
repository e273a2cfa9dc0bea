"""The simulation's thread, and what panels read and set of it."""
