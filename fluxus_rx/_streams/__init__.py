"""Asynchronous streams on aiostream: operators, channels, limits, task groups."""
