"""One pass: examples drawn, answers judged, evidence counted, failures made small, verdicts said."""
