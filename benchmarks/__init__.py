"""What fluxus_rx costs, next to code by hand and to other libraries: see docs/benchmarks.rst."""
