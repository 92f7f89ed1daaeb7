"""Vector indexes: one small file per type, found by entry point."""
