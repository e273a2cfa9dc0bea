"""What depends on the device that computes: recorded CUDA graphs, wall time."""
