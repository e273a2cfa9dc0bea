"""The pressure solve of a running simulation, switched live, with statistics by method."""
