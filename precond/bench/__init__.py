"""`python -m precond.bench`: every preconditioner on the same systems, through one driver and one stopping rule."""
