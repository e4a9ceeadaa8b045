"""What a verdict is shown by: witnesses, scripts that show a bug, pairs of implementations, curves and envelopes."""
