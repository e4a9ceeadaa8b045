"""Known deviations, each with a witness that every run replays, and the releases that they are known of."""
