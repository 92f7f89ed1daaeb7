"""Names and templates, and the grid of prompts that they make."""
