"""What a run gives: outputs, failures, tables."""
