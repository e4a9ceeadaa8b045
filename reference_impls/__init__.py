"""The ground floor: the family as data, the exact oracle, and the reference implementations."""
