"""Reports: the documents of an audit or an evaluation, and their renderers."""
