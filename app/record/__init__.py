"""Videos, screenshots and plots as files."""
