"""The numbers of a run: calls, progress, statistics, summaries."""
