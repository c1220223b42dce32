"""A folder of recordings, with a table of what is to be said of each, or a folder for each class."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.core import TARGETS, DataError, Preprocessing, Sound, TensorSpec, available_threads, first_line

from ._preparation import FILE, Preparation
from ._prepared import cached, key_of, written
from ._tables import Reading, Row, readable
from .base import DataReader, Found, Given, Wanted
from .csv import CsvTable
from .jsonl import JsonLines
from .parquet import ParquetTable

SUFFIXES = frozenset({".wav", ".wave"})
TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
FILES = ("file_name", "file", "path", "audio")
"""What the column of the files may be called."""
_FILE, _SOUND = " file", " sound"
"""Beside the columns of a table, none of which is called so."""
_TEXTS = ("text", "transcription", "sentence", "label")
_READERS = (CsvTable(), JsonLines(), ParquetTable())


class Recordings(DataReader):
    """``audio/1.wav`` with ``audio/metadata.csv`` (file_name, text), as Hugging Face lays them out; or ``audio/dog/1.wav``, where folders
    are classes.
    """

    name = "audio"
    takes = "a folder of WAV recordings such as audio/, with metadata.csv (file_name, text) or a folder for each class"
    example = "audio/"
    options: ClassVar = frozenset({"prepare", "target", "max_samples"})

    def owns(self, word: str) -> bool:
        """A folder with recordings in it or below."""
        return Path(word).is_dir() and any(True for _ in _recordings(Path(word)))

    def path(self, word: str) -> Path:
        """The folder."""
        return Path(word)

    def _read(self, given: Given, wanted: Wanted) -> Found:
        path = Path(given.word)
        preparation = Preparation.beside(path, given.prepare)
        sound = preparation.audio or (wanted.preprocessing.sound if wanted.preprocessing else None) or Sound()
        if len(wanted.signature.inputs) != 1 or not wanted.signature.inputs[0].dtype.startswith("float"):
            got = ", ".join(map(str, wanted.signature.inputs))
            raise DataError("recordings do not fill the inputs of this network", expected="one input of floating-point numbers", got=got)
        spec = wanted.fixed.inputs[0]
        length_of(spec, sound)
        place, rows, target = _listed(path, given.target)
        files = [(str(row[_FILE].resolve()), row[_FILE].stat().st_size, row[_FILE].stat().st_mtime_ns) for _, row in rows]
        known = [row.get(target) for _, row in rows]
        key = key_of(self.name, files, known, spec, sound, preparation.target, wanted.labels, given.max_samples)

        def make(folder: Path) -> None:
            shaped = replace(wanted, signature=replace(wanted.signature, inputs=(spec,)))
            reading = Reading(
                place,
                shaped,
                {spec.name: [_SOUND]},
                target=target,
                limit=given.limit,
                preparation=preparation,
                value=lambda _spec, array, _place: array,
            )
            labels = reading.look(iter(rows)) if target else ()
            reading.notes.append(note_of(spec, sound))
            with readable(place):
                written(
                    folder,
                    "samples",
                    reading.batches(_decoded(rows[: given.limit + 1], spec, sound), labels),
                    signature=wanted.signature,
                    origin=path.resolve().name,
                    notes=reading.notes,
                    labels=labels,
                    preprocessing=Preprocessing(sound=sound),
                )

        return cached(key, make)


def _decoded(rows: list[Row], spec: TensorSpec, sound: Sound) -> Iterator[Row]:
    """The rows with their input as ``sound``, some side by side."""
    at_once = 16
    with ThreadPoolExecutor(available_threads()) as pool:
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            arrays = pool.map(lambda row: input_of(row[1][_FILE], spec, sound), some)
            yield from ((place, {**row, _SOUND: array}) for (place, row), array in zip(some, arrays, strict=True))


def _recordings(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def _listed(path: Path, target: str) -> tuple[Path, list[Row], str]:
    """Where it stands, each recording as ``file`` with its target, and what that is called, empty for none; in the order of the table or
    of their names.
    """
    rows: list[Row]
    table = next((path / name for name in TABLES if (path / name).is_file()), None)
    if table is None:
        files = list(_recordings(path))
        by_class = all(file.parent != path for file in files)
        rows = [(f"'{file.name}'", {_FILE: file, "class": file.relative_to(path).parts[0]}) for file in files]
        return path, rows, "class" if by_class else ""
    reader = next(each for each in _READERS if each.owns(table.name))
    with readable(table):
        known = reader.columns(table)
        name = next((each for each in FILES if each in known), "")
        wanted = target or next((each for each in (*TARGETS, *_TEXTS) if each in known), "")
        for column in (name or FILES[0], *([wanted] if wanted else [])):
            if column not in known:
                raise DataError(f"'{table}' has no column '{column}'", expected=f"one of {', '.join(known) or 'none: it is empty'}")
        columns = [name, *([wanted] if wanted else [])]
        rows = []
        for place, row in reader.rows(table, columns):
            if not (file := path / str(row[name])).is_file():
                raise DataError(f"'{table}' {place} names '{row[name]}', and there is no such recording", expected=f"it in {path}")
            rows.append((place, {_FILE: file, **({wanted: row[wanted]} if wanted else {})}))
    return table, rows, wanted


def input_of(file: Path, spec: TensorSpec, sound: Sound) -> np.ndarray:
    """The input of a recording, in the shape of the network's."""
    samples, rate = recording(file)
    values = sound.resampled(samples.mean(axis=1), rate)
    length, shape = length_of(spec, sound), tuple(size if isinstance(size, int) else -1 for size in spec.shape[1:])
    values = np.pad(values[:length], (0, max(0, length - len(values))))
    if sound.features == "waveform":
        return values.astype(spec.dtype).reshape(shape)
    bands = sound.log_mel(values)
    return (bands.T if frames_first(spec, sound) else bands).astype(spec.dtype).reshape(shape)


