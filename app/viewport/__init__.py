"""The picture of the fluid and what lies over it; panes of a comparison."""
