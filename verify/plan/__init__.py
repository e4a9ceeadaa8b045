"""What is asked for: options, profiles, the checks these come to, their cost, and a user's own callable read."""