def frames_first(spec: TensorSpec, sound: Sound) -> bool:
    """Whether an input has its frames before their bands."""
    return spec.shape[-1] == sound.mels and spec.shape[-2] != sound.mels


def length_of(spec: TensorSpec, sound: Sound) -> int:
    """How many samples an input is of; raises `DataError` where nobody says it, or it is no input for these features."""
    sizes = [size for size in spec.shape[1:] if size != 1]
    if sound.features == "log-mel":
        if len(sizes) != 2 or sound.mels not in sizes:
            raise DataError(f"log-mel features do not fill the input {spec}", expected=f"{sound.mels} bands and frames", hint=f"see {FILE}")
        size = next((each for each in sizes if each != sound.mels), sound.mels)
        fixed = size * sound.hop if isinstance(size, int) else None
    else:
        if len(sizes) != 1:
            hint = f'a spectrum: say features = "log-mel" in {FILE}, [audio]'
            raise DataError(f"recordings do not fill the input {spec}", expected="[batch, SAMPLES] or [batch, 1, SAMPLES]", hint=hint)
        fixed = sizes[0] if isinstance(sizes[0], int) else None
    if fixed is None and sound.seconds is None:
        raise DataError(f"input {spec} has no fixed length", hint=f"say it in {FILE}: [audio] seconds = 10")
    return fixed if fixed is not None else round((sound.seconds or 0) * sound.rate)


def recording(file: Path) -> tuple[np.ndarray, int]:
    """Samples ``[S, channels]`` in [-1, 1], and how many there are a second; raises `DataError`."""
    try:
        with wave.open(str(file), "rb") as stream:
            about = stream.getparams()
            content = stream.readframes(about.nframes)
    except (OSError, EOFError, wave.Error) as error:
        raise _unreadable(file, first_line(error) or "it is cut short") from error
    if not about.nframes or len(content) < about.nframes * about.nchannels * about.sampwidth:
        raise _unreadable(file, "it is cut short")
    if about.sampwidth == 1:
        values = (np.frombuffer(content, np.uint8).astype(np.float64) - 128) / 128
    else:
        raw = np.frombuffer(content, np.uint8).reshape(-1, about.sampwidth)
        wide = np.zeros((len(raw), 4), np.uint8)  # The bytes of a sample, the largest last, above zeros.
        wide[:, 4 - about.sampwidth :] = raw
        values = wide.view("<i4")[:, 0] / 2.0**31
    return values.reshape(-1, about.nchannels), about.framerate


def _unreadable(file: Path, why: str) -> DataError:
    hint = f"bring a whole one, or convert it: ffmpeg -i {file.name} -c:a pcm_s16le out.wav"
    return DataError(f"'{file}' cannot be read as a WAV recording: {why}", expected="whole numbers of 8 to 32 bits (PCM)", hint=hint)


def note_of(spec: TensorSpec, sound: Sound) -> str:
    """In words."""
    length = length_of(spec, sound)
    features = "the samples themselves" if sound.features == "waveform" else f"{sound.mels} log-mel bands every {sound.hop} samples"
    return f"recordings are {length / sound.rate:g} s at {sound.rate:,} Hz, {features}; another preparation: {FILE} or --prepare"
