"""A user's own metric: found, called as it asks, and every way in which it can be wrong told in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.core import DataError, InputError, paired_difference
from toolkit.tasks import is_users
from toolkit.tasks.user_metric import about_metric, check_users_targets, metric_sha256, resolved, users_loss

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.integers(0, 2, 120)
REFERENCE = TARGETS + 0.4 * RANDOM.standard_normal(120)
CANDIDATE = REFERENCE + 0.3 * RANDOM.standard_normal(120)
CODE = '''
import numpy as np

def right(output, target):
    """Share of right answers.

    Of a half and more."""
    return (output > 0.5) == target
right.unit = "points"

def far(outputs, targets):
    return np.abs(outputs - targets)
far.unit, far.higher_is_better = "px", False

def area(outputs, targets):
    order = np.argsort(outputs)
    ranks = np.empty(len(order)); ranks[order] = np.arange(1, len(order) + 1)
    ones = targets == 1
    return (ranks[ones].sum() - ones.sum() * (ones.sum() + 1) / 2) / (ones.sum() * (~ones).sum())
area.unit = "points"

def by_name(outputs, targets):
    return (outputs["a"] > 0.5) == targets

def raises(outputs, targets):
    raise RuntimeError("no such thing")
def nan(outputs, targets):
    return float("nan")
def nans(output, target):
    return float("nan")
def fewer(outputs, targets):
    return np.zeros(len(targets) - 1)
def words(output, target):
    return "good"
def another(logits, labels):
    return 1.0
number = 3
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("metric") / "mymetric.py"
    path.write_text(CODE)
    return path


def test_a_share_of_right_answers_has_the_interval_of_shares(file: Path) -> None:
    scored = users_loss(f"{file}:right", reference={"y": REFERENCE}, candidate={"y": CANDIDATE}, targets=TARGETS)
    assert (scored.about.title, scored.about.unit, scored.about.higher_is_better) == ("Share of right answers", "points", True)
    first, second = (REFERENCE > 0.5) == TARGETS, (CANDIDATE > 0.5) == TARGETS
    expected = paired_difference(first, second)
    assert (scored.reference, scored.candidate) == (first.mean(), second.mean())
    assert scored.loss.drop.value == pytest.approx(100 * expected.value)
    assert (scored.loss.drop.low, scored.loss.drop.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert (scored.samples, scored.differing) == (120, (first != second).sum())


def test_an_error_rises(file: Path) -> None:
    scored = users_loss(f"{file}:far", reference={"y": REFERENCE}, candidate={"y": CANDIDATE}, targets=TARGETS)
    rise = np.abs(CANDIDATE - TARGETS) - np.abs(REFERENCE - TARGETS)
    assert (scored.about.title, scored.about.unit, scored.about.higher_is_better) == ("far", "px", False)
    assert scored.drop == pytest.approx(rise.mean())
    error = 1.98 * rise.std(ddof=1) / np.sqrt(120)
    assert (scored.loss.drop.low, scored.loss.drop.high) == pytest.approx((rise.mean() - error, rise.mean() + error), abs=0.15 * error)


def test_a_number_of_all_samples_is_drawn_again(file: Path) -> None:
    from sklearn.metrics import roc_auc_score

    scored = users_loss(f"{file}:area", reference={"y": REFERENCE}, candidate={"y": CANDIDATE}, targets=TARGETS)
    assert scored.reference == pytest.approx(roc_auc_score(TARGETS, REFERENCE))
    assert scored.loss.drop.low < scored.drop < scored.loss.drop.high
    same = users_loss(f"{file}:area", reference={"y": REFERENCE}, candidate={"y": REFERENCE}, targets=TARGETS)
    assert (same.drop, same.differing) == (0.0, 0)
    assert same.loss.drop.high > 1, "120 samples that do not differ cannot exclude a point"


def test_several_outputs_come_by_name(file: Path) -> None:
    scored = users_loss(
        f"{file}:by_name", reference={"a": REFERENCE, "b": CANDIDATE}, candidate={"a": CANDIDATE, "b": CANDIDATE}, targets=TARGETS
    )
    assert scored.reference == ((REFERENCE > 0.5) == TARGETS).mean()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", r"mymetric.py:raises' raised .*no such thing"),
        ("nan", r"mymetric.py:nan' returned nan, expected a finite number"),
        ("nans", r"mymetric.py:nans' returned nan"),
        ("fewer", r"mymetric.py:fewer' returned no number for each sample: expected 120 numbers, or one, got shape \[119\]"),
        ("words", r"mymetric.py:words' returned str: expected a number"),
        ("another", r"expected a function of \(outputs, targets\), or of one sample's \(output, target\), got \(logits, labels\)"),
        ("number", r"expected a function of .*, got int"),
        ("missing", r"has no 'missing': expected one of .*area.*"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_a_line(file: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace(", expected a finite", ": expected a finite")) as raised:
        users_loss(f"{file}:{name}", reference={"y": REFERENCE}, candidate={"y": CANDIDATE}, targets=TARGETS)
    assert "\n" not in str(raised.value)


def test_before_any_work(file: Path, tmp_path: Path) -> None:
    assert about_metric(f"{file}:far").unit == "px"
    with pytest.raises(InputError, match="no file"):
        about_metric(f"{tmp_path / 'none.py'}:far")
    with pytest.raises(InputError, match="--metric 'a b:c'"):
        about_metric("a b:c")
    with pytest.raises(DataError, match=r"samples 's\.npz' have no targets"):
        check_users_targets("m.py:f", None, "s.npz")
    assert is_users("m.py:f")
    assert not is_users("accuracy")


def test_its_name_is_whole_and_its_content_has_a_hash(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert resolved("mymetric.py:far") == f"{file.resolve()}:far"
    assert resolved("accuracy") == "accuracy"
    before = metric_sha256(f"{file}:far")
    assert before
    assert metric_sha256("accuracy") == ""
