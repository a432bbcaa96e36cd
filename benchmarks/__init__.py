"""Questions about the speed of fluxus_rx, each asked against a baseline, side by side.

`python -m benchmarks` prints a table of ratios; the README beside this file says how to read it.
"""
