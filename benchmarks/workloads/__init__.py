"""One module each: a question, and the contests that answer it."""
