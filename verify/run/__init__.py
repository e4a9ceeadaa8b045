"""A run: the controller and its workers, who does what, how long it may take, and what the user sees meanwhile."""
