"""Encoders: one small file per backend, found by entry point."""
