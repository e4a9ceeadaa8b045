"""hingeproof: is this margin loss right, on every framework it runs on? Nothing heavy is imported here."""

__version__ = "0.1.0"
