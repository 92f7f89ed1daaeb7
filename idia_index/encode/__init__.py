"""Prompts to tokens to packs to text embeddings, and photos to image embeddings."""
