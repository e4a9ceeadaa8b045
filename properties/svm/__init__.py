"""The laws that are judged on certified optima."""
