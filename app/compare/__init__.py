"""Several fluids side by side: equal simulated time, or a race."""
