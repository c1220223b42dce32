"""What is tried where plain integers have too much noise, with numbers in place of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.converters.ends import Graph, Operation
from toolkit.converters.ladder import Setting, Trials, climb, record
from toolkit.converters.noise import left_db
from toolkit.converters.quality import Quality
from toolkit.converters.recipes import Choices, Ranges
from toolkit.core import Scalar
from toolkit.formats import Layer

NAMES = ("first", "middle", "last")
GRAPH = Graph(tuple(Operation(name, (place - 1,) if place else ()) for place, name in enumerate(NAMES)), {"y": 2})


class Bench:
    """A float model whose files' ratios follow from how they are made."""

    def __init__(
        self, gains: dict[str, float], *, fixed: tuple[str, ...] = (), alone: tuple[float, ...] = (60, 10, 60), plain: float = 10
    ) -> None:
        self.gains, self.made, self._alone, self.plain = gains, list[Setting](), alone, plain
        choices: dict[str, tuple[Scalar, ...]] = {"ranges": (Ranges.MEAN, Ranges.MINMAX), "reduce_range": (True, False)}
        layers = tuple(Layer(name, "Conv", 10) for name in NAMES)
        self.trials = Trials(
            self._write,
            self._judge,
            layers=layers,
            graph=lambda: GRAPH,
            choices=choices,
            applies=lambda _: True,
            fixed=fixed,
            fragile=(),
            groups=(),
            alone_db=lambda runs: [alone[NAMES.index(run[0])] for run in runs],
        )

    def _write(self, setting: Setting) -> Path:
        if "broken" in setting.keep_float:
            raise ValueError("refused")
        self.made.append(setting)
        return Path(str(len(self.made) - 1))

    def _judge(self, file: Path) -> Quality:
        setting = self.made[int(str(file))]
        words = {*setting.keep_float, *(f"{name}={value}" for name, value in setting.choices.given().items())}
        return Quality({"y": self.plain + sum(self.gains.get(word, 0) for word in words)})

    def climb(self, effort: int, seconds: float = 100.0) -> Setting:
        self.trials.begin(Setting())
        climb(self.trials, effort=effort, seconds=seconds)
        return self.trials.best.setting


def test_nothing_is_tried_where_plain_integers_are_good() -> None:
    bench = Bench({})
    bench._judge = lambda file: Quality({"y": 30.0})  # type: ignore[method-assign]
    bench.trials._judge = bench._judge
    assert bench.climb(3) == Setting()
    assert len(bench.made) == 1
    assert record(bench.trials, Choices()) == {}


def test_the_first_rung_that_helps_enough_ends_it_and_says_its_cost() -> None:
    bench = Bench({"ranges=minmax": 20})
    assert bench.climb(3) == Setting(Choices(ranges=Ranges.MINMAX))
    found = record(bench.trials, Choices())
    assert found.pop("tried_seconds") >= 0  # type: ignore[operator]
    assert found == {"ranges": "minmax", "tried_files": 2}


def test_what_helps_less_than_a_decibel_is_not_kept() -> None:
    assert Bench({"ranges=minmax": 0.5, "reduce_range=False": 20}).climb(1) == Setting(Choices(reduce_range=False))


@pytest.mark.parametrize(("effort", "files"), [(0, 1), (1, 4), (2, 6)])
def test_effort_says_how_far_it_goes(effort: int, files: int) -> None:
    bench = Bench({"middle": 20}, plain=21)
    best = bench.climb(effort)
    assert (best.keep_float == {"middle"}) == (effort >= 2), "the most sensitive layer stays in float"
    assert len(bench.made) <= files


def test_what_would_fail_has_its_sensitive_layers_in_float_and_more_time_for_that() -> None:
    """A recognizer at 9 dB stayed there: only a higher effort looked for its sensitive layers."""
    bench = Bench({"middle": 20})
    bench.trials.began -= 150  # Past what is tried against noise alone, within what is tried where parity would fail.
    assert bench.climb(1, seconds=100.0).keep_float == {"middle"}
    late = Bench({"middle": 20})
    late.trials.began -= 600
    assert late.climb(1, seconds=100.0) == Setting()


@pytest.mark.parametrize(("quality", "fails"), [
    (Quality({"y": 19.0}), True), (Quality({"y": 21.0}), False),
    (Quality({"y": 9.0}, lost=0.5, measured=True), False), (Quality({"y": 40.0}, lost=1.5, measured=True), True),
    (Quality({"y": 24.0}, lost=0.6, measured=True), True), (Quality({"y": 26.0}, lost=0.6, measured=True), False),
])  # fmt: skip
def test_a_metric_says_what_would_fail_and_decibels_where_there_is_none(quality: Quality, *, fails: bool) -> None:
    assert quality.fails is fails


def test_what_the_user_chose_stays() -> None:
    bench = Bench({"ranges=minmax": 20}, fixed=("ranges",))
    assert bench.climb(1).choices.ranges is None


def test_no_file_is_begun_after_the_time_is_over() -> None:
    bench = Bench({})
    bench.climb(3, seconds=-1.0)
    assert len(bench.made) == 1


