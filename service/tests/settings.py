"""The service's own settings, deaf to the machine: no variable and no `.env` gets through."""

import os
import tempfile
from pathlib import Path

from tests.variables import UNSET

_folder = tempfile.TemporaryDirectory(prefix="monitoring-tests-")  # Goes with the process.

os.environ.update(UNSET, DATABASE_PATH=f"{_folder.name}/db.sqlite3")

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES  # noqa: E402

# A file as in operation, and not in memory: there is no WAL in memory.
DATABASES["default"]["TEST"] = {"NAME": Path(_folder.name) / "test.sqlite3"}
