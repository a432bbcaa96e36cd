"""Flows as publishers and subscribers of the Reactive Streams protocol."""
