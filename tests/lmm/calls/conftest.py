"""A server on loopback that fails on demand, for the tests of calls."""

import pytest

from tests.fault_server import FaultServer
from tests.lmm.calls.asking import PROXIES


@pytest.fixture
def server(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    with FaultServer() as running:
        yield running
