"""Replies kept on disk, so that the same question about the same pictures is paid for once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from som_agent.errors import InputError, OutputError, first_line
from som_agent.lmm.calls.replies import Reply

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["ReplyCache", "reply_key"]

_VERSION = 1  # of the table; `user_version` of the file, which is 0 in a new one
_BUSY_S = 30.0  # how long another process may keep the file
_BROKEN = (KeyError, TypeError, ValueError)  # of a row that is no reply


def reply_key(identity: str, schema: type[BaseModel] | None, digest: str) -> str:
    """The key of a reply: another model, setting, schema, text or picture gives another one.

    Args:
        identity: of the model, as `som_agent.lmm.calls.identity` gives it.
        schema: what the reply is to be held to.
        digest: of the prompt with its pictures.
    """
    shape = json.dumps([schema.__name__, schema.model_json_schema()], sort_keys=True) if schema else ""
    return hashlib.sha256("\0".join([identity, shape, digest]).encode()).hexdigest()


class ReplyCache:
    """Replies by their key in an SQLite file, which any number of processes and threads may share.

    Args:
        path: the file; made where there is none, with its folder.

    Raises:
        InputError: a file that is no such cache, or is damaged.
        OutputError: a place where none can be made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()  # one connection, one thread at a time
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the cache {self.path}: {error.strerror}") from error
        try:
            # Autocommit: each statement is a transaction of its own.
            self._file = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise OutputError(f"cannot open the cache {self.path}: {first_line(error)}") from error
        try:
            self._prepare()
        except BaseException:
            self._file.close()
            raise

    def get(self, key: str) -> Reply | None:
        """The reply that was kept under a key, or None.

        Raises:
            InputError: the file is damaged.
        """
        with self._lock:
            try:
                row = self._file.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                raise self._unusable(error) from error
        if row is None:
            return None
        try:
            return Reply.from_json(json.loads(row[0]))
        except _BROKEN as error:
            raise self._unusable(error) from error

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; an earlier one of that key is replaced.

        Raises:
            InputError: the file is damaged.
            OutputError: it cannot be written.
        """
        text = json.dumps(reply.to_json(), default=str)
        with self._lock:
            try:
                self._file.execute("INSERT OR REPLACE INTO replies (key, reply) VALUES (?, ?)", (key, text))
            except sqlite3.OperationalError as error:
                raise OutputError(f"cannot write to the cache {self.path}: {first_line(error)}") from error
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> ReplyCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _prepare(self) -> None:
        try:
            self._file.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a power cut may cost the last replies, no more
            (version,) = self._file.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._create()
                version = _VERSION
            if version == _VERSION:
                self._file.execute("SELECT key, reply FROM replies LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        if version != _VERSION:
            raise InputError(
                f"cache {self.path} has version {version}, this som-agent reads {_VERSION}: name another file"
            )

    def _create(self) -> None:
        """The table in a new file; another process may be at the same, and one of the two waits."""
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("BEGIN IMMEDIATE")
        try:
            tables = {name for (name,) in self._file.execute("SELECT name FROM sqlite_master")}
            if tables and not any(name == "replies" for name in tables):
                raise InputError(
                    f"{self.path} is a database of something else: name another file as the cache"
                )
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)"
            )
            self._file.execute(f"PRAGMA user_version = {_VERSION:d}")
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def _unusable(self, error: Exception) -> InputError:
        return InputError(
            f"cache {self.path} cannot be used: {first_line(error)}; move it away and a new one is made"
        )
