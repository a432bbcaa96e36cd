"""What can be set on a step, and what that needs."""
