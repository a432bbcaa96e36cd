"""The functional API: steps on dictionaries."""
