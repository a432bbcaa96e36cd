"""What every part uses: messages, names, texts, signatures, item types, event loops."""
