"""A local web page for people without a terminal: one person, several people, or a report.

What is sent stays in memory and on this machine. `idia-index serve` starts it; the extra `serve`
installs what it needs.
"""
