from __future__ import annotations

import pytest

from toolkit.converters.ends import Graph, Operation, float_ends

# conv0 feeds two heads; "found" joins both behind a sigmoid and a scale, "label" reads one of them, "raw" is a head itself.
GRAPH = Graph(
    (
        Operation("conv0", ()),
        Operation("relu", (0,)),
        Operation("box", (1,)),
        Operation("score", (1,)),
        Operation("scale", (2,)),
        Operation("sigmoid", (3,)),
        Operation("join", (4, 5)),
        Operation("turn", (6,)),
        Operation("best", (5,)),
    ),
    {"found": 7, "label": 8, "raw": 2, "body": 1},
)
LAYERS = {"conv0", "box", "score"}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (["found"], [{"scale", "sigmoid", "join", "turn"}, {"scale", "sigmoid", "join", "turn", "box", "score"}]),
        (["label"], [{"sigmoid", "best"}, {"sigmoid", "best", "score"}]),
        (["found", "label"], [{"scale", "sigmoid", "join", "turn", "best"}, {"scale", "sigmoid", "join", "turn", "best", "box", "score"}]),
        (["raw"], [{"box"}]),
        (["body"], [{"relu"}, {"relu", "conv0"}]),
        (["an input that is an output"], []),
        ([], []),
    ],
)
def test_what_is_behind_the_last_layers(outputs: list[str], expected: list[set[str]]) -> None:
    assert float_ends(GRAPH, outputs, layers=LAYERS) == expected


def test_a_loop_ends() -> None:
    """No file has one, and a damaged one must not hang."""
    graph = Graph((Operation("a", (1,)), Operation("b", (0,))), {"y": 0})
    assert float_ends(graph, ["y"], layers=()) == [{"a", "b"}]
