"""HTP: a nested Galerkin preconditioner on dense tiles, with functions proposed by a transformer."""
