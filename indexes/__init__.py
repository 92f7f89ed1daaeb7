"""Vector indexes: one small file per kind, found by entry point."""
