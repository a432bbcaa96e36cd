"""What a run returns: outputs, failures, tables."""
