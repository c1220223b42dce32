"""Graphs inside graphs are found at any depth, in order."""

from __future__ import annotations

from onnx import helper

from toolkit.formats.parts.onnx_graphs import all_graphs, inner_graphs


def test_graphs_at_any_depth() -> None:
    deep = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "deep", [], [])
    body = helper.make_graph([helper.make_node("Loop", ["n", "", ""], ["y"], body=deep)], "body", [], [])
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", [], [])
    choice = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=other)
    several = helper.make_node("Several", ["c"], ["y"], graphs=[other, deep], domain="ours")
    whole = helper.make_graph([choice, several], "whole", [], [])
    assert sorted(graph.name for graph in inner_graphs(choice)) == ["body", "other"]
    assert [graph.name for graph in inner_graphs(several)] == ["other", "deep"]
    assert list(inner_graphs(deep.node[0])) == []
    assert sorted(graph.name for graph in all_graphs(whole)) == ["body", "deep", "deep", "other", "other", "whole"]
