"""A picture's preparation as a TensorFlow function, for TF Lite: the same steps as in `_graph`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .base import GROUP, HALF, INPUT, Picture


def tflite_of(picture: Picture, shape: Sequence[int]) -> bytes:
    """A ``.tflite`` file of ``picture uint8[1,h,w,c] -> float32`` of the network's input, whose shape in its own file this is."""
    import tensorflow as tf

    spec = tf.TensorSpec([1, None, None, len(picture.mix[0])], tf.uint8, name=INPUT)
    traced = tf.function(_function(picture, shape), input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    content: bytes = converter.convert()
    return content


def _function(picture: Picture, shape: Sequence[int]) -> Callable[[Any], Any]:
    import tensorflow as tf

    height, width = picture.size
    about = picture.about

    def prepare(given: Any) -> Any:
        sides = tf.shape(given)
        (high, top), (wide, left) = _placed(picture, sides[1], sides[2])
        raw = tf.transpose(_mixed(picture, given), [0, 2, 1, 3])
        across = tf.cast(_resized(raw, sides[2], wide, left, width), tf.uint8)
        whole = _resized(tf.transpose(across, [0, 2, 1, 3]), sides[1], high, top, height)
        if picture.order is not None:
            whole = tf.gather(whole, picture.order, axis=3)
        if about.fit == "letterbox":
            inside = _inside(top, high, height)[:, None, None] & _inside(left, wide, width)[:, None]
            whole = tf.where(inside, whole, float(about.pad))
        if not picture.is_plain:
            whole = (whole * about.scale - tf.constant(about.mean, tf.float32)) / tf.constant(about.std, tf.float32)
        # By its fixed shape the network's own tensors are of known size again, without which XNNPACK leaves them alone.
        return tf.reshape(whole if list(shape) == [1, height, width, len(picture.mix)] else tf.transpose(whole, [0, 3, 1, 2]), shape)

    return prepare


def _placed(picture: Picture, h: Any, w: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Height and top, width and left of the resized picture in the input: `Placement`."""
    import tensorflow as tf

    height, width = picture.size
    if picture.about.fit == "stretch":
        return (height, 0), (width, 0)
    choose = tf.minimum if picture.about.fit == "letterbox" else tf.maximum
    high = tf.maximum(1, choose(height, (2 * h * width + w) // (2 * w)))
    wide = tf.maximum(1, choose(width, (2 * w * height + h) // (2 * h)))
    return (high, (height - high) // 2), (wide, (width - wide) // 2)


def _mixed(picture: Picture, given: Any) -> Any:
    """``uint8[1, h, w, c]``: grey where the app has colours and the network takes none."""
    import tensorflow as tf

    if not picture.is_mixed:
        return given
    weighed = tf.cast(given, tf.float32) * tf.constant(picture.mix[0], tf.float32)
    return tf.cast(tf.floor((tf.reduce_sum(weighed, -1, keepdims=True) + picture.mix_of / 2) / picture.mix_of), tf.uint8)


def _resized(source: Any, size: Any, resized: Any, start: Any, count: int) -> Any:
    """Whole levels ``float[1, count, k, c]`` of ``uint8[1, size, k, c]``: each group of results from a window of the source that holds all
    it needs. The weights are whole numbers of 22 bits, of which the upper eleven come first.
    """
    import tensorflow as tf

    group = min(GROUP, count)
    groups = -(-count // group)
    reach = 2 * tf.maximum(size, resized)
    length = tf.minimum(size, ((group - 1) * size + reach) // resized + 3)
    centre = (2 * (tf.range(groups * group) - start) + 1) * size
    begin = tf.minimum(tf.maximum(centre[::group] - reach, 0) // (2 * resized), size - length)
    places = begin[:, None] + tf.range(length)[None]
    away = tf.reshape(centre, [groups, group, 1]) - ((2 * places + 1) * resized)[:, None]
    triangle = tf.cast(tf.maximum(reach - tf.maximum(away, -away), 0), tf.float32)
    whole = tf.maximum(tf.reduce_sum(triangle, -1, keepdims=True), 1.0)
    upper = tf.floor(triangle * HALF / whole)
    lower = tf.floor((triangle * HALF - upper * whole) * HALF / whole + 0.5)
    shape = tf.shape(source)
    windows = tf.reshape(tf.gather(source, places, axis=1), [groups, length, shape[2] * shape[3]])
    high, low = tf.split(tf.matmul(tf.concat([upper, lower], 1), tf.cast(windows, tf.float32)), 2, 1)
    full = tf.floor(high / HALF)
    levels = tf.clip_by_value(full + tf.floor(high / HALF - full + low / HALF**2 + 0.5), 0.0, 255.0)
    return tf.reshape(levels, [1, groups * group, shape[2], shape[3]])[:, :count]


def _inside(start: Any, size: Any, count: int) -> Any:
    import tensorflow as tf

    places = tf.range(count)
    return (places >= start) & (places < start + size)
