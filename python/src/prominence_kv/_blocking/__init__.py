"""The blocking store: its driver over the standard library, and its methods."""
