"""A long life of a site: at least so many events, each checked against every law. Exits with an error at a violation.

    python -m benchmarks.soak [EVENTS]

The laws and the events are those of tests/properties/test_operation.py; here Hypothesis plays thousands of lives with
new chances each time, and counts.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.figures import Figure, alone
from tests.properties.test_operation import SiteLife

EVENTS = 100_000
STEPS = 100
COUNT: Counter[str] = Counter()


class CountedLife(SiteLife):
    """The site's life, counting what happens: each rule is one event, each limit sent one checked step."""

    def settle(self, ms: int = 0) -> None:
        """Let what is due happen."""
        COUNT["events"] += 1
        super().settle(ms)

    def check_limit(self, fact) -> None:  # type: ignore[no-untyped-def]
        """Check and count a committed step."""
        COUNT["committed steps"] += 1
        super().check_limit(fact)


def figures(quick: bool = False) -> list[Figure]:
    """How many events were lived through without a violation."""
    count = alone("benchmarks.soak", str(5_000 if quick else EVENTS))
    # A violation is an exception that ends the run: who comes here has seen none.
    ours = f"{count['events']:,} events, {count['committed steps']:,} committed steps, 0 violations"
    return [Figure("a site's life, every law at every step", ours, promise=">= 100,000 events, 0 violations")]


def main() -> None:
    """Live through at least the number of events given."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    lives = settings(
        max_examples=200,
        stateful_step_count=STEPS,
        phases=(Phase.generate, Phase.shrink),
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    while COUNT["events"] < wanted:
        run_state_machine_as_test(CountedLife, settings=lives)
    print(json.dumps(COUNT))


if __name__ == "__main__":
    main()
