"""Deliberately wrong implementations, one at least for every law, and legal ones that every law must let pass.

`table` says which law must reject which mutant; the files are named after the families of laws.
"""
