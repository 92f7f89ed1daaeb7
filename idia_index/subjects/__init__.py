"""Who is under test: people, their photos, and the candidates that they are."""
