"""A server on loopback that fails on demand, for the tests of calls."""

import pytest

from tests.lmm.asking import PROXIES
from tests.lmm.fault_server import FaultServer


@pytest.fixture
def server(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    with FaultServer() as running:
        yield running
