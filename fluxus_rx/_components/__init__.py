"""Conduits that are ready to be used: of data, of observables, of operators, with labels."""
