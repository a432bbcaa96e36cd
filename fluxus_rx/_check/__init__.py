"""What can be known of a flow before it runs."""
