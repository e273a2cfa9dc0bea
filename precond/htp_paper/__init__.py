"""The Hierarchical Transformer Preconditioner as published (arXiv 2605.13343): a predicted hierarchical inverse."""
