"""The Hub, as far as it can be tested without one: addresses, an end that cannot be reached, and what the library's errors mean.

No push to the real Hub and no pull from it has been run here: docs/sharing.md says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, errors
from huggingface_hub.hf_api import HfApi, RepoFile
from huggingface_hub.utils import are_progress_bars_disabled

from tests.pipeline.store.conftest import Bundles
from toolkit.core import InputError, MissingDependencyError, TransferError
from toolkit.pipeline.store import huggingface, pull, push
from toolkit.pipeline.store.base import Address
from toolkit.pipeline.store.huggingface import HuggingFace, _parts

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def test_addresses() -> None:
    assert _parts(Address("hf", "my-team/cnn")) == ("my-team/cnn", None)
    assert _parts(Address("hf", "my-team/cnn@v2")) == ("my-team/cnn", "v2")
    assert _parts(Address("hf", "a.b/c_d@refs/pr/1")) == ("a.b/c_d", "refs/pr/1")
    for rest in ("cnn", "a/b/c", "a/b@", "a/b@x y", "a/b?x", "@v2", "a/", "a/b@v1@v2"):
        with pytest.raises(InputError, match=r"names no repository of the Hub: expected hf://ORG/NAME\[@REVISION\]"):
            _parts(Address("hf", rest))


def test_nobody_there(bundles: Bundles, tmp_path: Path) -> None:
    for call in (lambda: push(bundles.plain, "hf://a/b"), lambda: pull("hf://a/b@main", tmp_path / "x.zip")):
        with pytest.raises(TransferError, match=r"^'hf://a/b.*' cannot be reached: expected an answer, got ConnectError") as raised:
            call()
        assert "\n" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_what_the_library_takes_for_no_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be an address of the Hub: expected hf://ORG/NAME"):
        pull("hf://a/b--c", tmp_path / "x.zip")


def answered(kind: type[errors.HfHubHTTPError], status: int, said: str = "") -> Exception:
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co/api/models/a/b"))
    error: Exception = kind(f"{status} Client Error\n\nhunter2", response=response, server_message=said)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            answered(errors.RepositoryNotFoundError, 401),
            "is not there, or not open to you: .*hf auth login; .*hf repos create a/b --private",
        ),
        (answered(errors.GatedRepoError, 403), "is not open to you: .*ask for access on the repository's page"),
        (answered(errors.RevisionNotFoundError, 404), "is not there: expected a branch, a tag or a commit .*, got no such revision"),
        (
            answered(errors.HfHubHTTPError, 401, "Invalid token"),
            "is not open to you: expected rights to it, got 401 Invalid token; log in: hf auth",
        ),
        (answered(errors.HfHubHTTPError, 403, "Forbidden"), "is not open to you: expected rights to it, got 403 Forbidden"),
        (answered(errors.HfHubHTTPError, 507, "Full"), "was refused: got 507 Full; try again later"),
        (errors.OfflineModeIsEnabled("offline"), "cannot be reached: got HF_HUB_OFFLINE is set; unset it"),
        (errors.LocalEntryNotFoundError("no connection"), "cannot be reached: expected an answer"),
        (httpx2.ReadTimeout("slow"), "cannot be reached: expected an answer, got ReadTimeout: slow"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_librarys_errors_mean(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_settings: Any) -> None:
        raise error

    monkeypatch.setattr(HfApi, "model_info", refuse)
    with pytest.raises(TransferError, match=f"^'hf://a/b' {words}") as raised:
        pull("hf://a/b")
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


class Kept:
    """The calls of the library that are used, answered from memory: what is asked of it, not what it does, is seen here."""

    def __init__(self, *, readme: bool) -> None:
        self.files: dict[str, bytes] = {"README.md": b"by hand"} if readme else {}
        self.commits: list[list[str]] = []

    def model_info(self, repository: str, *, revision: str | None) -> Any:
        assert (repository, revision) in {("a/b", "dev"), ("a/b", COMMIT)}
        return type("Info", (), {"sha": COMMIT})

    def get_paths_info(self, _repository: str, paths: list[str], *, revision: str) -> list[RepoFile]:
        assert revision == COMMIT
        return [RepoFile(path=path, size=len(self.files[path]), oid="0") for path in paths if path in self.files]

    def file_exists(self, _repository: str, name: str, *, revision: str | None) -> bool:
        return name in self.files

    def create_commit(self, _repository: str, operations: list[CommitOperationAdd], *, commit_message: str, revision: str) -> Any:
        assert (revision, commit_message, are_progress_bars_disabled()) == ("dev", "Bundle of tiny", True)
        for each in operations:
            with each.as_file() as stream:
                self.files[each.path_in_repo] = stream.read()
        self.commits.append([each.path_in_repo for each in operations])
        return type("Info", (), {"oid": COMMIT})

    def hf_hub_download(self, _repository: str, name: str, *, revision: str, local_dir: str, tqdm_class: Any) -> None:
        assert revision == COMMIT
        (Path(local_dir) / name).write_bytes(self.files[name])
        with tqdm_class(total=len(self.files[name]), name="x") as bar:
            bar.update(len(self.files[name]))


@pytest.mark.parametrize("readme", [False, True])
def test_a_bundle_and_its_card_are_one_commit(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], readme: bool
) -> None:
    kept = Kept(readme=readme)
    monkeypatch.setattr(huggingface, "_api", lambda: kept)
    done = push(bundles.signed, "hf://a/b@dev")
    assert done.version == f"hf://a/b@{COMMIT}"
    assert kept.commits == [["bundle.zip"] if readme else ["bundle.zip", "README.md"]]
    assert kept.files["bundle.zip"] == bundles.signed.read_bytes()
    card = kept.files["README.md"].decode()
    if readme:
        assert (card, done.note.startswith("README.md there stays")) == ("by hand", True)
    else:
        assert card.startswith("---\n# license: yours to fill in")
        assert "$ toolkit pull hf://a/b --out model\n$ cd model\n" in card
        assert done.note == ""
    assert push(bundles.signed, "hf://a/b@dev").unchanged
    steps: list[tuple[str, int, int]] = []
    monkeypatch.chdir(tmp_path)
    pulled = pull("hf://a/b@dev", trust=bundles.keys[1], on_progress=lambda *step: steps.append(step))
    assert (pulled.path, pulled.version) == (Path("b.zip"), done.version)
    assert (tmp_path / "b.zip").read_bytes() == bundles.signed.read_bytes()
    assert ("downloading, KiB", done.bytes // 1024, done.bytes // 1024) in steps
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
    assert capsys.readouterr() == ("", ""), "the library draws no bars"


def test_the_calls_are_those_of_the_library() -> None:
    """Of the stand-in above, which would agree to any: names and parameters are the real ones."""
    import inspect

    for name in ("model_info", "get_paths_info", "file_exists", "create_commit", "hf_hub_download"):
        own = {key for key, what in inspect.signature(getattr(Kept, name)).parameters.items() if what.kind is what.KEYWORD_ONLY}
        assert own <= {*inspect.signature(getattr(HfApi, name)).parameters}, name


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"'huggingface_hub' cannot be imported .*run: pip install .*\[hub\]"):
        pull("hf://a/b")
    assert HuggingFace().schemes() == ("hf",)
