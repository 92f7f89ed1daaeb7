"""The index directory: manifest, shards, names, and what is pending."""
