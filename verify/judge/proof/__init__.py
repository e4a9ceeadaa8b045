"""One claim at every score of a dtype: `domain` says which are asked and how, `sweep` asks a shard and judges it."""
