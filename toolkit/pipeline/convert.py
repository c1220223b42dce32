"""One trained model to many artifacts: plan, convert in processes of their own, verify."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.cache import copy
from toolkit.converters.planner import plan, reachable, ways
from toolkit.converters.recipes import NamedRecipe
from toolkit.converters.task import Obtained, obtain
from toolkit.core import (
    MANIFEST,
    Artifact,
    Format,
    InputError,
    Precision,
    StorageError,
    ToolkitError,
    Verdict,
    available_threads,
    make_folder,
    stop_isolated,
)
from toolkit.runtimes import elsewhere
from toolkit.tasks import Limits, task_for

from .data import Given
from .folds import Folds, check_folds
from .progress import OnEvent
from .source.place import trained_there
from .source.plan import SamplePlan
from .source.remembered import remember
from .source.samples import Split
from .verify import Verified, Verifier, verify_all
from .ways import Judge, first_right


@dataclass(frozen=True)
class Row:
    """What became of one target. ``artifact`` is None when it could not be made; ``reason`` says why.

    ``offered`` is False where the trained model is in integers itself, of which nothing in that precision is made.
    ``measurable`` is False where its engines are for other machines: the artifact is made, and its parity must be measured there.
    ``available`` is False where the format has no such precision or cannot do what the recipe chooses, which is no failure while another
    requested format can. ``samples`` says what it was judged by. ``tried`` has a line for each other way to it, or to what it was made
    from, that was tried before and left.
    """

    target: str
    artifact: Artifact | None
    from_cache: bool = False
    seconds: float = 0.0
    reason: str = ""
    available: bool = True
    measurable: bool = True
    samples: SamplePlan | None = None
    tried: tuple[str, ...] = ()
    offered: bool = True

    @property
    def passed(self) -> bool:
        """Whether the artifact was made and its parity passed."""
        return self.artifact is not None and self.artifact.verdict is Verdict.PASSED


@dataclass(frozen=True)
class Request:
    """What to make: ``targets`` in order, into the bundle folder ``out``; each step within the time and the memory that it is given.
    ``recipes`` are those of the targets' variants; ``overwrite`` says that another trained model in ``out`` may be lost; ``data`` is what
    the samples of ``split`` were named by, if by anything, and is remembered in the bundle as ``limits`` are; ``limits_of`` is the bundle
    that remembered those, empty where the user or the default says them. With ``folds`` all rows of a file verify, those that calibrated
    an artifact through a twin of it. ``effort``, 0 to 3, is how much is tried where plain integers have too much noise.
    """

    source: Artifact
    targets: tuple[Node, ...]
    out: Path
    split: Split
    limits: Limits = field(default_factory=Limits)
    batch_sizes: tuple[int, ...] = (1, 32)
    timeout_s: float = 600.0
    memory_bytes: int | None = None
    recipes: tuple[NamedRecipe, ...] = ()
    overwrite: bool = False
    data: str | Given | None = None
    limits_of: str = ""
    folds: bool = False
    effort: int = 1


def nodes(formats: Iterable[str], precisions: Iterable[str], recipes: Iterable[NamedRecipe] = ()) -> tuple[Node, ...]:
    """Every combination of the named formats with the precisions and the recipes; raises `UnknownNameError`."""
    kinds = [(Precision.parse(name), "") for name in precisions] + [(recipe.precision, recipe.variant) for recipe in recipes]
    return tuple(Node(Format.parse(name), *kind) for name in formats for kind in dict.fromkeys(kinds))


def for_source(targets: Sequence[Node], source: Artifact) -> tuple[Node, ...]:
    """The targets, and before them what can be made in their formats of a source that is in integers itself, that source included."""
    start = Node(source.manifest.format, source.manifest.precision)
    if start.precision is Precision.FP32:
        return tuple(targets)
    formats = {target.format for target in targets}
    able = sorted((node for node in {start, *reachable(start)} if node.format in formats), key=str)
    return tuple(dict.fromkeys((*able, *targets)))


def convert(request: Request, *, verify: bool = True, on_progress: OnEvent | None = None) -> list[Row]:
    """Convert and verify, or convert only; one target that fails does not stop the others.

    Edges that several targets share run once; independent edges run side by side on the threads this process may use.

    Raises:
        InputError: folds, of samples that have none.
        StorageError: the bundle cannot be written.
    """
    if request.folds:
        check_folds(request.split)
    report = on_progress or (lambda _target, _event: None)
    home = request.out / request.source.name
    if home.resolve() != request.source.path.resolve() and not request.source.manifest.parent:
        trained_there(replace(request.source, path=home), overwrite=request.overwrite)
    log = request.out / "logs"
    if log.is_symlink():
        raise StorageError(f"'{log}' is a link", expected="a folder of the bundle's own", hint="remove it")
    make_folder(log)
    root = _with_task(_in_bundle(request.source, request.out), request)
    remember(request.out, data=request.data, limits=request.limits)
    with tempfile.TemporaryDirectory(prefix="toolkit-convert-") as work, ThreadPoolExecutor(available_threads()) as pool:
        verifier = Verifier(root, request.split.evaluation, request.limits)
        scheduler = _Scheduler(request, root, Path(work), log, pool, judge=Judge(verifier) if verify else None)
        rows = scheduler.run(report)
        if not verify:
            return rows
        rows = [_with_reason_elsewhere(row) for row in rows]
        made = [row.artifact for row in rows if row.artifact is not None and row.measurable]
        folds = None
        if request.folds:
            make_folder(log / "twins")
            others = _Scheduler(_for_twins(request, rows, Path(work) / "twins"), root, Path(work) / "before", log / "twins", pool)
            folds = _folds(request, rows, others.run(lambda name, event: report(f"twin of {name}", event)))
        if folds is not None:
            verifier = Verifier(root, request.split.evaluation, request.limits, folds=folds)
        for artifact in scheduler.made():
            verifier.remember(artifact)
        results = verify_all(verifier, made, on_done=lambda name: report(name, "verified"))
    return [_with_result(row, results.get(row.target)) for row in rows]


def _for_twins(request: Request, rows: Sequence[Row], out: Path) -> Request:
    """What makes a twin of all that was calibrated, by the same recipes of other rows."""
    assert request.split.twin is not None
    calibrated = {row.target for row in rows if row.artifact is not None and row.measurable and row.artifact.manifest.calibration}
    targets = tuple(target for target in request.targets if str(target) in calibrated)
    return replace(request, split=replace(request.split, calibration=request.split.twin), targets=targets, out=out)


def _folds(request: Request, rows: Sequence[Row], twins: Sequence[Row]) -> Folds:
    made = {row.target: row.artifact.manifest.content_sha256 for row in rows if row.artifact is not None}
    known = [(made[row.target], row) for row in twins]
    return Folds(
        request.split.calibration,
        {content: row.artifact for content, row in known if row.artifact is not None},
        {content: row.reason for content, row in known if row.artifact is None},
    )


def check_kept(request: Request) -> None:
    """Raise `InputError` where plain int8 would replace one whose layers were chosen to hold a limit, and nobody said that it may."""
    root = request.source.manifest.root or request.source.manifest.content_sha256
    for target in request.targets:
        folder = request.out / str(target)
        if target.variant or request.overwrite or not (folder / MANIFEST).is_file():
            continue
        manifest = Artifact.load(folder, verify=False).manifest
        if manifest.recipe.get("keep_float") and manifest.root == root:
            raise InputError(
                f"'{folder}' has layers in float that toolkit quantize chose, and would lose them",
                hint="replace it: --overwrite; keep it: leave it out with --precision, or another --out",
            )


def succeeded(rows: Sequence[Row]) -> bool:
    """Whether every target that exists passed, and every requested precision exists in some requested format."""
    rows = [row for row in rows if row.offered]
    made = {_kind(row) for row in rows if row.available}
    return bool(rows) and all(row.passed or _made_for_elsewhere(row) if row.available else _kind(row) in made for row in rows)


def _kind(row: Row) -> tuple[Precision, str]:
    node = Node.parse(row.target)
    return node.precision, node.variant


def _made_for_elsewhere(row: Row) -> bool:
    return row.artifact is not None and not row.measurable


def stop_all(steps: Collection[Future[Any]]) -> None:
    """Stop the processes of all steps, again and again: a step that had not started its process yet starts it now."""
    while any(step.running() for step in steps):
        stop_isolated()
        time.sleep(0.02)


class _Scheduler:
    """Runs each edge once, a child after its parent. Futures are submitted parents first, so a waiting child never blocks one.

    Where a `judge` finds that the result of an edge is wrong, or there is none, other ways are tried.
    """

    def __init__(
        self, request: Request, root: Artifact, work: Path, log: Path, pool: ThreadPoolExecutor, *, judge: Judge | None = None
    ) -> None:
        self._request, self._root, self._work, self._log, self._pool, self._judge = request, root, work, log, pool, judge
        self._tried: dict[Node, tuple[str, ...]] = {}
        self._adding = threading.Lock()
        self._recipes = {(recipe.precision, recipe.variant): recipe for recipe in request.recipes}
        self._steps: dict[Node, Future[Obtained]] = {}
        self._start = Node(root.manifest.format, root.manifest.precision)

    def run(self, report: OnEvent) -> list[Row]:
        try:
            # Ctrl-C may come while later targets are still planned: the steps of the first ones run already.
            paths = self._begin(report)
            return [self._row(target, paths[target]) for target in self._request.targets]
        except BaseException:
            self._pool.shutdown(wait=False, cancel_futures=True)
            stop_all(self._steps.values())
            raise

    def _begin(self, report: OnEvent) -> dict[Node, Sequence[Converter] | ToolkitError]:
        paths: dict[Node, Sequence[Converter] | ToolkitError] = {}
        for target in self._request.targets:
            try:
                path = plan(self._start, target)
                if target.variant and path:
                    path[-1].check_choices((named := self._named(target)).choices, named.keep_float)
                paths[target] = path
            except ToolkitError as error:
                paths[target] = error
                continue
            for converter in path:
                node = target if converter is path[-1] else converter.target
                with self._adding:
                    if node not in self._steps:
                        self._steps[node] = self._pool.submit(self._step, converter, node, report)
        return paths

    def made(self) -> list[Artifact]:
        """Every artifact that was made, those on the way too."""
        return [step.result().artifact for step in self._steps.values() if step.exception() is None]

    def _named(self, target: Node) -> NamedRecipe:
        return self._recipes[target.precision, target.variant]

    def _recipe(self, node: Node) -> Recipe:
        request = self._request
        recipe = Recipe(request.split.calibration, request.batch_sizes, effort=request.effort, limits=request.limits)
        if not node.variant:
            return recipe
        named = self._named(node)
        return replace(recipe, keep_float=named.keep_float, choices=named.choices, variant=named.variant)

    def _step(self, converter: Converter, node: Node, report: OnEvent) -> Obtained:
        name = str(node)
        folder = (self._request.out if node in self._request.targets else self._work) / name
        every = ways(self._start, node) if node == converter.target else (converter,)
        others = (self._work / f"{name}-{number}" / name for number in itertools.count())
        folders = itertools.chain([folder], others)
        found = first_right(every, lambda each, out: self._attempt(each, node, out, report), folders, self._judge)
        self._tried[node] = found.left
        if found.made is None:
            report(name, "failed")
            assert found.error is not None
            raise found.error
        report(name, "cached" if found.made.from_cache else "converted")
        return found.made

    def _attempt(self, converter: Converter, node: Node, out: Path, report: OnEvent) -> Obtained:
        source = self._root if converter.source == self._start else self._source(converter.source, report)
        return obtain(
            converter,
            source,
            out,
            self._recipe(node),
            timeout_s=self._request.timeout_s,
            memory_bytes=self._request.memory_bytes,
            log=self._log / f"{node}.log",
        )

    def _source(self, node: Node, report: OnEvent) -> Artifact:
        """The artifact of a step that another one starts from, which is run here where nobody asked for it."""
        with self._adding:
            step = self._steps.get(node)
            # One that waits for a thread could wait for this one.
            is_new = step is None or step.cancel()
            if is_new:
                self._steps[node] = Future()
            step = self._steps[node]
        if is_new:
            try:
                step.set_result(self._step(ways(self._start, node)[0], node, report))
            except BaseException as error:
                step.set_exception(error)
        return step.result().artifact

    def _row(self, target: Node, path: Sequence[Converter] | ToolkitError) -> Row:
        if isinstance(path, ToolkitError):
            offered = self._start.precision is Precision.FP32
            return Row(str(target), None, reason=str(path), available=False, offered=offered)
        if not path:
            return Row(str(target), self._root)
        try:
            made = self._steps[target].result()
        except ToolkitError as error:
            return Row(str(target), None, reason=str(error), tried=self._left(path))
        return Row(str(target), made.artifact, made.from_cache, made.seconds, tried=self._left(path))

    def _left(self, path: Sequence[Converter]) -> tuple[str, ...]:
        return tuple(line for converter in path for line in self._tried.get(converter.target, ()))


def _with_reason_elsewhere(row: Row) -> Row:
    if row.artifact is None:
        return row
    reason = elsewhere(row.artifact.manifest.format, row.artifact.manifest.precision)
    return replace(row, measurable=False, reason=f"{reason}; there run: toolkit verify") if reason else row


def _with_result(row: Row, result: Verified | None) -> Row:
    if result is None:
        return row
    return replace(row, artifact=result.artifact, reason="; ".join(map(str, result.errors.values())) or row.reason)


def _with_task(root: Artifact, request: Request) -> Artifact:
    """The trained model with what its outputs mean, where the request or its samples say it: what is made of it inherits that."""
    samples, limits = request.split.evaluation, request.limits
    targets = None if samples.drawn else samples.targets
    task, _ = task_for(root.manifest, targets, task=limits.task, metric=limits.metric)
    return root if task is None else root.with_task(task.name)


def _in_bundle(source: Artifact, out: Path) -> Artifact:
    """The source as part of the bundle."""
    home = out / source.name
    if home.resolve() != source.path.resolve():
        copy(source, home)
    return Artifact.load(home)
