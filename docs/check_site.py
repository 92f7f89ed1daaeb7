"""Fails if a page of the built site loads anything from another host.

python docs/check_site.py build/site
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What a browser loads by itself; a link that a reader follows (<a href>) is none.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link(?![^>]*rel=["']?canonical)[^>]*\shref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|url\(["']?(?:https?:)?//[^)]+\)|@import\s+["'](?:https?:)?//[^"']+"""
)


def main() -> None:
    """Lists what would be loaded."""
    files = [p for p in Path(sys.argv[1]).rglob("*") if p.suffix in (".html", ".css")]
    if not files:
        sys.exit(f"{sys.argv[1]}: no page")
    found = [
        f"{path}: {match[0]}"
        for path in files
        for match in LOADED.finditer(path.read_text(encoding="utf-8"))
    ]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(files)} files load nothing from other hosts")


if __name__ == "__main__":
    main()
