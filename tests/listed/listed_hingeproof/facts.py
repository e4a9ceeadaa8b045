"""Facts; nothing is imported but what facts are."""

from dataclasses import replace

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="listed",
    distribution="listed",
    adaptor="listed_hingeproof.adaptor",
    kernel="listed_hingeproof.kernel",
    question="import listed; print('a list')",
    timed=("eager",),
    threads=("LISTED_THREADS",),
    serial=True,
    notation=Notation(
        imports="import listed",
        array="{values}",
        numbers="list({x})",
        gradient=("grad = listed.pull({call}, {upstream})",),
        slope="grad",
    ),
)
TAKEN = replace(FRAMEWORK, name="torch")
