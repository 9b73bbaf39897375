"""The file of rejected rows: NDJSON, mode 0600, since it holds the rows as they were."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

import orjson

from poolsift.writers.durable import HashedFile, Part, naming, sync_directory

if TYPE_CHECKING:
    from pathlib import Path

    from poolsift.readers.rejects import Reject


class RejectFile:
    """Collects rejects under a temporary name; the file appears with ``publish`` and only if there are any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._temporary = path.with_name(f".tmp-{path.name}")
        self._file: HashedFile | None = None

    def __call__(self, reject: Reject) -> None:
        """Take one; ``raw`` (at most 64 KiB) is written in base64."""
        if self._file is None:
            self._file = HashedFile(self._temporary)
        fields = {**reject._asdict(), "raw": b64encode(reject.raw).decode()}
        self._file.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
        self.rows += 1

    def reset(self) -> None:
        """Forget everything taken."""
        if self._file is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)
        self._file, self.rows = None, 0

    def publish(self) -> Part | None:
        """Give the file its name; an older one goes in any case."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return None
        self._file.sync_and_close()
        with naming(self.path):
            os.replace(self._temporary, self.path)
        sync_directory(self.path.absolute().parent)
        return Part(self.path.name, self.rows, self._file.bytes, self._file.sha256)
