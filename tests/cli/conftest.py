"""Running the command: in this process, which is quick, or as a child, which is real."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from som_agent.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    def refused(self, *words: str) -> None:
        """Bad input: status 2, nothing on stdout, and one line on stderr that has the words."""
        assert self.code == 2, self
        assert self.out == ""
        assert self.err.startswith("som-agent: ")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Run `som-agent ARGUMENTS` in this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["som-agent", *map(str, arguments)])
        try:
            main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def command(environment, tmp_path):
    """Run `python -m som_agent ARGUMENTS` as a child process."""

    def run(*arguments: object, cwd: Path = tmp_path) -> Done:
        line = [sys.executable, "-m", "som_agent", *map(str, arguments)]
        done = subprocess.run(
            line, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def unchanged(tmp_path):
    """Hands out a check that no file or folder came or went since it was asked for."""

    def start():
        before = tree(tmp_path)

        def check():
            assert tree(tmp_path) == before

        return check

    return start
