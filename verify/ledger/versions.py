"""Does an installed release lie in the range that a contract or a deviation speaks of?"""

from __future__ import annotations

from functools import cache

from packaging.requirements import InvalidRequirement, Requirement

from hingeproof.frameworks.environment import version


@cache
def within(requirement: str) -> bool | None:
    """Tell whether the package of `name>=1,<2` is installed in that range; None where it is not installed.

    Raises: ValueError where the text is no requirement. An empty text is always met.
    """
    if not requirement:
        return True
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as error:
        raise ValueError(f"{requirement!r} is not a version range, as in torch>=2.13,<2.14: {error}") from None
    found = version(wanted.name)
    return None if found is None else wanted.specifier.contains(found, prereleases=True)
