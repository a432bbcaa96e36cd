"""A flow as data: what it consists of, and how its parts are joined; knows no conduit."""
