from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maintops.errors import UsageError
from maintops.store.memory import MemoryStore
from maintops.store.opening import open_store


def test_the_memory_store_has_a_url() -> None:
    assert isinstance(open_store("memory:"), MemoryStore)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/lib/m.sqlite",
        "m.sqlite",
        "mysql://ana:s3cret@db/x",
        "host=db password=s3cret",
        "postgres://a:s3cret@b/c",
    ],
)
def test_another_form_of_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="sqlite:///relative/path") as raised:
        open_store(url)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite:///", "sqlite:m.sqlite", "sqlite:///:memory:"])
def test_an_sqlite_url_names_a_file(url: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        open_store(url)


def test_a_path_holds_no_nul(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NUL"):
        open_store(f"sqlite:///{tmp_path}/m\0.sqlite")


def test_the_database_library_is_imported_only_for_a_database() -> None:
    code = (
        "import sys; from maintops.store.opening import open_store; open_store('memory:');"
        "print(*{name.split('.')[0] for name in sys.modules} & {'sqlalchemy', 'alembic', 'psycopg', 'sqlite3'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_opening_a_database_that_is_up_to_date_needs_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.sqlite"
    code = "import sys; from maintops.store.opening import open_store; open_store(sys.argv[1]); print(*sys.modules)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
        assert "sqlalchemy" in done.stdout.split()
        assert "alembic" not in done.stdout.split()
