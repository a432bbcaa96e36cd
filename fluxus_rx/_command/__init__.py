"""The library as a command: check, draw and explain a flow that a module has."""
