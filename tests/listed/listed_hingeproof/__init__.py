"""What hingeproof is told of `listed`: facts, adaptor, timing kernel, and rows for its losses."""
