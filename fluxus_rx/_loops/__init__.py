"""The event loops of synchronous callers: which one, until when, and what went wrong on it."""