def test_a_file_that_the_library_refuses_is_no_failure() -> None:
    bench = Bench({})
    bench.trials.begin(Setting())
    bench.trials.attempt(Setting().floats(["broken"]))
    assert bench.trials.best.setting == Setting()


@pytest.mark.parametrize(("quality", "enough"), [
    (Quality({"y": 16.0}), False), (Quality({"y": 16.0}, measured=True), True), (Quality({"y": 14.0}, measured=True), False),
    (Quality({"y": 16.0}, lost=0.1, measured=True), False), (Quality({"y": 26.0}, lost=0.1, measured=True), True),
])  # fmt: skip
def test_less_is_enough_where_the_metric_lost_nothing(quality: Quality, *, enough: bool) -> None:
    assert quality.enough is enough


def test_a_metric_that_lost_too_much_goes_on_though_the_noise_is_small() -> None:
    lost, whole = Quality({"y": 40.0}, lost=2.0, measured=True), Quality({"y": 39.0}, lost=0.5, measured=True)
    assert not lost.enough
    assert whole.beats(lost)
    assert not lost.beats(whole)


def test_what_passes_by_the_metric_beats_what_has_less_noise() -> None:
    noisy, failing = Quality({"y": 12.0}, lost=0.2, measured=True), Quality({"y": 24.0}, lost=3.0, measured=True)
    assert noisy.beats(failing)
    assert not failing.beats(noisy)


def test_of_two_that_fail_the_metric_says_which_is_better_and_decibels_where_it_does_not() -> None:
    """BlazeFace's scores rounded to steps across its threshold lost twice as many faces as one with a decibel less."""
    rounded, whole = Quality({"y": 14.0}, lost=27.0, measured=True), Quality({"y": 13.0}, lost=13.0, measured=True)
    assert whole.beats(rounded)
    assert not rounded.beats(whole)
    quieter = Quality({"y": 20.0}, lost=13.5, measured=True)
    assert quieter.beats(whole)


def test_as_many_sensitive_layers_stay_in_float_as_the_noise_of_the_others_allows() -> None:
    # Powers of 0.1, 0.1 and 0.0001: without the first two 40 dB are left.
    assert left_db([10.0, 40.0, 10.0]) == pytest.approx([6.99, 9.99, 40.0], abs=0.01)
    bench = Bench({"first": 1, "middle": 40}, alone=(10, 10, 40), plain=5)
    assert bench.climb(1).keep_float == {"first", "middle"}
    tried = [setting.keep_float for setting in bench.made if "first" in setting.keep_float]
    assert tried == [{"first", "middle"}], "one of them would leave 10 dB"


@pytest.mark.parametrize(("file_s", "most"), [(0.001, 3), (34.0, 2), (70.0, 1)])
def test_sensitive_layers_are_looked_for_in_the_time_that_is_left(file_s: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of 270 s had measured 32 groups of layers at 60 s each, and was stopped with all that it had."""
    now, asked = [0.0], list[int]()
    monkeypatch.setattr("toolkit.converters.ladder.time.monotonic", lambda: now[0])
    bench = Bench({})
    bench.trials._judge = bench._judge

    def write(setting: Setting) -> Path:
        now[0] += file_s
        return bench._write(setting)

    def alone_db(runs: list[list[str]]) -> list[float]:
        now[0] += file_s * len(runs)
        asked.append(len(runs))
        return [20.0 + place for place in range(len(runs))]

    bench.trials.write, bench.trials.alone_db = write, alone_db
    bench.climb(1, seconds=90.0)
    assert max(asked, default=1) == most
    assert now[0] <= 270 + 2 * file_s


def test_where_all_but_one_run_of_layers_in_float_still_fails_its_better_half_is_looked_for() -> None:
    """Basic Pitch lost 2.4 times what it may with all but a few layers in float; the search had no finer step."""
    names = [f"layer{number}" for number in range(512)]
    tried: list[frozenset[str]] = []

    def judge(file: Path) -> Quality:
        integers = [number for number, name in enumerate(names) if name not in tried[int(str(file))]]
        return Quality({"y": 10.0 - len(integers) / 100}, lost=0.1 if integers == [42] else 2.0 + len(integers), measured=True)

    def write(setting: Setting) -> Path:
        tried.append(setting.keep_float)
        return Path(str(len(tried) - 1))

    def alone_db(runs: list[list[str]]) -> list[float]:
        return [20.0 if "layer42" in run else 10.0 for run in runs]

    trials = Trials(
        write, judge, layers=[Layer(name, "Conv", 10) for name in names], graph=lambda: GRAPH, choices={}, applies=lambda _: True, fixed=(),
        fragile=(), groups=(), alone_db=alone_db,
    )  # fmt: skip
    trials.begin(Setting())
    climb(trials, effort=1, seconds=100.0)
    assert {*names} - trials.best.setting.keep_float == {"layer42"}
    assert not trials.best.quality.fails


def test_devices_without_floats_get_no_layer_in_float() -> None:
    """Integers at the borders of a file (``integer_io``) and a last layer in float contradict each other."""
    bench = Bench({"middle": 40, "last": 40, "reduce_range=False": 5})
    bench.trials.may_float = False
    assert bench.climb(3) == Setting(Choices(reduce_range=False))
    assert not any(setting.keep_float for setting in bench.made)
