"""One test for each law that applies: `pytest -k reduction` runs some of them."""

from own_loss.losses import hinge_01, weston_watkins_mean

import hingeproof

test_hinge_01 = hingeproof.conformance("hinge", hinge_01, framework="torch", contract="labels=01,kink=0")
test_weston_watkins = hingeproof.conformance(
    "weston_watkins", weston_watkins_mean, framework="torch", contract="scale=1/(K-1)"
)
