"""Generation: known answers from networks that sum their tokens, and draws that follow the softmax."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.language import VOCABULARY, said, summing_cache, summing_step
from tests.streams import summing_net
from toolkit.core import SignatureError
from toolkit.runtimes import open_session
from toolkit.runtimes._generate import Sampling

PROMPT = [3, 1, 4]


# OpenVINO does not say of a bare file which free sizes are one: the first state is given.
@pytest.mark.parametrize(
    ("net", "engine", "start"),
    [
        (summing_step, "onnxruntime", {}),
        (summing_step, "openvino", {"total": np.zeros(1, np.int64)}),
        (summing_cache, "onnxruntime", {}),
    ],
)
def test_what_comes_next_is_known(net: Callable[[Path], Path], engine: str, start: dict[str, np.ndarray], tmp_path: Path) -> None:
    with open_session(net(tmp_path / "net.onnx"), engine=engine) as session:
        stream = session.stream(start=start)
        first = list(stream.generate(PROMPT, 20))
        assert first == said(PROMPT, 20)
        assert list(stream.generate([7, 2], 5)) == said([*PROMPT, *first, 7, 2], 5), "another prompt goes on behind what was said"
        stream.reset()
        assert list(stream.generate(np.array([5]), 3)) == said([5], 3)


def test_a_mask_of_fixed_length_is_filled_up(tmp_path: Path) -> None:
    with open_session(summing_step(tmp_path / "net.onnx", mask=16)) as session:
        assert list(session.stream().generate(PROMPT, 13)) == said(PROMPT, 13, masked=True)
        with pytest.raises(SignatureError, match="'attention_mask' has room for 16 tokens: expected a shorter text, got 17 tokens"):
            list(session.stream().generate(PROMPT, 15))


def test_it_ends_at_a_token_and_goes_on_behind_it(tmp_path: Path) -> None:
    with open_session(summing_step(tmp_path / "net.onnx")) as session:
        stream = session.stream()
        expected = said(PROMPT, 10)
        end = expected[4]
        assert list(stream.generate(PROMPT, 10, stop={end})) == expected[: expected.index(end)]
        whole = [*PROMPT, *expected[: expected.index(end) + 1], 6]
        assert list(stream.generate([6], 3)) == said(whole, 3)


def test_who_stops_asking_can_go_on(tmp_path: Path) -> None:
    with open_session(summing_cache(tmp_path / "net.onnx")) as session:
        stream = session.stream()
        tokens = stream.generate(PROMPT, 100)
        first = [next(tokens), next(tokens)]
        tokens.close()  # type: ignore[attr-defined]
        assert list(stream.generate([8], 4)) == said([*PROMPT, *first, 8], 4)


def test_draws_are_the_softmax_s_and_the_seed_s() -> None:
    scores, draws = np.log(np.array([0.1, 0.2, 0.3, 0.4])), 4000
    random = np.random.default_rng(0)
    counts = np.bincount([Sampling(1.0).choose(scores, random) for _ in range(draws)], minlength=4)
    assert np.abs(counts / draws - [0.1, 0.2, 0.3, 0.4]).max() < 0.03
    two = np.bincount([Sampling(1.0, top_k=2).choose(scores, random) for _ in range(draws)], minlength=4)
    assert two[:2].tolist() == [0, 0]
    assert abs(two[3] / draws - 4 / 7) < 0.03
    cold = np.bincount([Sampling(0.5).choose(scores, random) for _ in range(draws)], minlength=4)
    assert np.abs(cold / draws - np.array([1, 4, 9, 16]) / 30).max() < 0.03
    assert Sampling().choose(scores, random) == 3
    one, other = ([Sampling(1.0).choose(scores, np.random.default_rng(seed)) for seed in range(20)] for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"prompt": []}, "prompt: expected a list of token numbers, at least one"),
        ({"prompt": [[1, 2]]}, "prompt: expected a list of token numbers"),
        ({"prompt": [0.5]}, "prompt: expected a list of token numbers"),
        ({"prompt": [VOCABULARY]}, "prompt: expected tokens from 0 to 10, got 11"),
        ({"count": 0}, "count: expected a whole number from 1 on, got 0"),
        ({"temperature": -1}, "temperature: expected a number from 0 on, got -1"),
        ({"temperature": float("nan")}, "temperature: expected a number from 0 on, got nan"),
        ({"top_k": -1}, "top_k: expected a whole number from 0 on, got -1"),
    ],
)
def test_bad_input_is_one_line(options: dict[str, object], line: str, tmp_path: Path) -> None:
    asked = {"prompt": PROMPT, "count": 3} | options
    with open_session(summing_step(tmp_path / "net.onnx")) as session, pytest.raises(SignatureError, match=line):
        list(session.stream().generate(**asked))  # type: ignore[arg-type]


def test_a_network_that_is_no_language_model_says_so(tmp_path: Path) -> None:
    with (
        open_session(summing_net(tmp_path / "net.onnx")) as session,
        pytest.raises(SignatureError, match="no language model with a memory"),
    ):
        session.stream().generate(PROMPT, 3)


def test_scores_that_are_no_numbers_are_said() -> None:
    with pytest.raises(SignatureError, match="scores of the next token: expected numbers"):
        Sampling().choose(np.array([0, np.nan]), np.random.default_rng(0))
