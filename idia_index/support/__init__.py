"""What every stage uses: files, locks, text, threads, intervals."""
