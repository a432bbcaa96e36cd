"""Stand-ins for the other side: real servers on loopback, for the examples to talk to."""
