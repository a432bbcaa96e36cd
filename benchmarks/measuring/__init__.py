"""Processes, clocks, rounds and checks; knows no workload and no contender."""
