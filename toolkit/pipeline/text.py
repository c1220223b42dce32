"""Numbers as people read them: the only place where a benchmark's figures become text."""

from __future__ import annotations

from datetime import datetime, timedelta

from toolkit.core import Interval, TaskMetric

NONE = "–"

_TIME = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZE = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))


def duration(nanoseconds: float) -> str:
    """``39.2 µs``: three digits, in the unit that fits."""
    scale, unit = _time_unit(nanoseconds)
    return f"{_digits(nanoseconds / scale, nanoseconds / scale)} {unit}"


def rough(seconds: float) -> str:
    """``45 s``, ``12 min``, ``2.5 h``: how long something takes, as far as anybody wants to know."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def duration_interval(interval: Interval) -> str:
    """``39.2 [38.9, 40.1] µs``: one unit for the three."""
    scale, unit = _time_unit(interval.value)
    return f"{_bracketed(interval, scale)} {unit}"


def rate_interval(interval: Interval) -> str:
    """``12.3 [12.0, 12.6] k/s``: samples in a second."""
    scale, unit = next(((s, u) for s, u in ((1e6, "M/s"), (1e3, "k/s")) if interval.value >= s), (1.0, "/s"))
    return f"{_bracketed(interval, scale)} {unit}"


def ratio_interval(interval: Interval) -> str:
    """``1.32 [1.28, 1.36]×``."""
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]×"


def sentence(words: str) -> str:
    """The words as a heading: with a capital, but for names such as ``mAP`` that begin without one."""
    return words if words[1:2].isupper() else f"{words[:1].upper()}{words[1:]}"


def moment(iso: str) -> str:
    """``2026-11-25 18:03 UTC`` of what `datetime.isoformat` writes; anything else as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{at:%Y-%m-%d %H:%M} {'UTC' if at.utcoffset() == timedelta(0) else f'{at:%z}'}".rstrip()


def size(count: float) -> str:
    """``1.21 MiB``."""
    scale, unit = next(((s, u) for s, u in _SIZE if count >= s), (1, "B"))
    return f"{_digits(count / scale, count / scale) if scale > 1 else round(count)} {unit}"


def accuracy(task: TaskMetric) -> str:
    """The candidate's metric, ``88.75 %``, ``31.2 dB``."""
    return task.value(task.candidate)


def drop(task: TaskMetric) -> str:
    """What was lost, in the metric's unit: ``0.10 [-0.15, 0.35]`` points; a gain is negative."""
    return task.interval


def _bracketed(interval: Interval, scale: float) -> str:
    if interval.low == interval.value == interval.high:  # One round has no interval.
        return _digits(interval.value / scale, interval.value / scale)
    value, low, high = (_digits(number / scale, interval.value / scale) for number in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def _digits(number: float, like: float) -> str:
    """Three significant digits of `like`, so that numbers printed side by side end at the same place."""
    return f"{number:.{2 if like < 9.995 else 1 if like < 99.95 else 0}f}"


def _time_unit(nanoseconds: float) -> tuple[float, str]:
    return next(((scale, unit) for scale, unit in _TIME if nanoseconds >= scale), (1.0, "ns"))
