"""One file each: how a library, or code by hand, does what workloads ask for."""
