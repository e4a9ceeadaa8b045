"""One file a rendering."""
