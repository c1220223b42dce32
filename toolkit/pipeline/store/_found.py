"""Which store an address belongs to."""

from __future__ import annotations

import difflib

from toolkit.core import InputError, discover

from .base import Address, Store


def all_stores() -> tuple[Store, ...]:
    """Every kind of store, sorted by name."""
    return discover("toolkit.pipeline.store", Store)


def find_store(address: Address) -> Store:
    """The store of an address; raises `InputError` where none has such a scheme."""
    owners = sorted((store for store in all_stores() if address.scheme in store.schemes()), key=lambda store: store.general)
    if owners:
        return owners[0]
    near = difflib.get_close_matches(address.scheme, [scheme for store in all_stores() for scheme in store.schemes()], n=1)
    raise InputError(
        f"'{address}' belongs to no store",
        expected=", or ".join(store.takes for store in all_stores()),
        got=f"{address.scheme}://",
        hint=f"did you mean '{near[0]}://'?" if near else "",
    )
