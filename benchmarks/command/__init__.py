"""What is typed: arguments, and what each command prints."""
