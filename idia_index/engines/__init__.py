"""Engines, which are plugins: this process, or a cluster."""
