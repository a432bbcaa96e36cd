"""The roles of a flow: producers, transformers, consumers, and what is made of them."""
