"""The laws and promises, one file a group."""
