"""Trees of plain values, as the configuration of a run is one."""

from typing import Any

# A configuration of this package has some 250 values and 6 levels.
MOST_VALUES, MOST_LEVELS = 10_000, 20


def is_final(tree: Any) -> bool:
    """Whether a configuration is made of plain values, not too many, without references, which could run code.

    A part that is there several times counts as often as it is there: it would be visited so often.
    """
    left, count = [(tree, 0)], 0
    while left:
        node, level = left.pop()
        count += 1
        if count > MOST_VALUES or level > MOST_LEVELS:
            return False
        if isinstance(node, dict):
            left += [(part, level + 1) for own in node.items() for part in own]
        elif isinstance(node, list):
            left += [(part, level + 1) for part in node]
        elif (
            "${" in node
            if isinstance(node, str)
            else not (node is None or type(node) in (bool, int, float))
        ):
            return False
        if len(left) > MOST_VALUES:
            return False
    return True
