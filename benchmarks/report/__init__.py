"""What comes out: terminal, file, comparison, plot and page."""
