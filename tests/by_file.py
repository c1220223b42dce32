"""How tests are given to the workers of xdist: a file's tests to one worker, which makes what they share once."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# What the tests of this folder share is made by each worker that runs one of them.
TOGETHER = ("tests/pipeline/debug/",)


class ByFile(LoadScopeScheduling):
    """A file's tests run in one worker; those of a folder of `TOGETHER` too.

    xdist's own groups are none with pytest 9: it marks a test by `item._nodeid`, which pytest no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker has ended: give the rest of its tests to others; returns the test that it crashed in, None where all are done.

        xdist gives away also the files whose tests are all done. A worker that gets one of them runs nothing, so that it never asks for
        more: the run stood still until its time was over. And it runs the test that crashed again, in a worker that crashes as well.
        """
        files = self.assigned_work.pop(node)
        crashed = next((test for tests in files.values() for test, done in tests.items() if not done), None)
        for file, tests in files.items():
            if crashed in tests:
                tests[crashed] = True
            if not all(tests.values()):
                self.workqueue[file] = tests
        for other in self.nodes:
            self._reschedule(other)
        return crashed
