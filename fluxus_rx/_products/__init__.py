"""What travels in a flow of dictionaries, with its lineage."""
