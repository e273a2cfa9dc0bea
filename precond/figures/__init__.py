"""Pictures for pages: the sheet they share, and how each method is named and coloured."""
