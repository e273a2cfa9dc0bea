"""The side panel, one file for each group of controls."""
