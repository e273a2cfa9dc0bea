"""`python -m precond.train METHOD`: trains a preconditioner's network."""
