"""Building blocks of the interface: theme, widgets, tooltips, settings; no simulation."""
