"""Encoders: one small file per backend, found by entry point."""

from idia_index.support.offline import send_nothing

send_nothing()  # before anything here imports a library that would
