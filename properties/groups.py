"""The groups of laws, in the order of every table of them."""

GROUPS = ("value", "gradient", "symmetry", "relation", "reduction", "numerics", "interface", "modes", "textbook", "svm")
