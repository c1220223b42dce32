"""The Hugging Face Hub: a repository of models with the bundle and its card. The library finds the token by itself, and keeps it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from toolkit.core import InputError, ToolkitError, TransferError, needs, storage_errors

from ..export.card import card
from .base import Address, OnBytes, Parcel, Receipt, Store, Stored, no_rights, unreachable, without_secrets

BUNDLE, CARD = "bundle.zip", "README.md"
"""The files of a repository."""
_ADDRESS = re.compile(r"(?P<repository>[\w.-]{1,96}/[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,200}))?", re.ASCII)
_LOG_IN = "log in: hf auth login, with a token that may read, or to push write, this repository"


class HuggingFace(Store):
    """A repository of models; what is pushed is one commit, and what was there stays in the history."""

    name = "huggingface"
    takes = "hf://ORG/NAME[@REVISION]"

    def schemes(self) -> tuple[str, ...]:
        """The Hub's own, as its library and fsspec have it."""
        return ("hf",)

    def _find(self, address: Address) -> Stored | None:
        repository, revision = _parts(address)
        api = _api()
        # First which commit it is: a push in between would mix two.
        commit = str(api.model_info(repository, revision=revision).sha)
        found = [each for each in api.get_paths_info(repository, [BUNDLE], revision=commit) if each.path == BUNDLE]
        if not found:
            return None
        sha256 = found[0].lfs.sha256 if found[0].lfs else ""
        name = repository.partition("/")[2]
        return Stored(name=f"{name}.zip", bytes=found[0].size, sha256=sha256, version=f"hf://{repository}@{commit}")

    def _download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:  # noqa: ARG002 - the version says more
        from huggingface_hub.utils import tqdm

        class Told(tqdm):  # type: ignore[misc]
            """The library's bar, which draws nothing and tells how far it is."""

            through = 0

            def __init__(self, *args: Any, **settings: Any) -> None:
                super().__init__(*args, **{**settings, "disable": True})

            def update(self, n: float | None = 1) -> bool | None:
                Told.through += int(n or 0)
                on_bytes(min(Told.through, stored.bytes))
                return None

        repository, commit = _parts(Address.parse(stored.version))
        # Not into the library's own cache, where what is half there would stay.
        with storage_errors(target), tempfile.TemporaryDirectory(prefix=".toolkit-pull-", dir=target.parent) as folder:
            _api().hf_hub_download(repository, BUNDLE, revision=commit, local_dir=folder, tqdm_class=Told)
            (Path(folder) / BUNDLE).replace(target)

    def _upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:  # noqa: ARG002 - the library does not tell
        from huggingface_hub import CommitOperationAdd
        from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

        repository, revision = _parts(address)
        api = _api()
        written = api.file_exists(repository, CARD, revision=revision)
        files = [CommitOperationAdd(path_in_repo=BUNDLE, path_or_fileobj=str(parcel.file))]
        if not written:
            text = card(parcel.artifacts, url=f"hf://{repository}")
            files.append(CommitOperationAdd(path_in_repo=CARD, path_or_fileobj=text.encode()))
        shown = not are_progress_bars_disabled()
        disable_progress_bars()
        try:
            done = api.create_commit(repository, files, commit_message=f"Bundle of {parcel.model}", revision=revision)
        finally:
            if shown:
                enable_progress_bars()
        note = f"{CARD} there stays: somebody may have completed it; toolkit export card writes a new one" if written else ""
        return Receipt(f"hf://{repository}@{done.oid}", note)

    def _problem(self, address: Address, error: Exception) -> ToolkitError | None:
        import httpx2
        from huggingface_hub import errors

        said = without_secrets(str(getattr(error, "server_message", None) or type(error).__name__))
        found: ToolkitError | None = None
        match error:
            case errors.RevisionNotFoundError():
                wanted = "a branch, a tag or a commit of its repository"
                found = TransferError(f"'{address}' is not there", expected=wanted, got="no such revision")
            case errors.GatedRepoError():
                found = no_rights(address, said, log_in="ask for access on the repository's page, and log in: hf auth login")
            case errors.RepositoryNotFoundError():
                found = TransferError(
                    f"'{address}' is not there, or not open to you",
                    expected="a repository of models",
                    got="none",
                    hint=f"look at the spelling; log in: hf auth login; make a new one: hf repos create {_parts(address)[0]} --private",
                )
            case errors.HFValidationError():
                found = InputError(f"'{address}' cannot be an address of the Hub", expected=self.takes, got=without_secrets(str(error)))
            case errors.OfflineModeIsEnabled():
                found = TransferError(f"'{address}' cannot be reached", got="HF_HUB_OFFLINE is set", hint="unset it")
            case errors.HfHubHTTPError(response=response) if response.status_code in {401, 403}:
                found = no_rights(address, f"{response.status_code} {said}", log_in=_LOG_IN)
            case errors.HfHubHTTPError(response=response):
                found = TransferError(f"'{address}' was refused", got=f"{response.status_code} {said}", hint="try again later")
            case errors.LocalEntryNotFoundError() | httpx2.TransportError() | ConnectionError() | TimeoutError():
                found = unreachable(address, error)
        return found


def _parts(address: Address) -> tuple[str, str | None]:
    """The repository, and the revision where one is named."""
    match = _ADDRESS.fullmatch(address.rest)
    if match is None:
        raise InputError(f"'{address}' names no repository of the Hub", expected=HuggingFace.takes)
    return match["repository"], match["revision"]


def _api() -> Any:
    """The library's client, at the address that it is told by its own variable even where it was imported before that was set."""
    with needs("hub"):
        from huggingface_hub import HfApi
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
