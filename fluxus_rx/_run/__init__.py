"""Running flows of the functional API."""
