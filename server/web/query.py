"""Query strings with structure: tags[]=a&tags[]=b, metadata[key]=value, filterBy[mediaId][]=x."""

import re
from collections.abc import Iterable
from typing import Any

PAIRS_LIMIT = 200  # an answer to a page of 100 ids has to fit
DEPTH_LIMIT = 3
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")

Tree = dict[str, Any]  # name -> str | list[str] | Tree


class MalformedQuery(ValueError):
    """The query has no one meaning; `name` is the parameter at fault."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(name, sentence)
        self.name, self.sentence = name, sentence


def nested(pairs: Iterable[tuple[str, str]]) -> Tree:
    """The tree of a list of pairs. A name given twice makes a list. Raises MalformedQuery."""
    tree: Tree = {}
    for count, (key, value) in enumerate(pairs):
        if count >= PAIRS_LIMIT:
            raise MalformedQuery(key, f"There are more than {PAIRS_LIMIT} parameters.")
        if "\x00" in key or "\x00" in value:
            raise MalformedQuery(key, "This parameter should not hold a NUL character.")  # PostgreSQL can't look for it
        found = _KEY.fullmatch(key)
        # a key that is not of this form is just a name
        steps = [found[1], *_STEP.findall(found[2])] if found else [key]
        if len(steps) > DEPTH_LIMIT:
            raise MalformedQuery(steps[0], f"There are more than {DEPTH_LIMIT} levels.")
        _put(tree, steps, value)
    return tree


def _put(tree: Tree, steps: list[str], value: str) -> None:
    name, rest = steps[0], steps[1:]
    old = tree.get(name)
    if rest and rest != [""]:
        if old is None:
            old = tree[name] = {}
        if not isinstance(old, dict):
            raise MalformedQuery(name, "The parameter is given in two forms.")
        _put(old, rest, value)
    elif isinstance(old, dict):
        raise MalformedQuery(name, "The parameter is given in two forms.")
    elif isinstance(old, list):
        old.append(value)
    elif old is not None:
        tree[name] = [old, value]
    else:
        tree[name] = [value] if rest else value
