"""The paired gate: two sides interleaved in fresh processes, judged by their log-ratios."""
