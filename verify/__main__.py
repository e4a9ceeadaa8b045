"""`python -m hingeproof` is `hingeproof`."""

from hingeproof.commands.main import main

main()
