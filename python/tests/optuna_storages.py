"""Optuna's own tests of a storage, on that of the store. Run by pytest, which they are written for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from optuna.storages import BaseStorage
from optuna.testing.pytest_storages import StorageTestCase
from support import Server

from prominence_kv import Store
from prominence_kv.optuna import storage as kept_in


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.remove()


class TestStore(StorageTestCase):
    users = iter(range(10_000))

    @pytest.fixture
    def storage(self, server: Server) -> BaseStorage:
        user = f"user{next(self.users)}"
        # Its tests pickle the storage, which needs a token with a place.
        token = server.home / user
        token.write_text(server.token(user))
        return kept_in(Store(server.url, token_file=str(token)) / "study")
