"""hingeproof: is this margin loss right, on every framework it runs on?"""

__version__ = "0.1.0"
