"""The store for event loops: its driver over httpx, and its methods."""
