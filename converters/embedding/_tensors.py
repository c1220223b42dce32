"""A picture's preparation as a TensorFlow function, for TF Lite: the same steps as in `_graph`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .base import HALF, INPUT, Picture


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
    channels = len(picture.mix)

    def prepare(given: Any) -> Any:
        sides = tf.shape(given)
        (high, top), (wide, left) = _placed(picture, sides[1], sides[2])
        rows, columns = _weights(sides[1], high, top, height), _weights(sides[2], wide, left, width)
        levels = _mixed(picture, tf.cast(tf.transpose(given, [0, 3, 1, 2]), tf.float32))
        across = _rounded(tf.matmul(levels, columns, transpose_b=True), 3)
        whole = _rounded(tf.matmul(rows, across), 2)
        if about.fit == "letterbox":
            inside = _inside(top, high, height)[:, None] & _inside(left, wide, width)[None]
            whole = tf.where(inside, whole, float(about.pad))
        if not picture.is_plain:
            mean, std = (tf.constant(values, tf.float32, [len(values), 1, 1]) for values in (about.mean, about.std))
            whole = (whole * about.scale - mean) / std
        # By its fixed shape the network's own tensors are of known size again, without which XNNPACK leaves them alone.
        return tf.reshape(whole if shape[1] == channels else tf.transpose(whole, [0, 2, 3, 1]), shape)

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


def _weights(size: Any, resized: Any, start: Any, count: int) -> Any:
    """``[2 count, size]``: what each row of the picture counts for each of the input, 0 outside of the picture; in 22 bits, of which the
    upper eleven come first.
    """
    import tensorflow as tf

    apart = (2 * (tf.range(count) - start) + 1)[:, None] * size - (2 * tf.range(size) + 1)[None] * resized
    triangle = tf.cast(tf.maximum(2 * tf.maximum(size, resized) - tf.maximum(apart, -apart), 0), tf.float32)
    whole = tf.maximum(tf.reduce_sum(triangle, 1, keepdims=True), 1.0)
    high = tf.floor(triangle * HALF / whole)
    low = tf.floor((triangle * HALF - high * whole) * HALF / whole + 0.5)
    return tf.concat([high, low], 0)


def _mixed(picture: Picture, raw: Any) -> Any:
    """Whole numbers ``[1, channels, h, w]`` of the app's channels."""
    import tensorflow as tf

    if picture.mix_of == 1:
        places = [row.index(1) for row in picture.mix]
        return raw if places == list(range(len(picture.mix[0]))) else tf.gather(raw, places, axis=1)
    luma = tf.constant(picture.mix[0], tf.float32, [len(picture.mix[0]), 1, 1])
    return tf.floor((tf.reduce_sum(raw * luma, 1, keepdims=True) + picture.mix_of / 2) / picture.mix_of)


def _rounded(sums: Any, axis: int) -> Any:
    """Whole levels of sums that have the upper bits before the lower ones on `axis`."""
    import tensorflow as tf

    upper, low = tf.split(sums, 2, axis)
    whole = tf.floor(upper / HALF)
    return tf.clip_by_value(whole + tf.floor(upper / HALF - whole + low / HALF**2 + 0.5), 0.0, 255.0)


def _inside(start: Any, size: Any, count: int) -> Any:
    import tensorflow as tf

    places = tf.range(count)
    return (places >= start) & (places < start + size)
