"""`python -m hingeproof` is `hingeproof`."""

from hingeproof.cli import main

main()
