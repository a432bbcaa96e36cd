"""Streams and observables joined: the scheduler that carries a run, drivers and intakes."""
