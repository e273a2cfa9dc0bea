"""Files: recorded systems, MatrixMarket, weights of networks."""
