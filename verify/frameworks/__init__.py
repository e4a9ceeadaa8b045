"""A framework is a folder: facts (its `__init__`), adaptor (`verify`), kernel (`bench`). registry.py has them all.

Nothing is imported here, so that the facts of another package's framework can be imported before ours are.
"""
