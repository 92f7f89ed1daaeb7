"""Encodes prompts (tokens, packs, text embeddings) and photos (image embeddings)."""
