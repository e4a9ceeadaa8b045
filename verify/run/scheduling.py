"""How xdist hands out passes. Only pytest's controlling process imports this, and only where xdist is there."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadGroupScheduling


class PassScheduling(LoadGroupScheduling):
    """xdist's scheduling by group, mended where a crash made it wait for ever, and without its quadratic parts.

    A worker runs an item only once it knows the next one or that there is none. xdist gives a replaced worker one
    group, which may be all done or a single item, and then waits for that item to be reported.
    """

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False  # dear passes are first already
        super().__init__(config, log)
        self._places: dict[Any, dict[str, int]] = {}

    def _split_scope(self, nodeid: str) -> str:
        """Return the pass of an item, read from its id.

        xdist 3.8 hands groups over as a suffix of the node id, which pytest 9.2 no longer lets it append.
        """
        found = re.search(r"::test_law\[[^|\[\]]+\|(.*)\]", nodeid)
        return found[1] if found else str(super()._split_scope(nodeid))

    def add_node_collection(self, node: Any, collection: Any) -> None:
        """Note where each item stands, too."""
        super().add_node_collection(node, collection)
        self._places[node] = {nodeid: place for place, nodeid in enumerate(collection)}

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forget a pass when its last item is reported."""
        nodeid = self.registered_collections[node][item_index]
        scope = self._split_scope(nodeid)
        unit = self.assigned_work[node][scope]
        unit[nodeid] = True
        if all(unit.values()):
            del self.assigned_work[node][scope]
        self._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        scope, unit = self.workqueue.popitem(last=False)
        self.assigned_work[node][scope] = unit
        places = self._places[node]
        node.send_runtest_some([places[nodeid] for nodeid, done in unit.items() if not done])

    def _reschedule(self, node: Any) -> None:
        if node.shutting_down or node not in self._places:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()
