"""From a float optimum to an exact one: partition, polish, conditions, and what is tried where these fail."""
