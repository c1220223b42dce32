"""``make fuzz``: many mutants, a summary, and the inputs of those that found something.

python tests/fuzz/run.py --mutants 1000 --seed 7
python tests/fuzz/run.py --seed 7 --only 123        # one again, its files kept
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.cases import KINDS, make_case
from tests.fuzz.harness import Harness, Outcome
from tests.fuzz.seeds import Seeds, make_seeds


def fuzz(numbers: range, *, seed: int, seeds: Seeds, folder: Path, kinds: tuple[str, ...] = (), keep: bool = False) -> list[Outcome]:
    """The outcomes of the mutants `numbers`, in a worker below `folder`; the files of those with problems stay there."""
    harness = Harness(folder)
    outcomes = []
    try:
        for number in numbers:
            home = folder / f"case-{number:05d}"
            shutil.rmtree(home, ignore_errors=True)
            outcome = harness.run(make_case(number, seed, seeds, home, kinds=kinds), home)
            outcomes.append(outcome)
            if not outcome.problems and not keep:
                shutil.rmtree(home)
            if outcome.problems:
                print(
                    f"{outcome.case.name}: {'; '.join(outcome.problems)}\n    {' '.join(outcome.case.words)}\n    {outcome.message[:300]}",
                    flush=True,
                )
    finally:
        harness.close()
    return outcomes


def main() -> int:
    """Fuzz as the command line says; 1 when anything was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this mutant alone")
    parser.add_argument("--kinds", default="", help=f"some of {','.join(KINDS)}")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/fuzz"), help="where failing inputs stay")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    seeds = make_seeds(folder / "seeds")
    kinds = tuple(filter(None, arguments.kinds.split(",")))
    start = time.monotonic()
    if arguments.only is not None:
        parts = [range(arguments.only, arguments.only + 1)]
    else:
        parts = [range(first, arguments.mutants, arguments.workers) for first in range(arguments.workers)]
    with ThreadPoolExecutor(len(parts)) as pool:
        jobs = [
            pool.submit(fuzz, part, seed=arguments.seed, seeds=seeds, folder=folder / f"worker-{n}", kinds=kinds, keep=len(part) == 1)
            for n, part in enumerate(parts)
        ]
        outcomes = [outcome for job in jobs for outcome in job.result()]
    return _summary(outcomes, time.monotonic() - start, arguments.seed)


def _summary(outcomes: list[Outcome], seconds: float, seed: int) -> int:
    bad = [outcome for outcome in outcomes if outcome.problems]
    print(f"\n{len(outcomes)} mutants of seed {seed} in {seconds:.0f} s: {len(bad)} with problems")
    kinds = Counter(outcome.case.name.partition("-")[2] for outcome in outcomes)
    for kind, count in sorted(kinds.items()):
        own = [outcome for outcome in outcomes if outcome.case.name.endswith(f"-{kind}")]
        codes = Counter(outcome.code for outcome in own)
        slowest = max(outcome.seconds for outcome in own)
        ends = ", ".join(f"{codes[code]} {text}" for code, text in ((0, "accepted"), (1, "told as failed"), (2, "refused")) if codes[code])
        print(f"  {kind:11}{count:5}: {ends}; slowest {slowest:.1f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
