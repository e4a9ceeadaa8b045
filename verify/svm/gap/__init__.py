"""A proved bound on how far any trained linear model is from its optimum; docs/svm-gap.md has the method."""
