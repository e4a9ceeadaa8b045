"""One file a revision of the schema, in the order of their numbers."""
