"""The report of a study: its models side by side."""
