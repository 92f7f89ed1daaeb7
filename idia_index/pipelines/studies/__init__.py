"""The paper's studies and custom ones: people and settings from a file, photos from the user."""
