"""The timeline of a run: what it shows, and how it is drawn."""
