"""The index directory on disk: manifest, shards, names, and unfinished changes."""
