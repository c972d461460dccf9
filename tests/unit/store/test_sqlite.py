from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintops.domain.ports import Store
from maintops.errors import StoreError
from maintops.store import connections, sqlite
from maintops.store.opening import open_store
from maintops.store.sql import SqlStore
from tests.store_samples import NOW, bad, judging, keep, later, ok, plan

ROOT = Path(__file__).parents[3]

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:25 / /mnt/nfs rw,relatime shared:9 master:2 - nfs4 files:/x rw,vers=4.2
31 30 254:2 / /mnt/nfs/local rw - xfs /dev/vdb rw
32 22 0:26 / /mnt/with\\040space rw shared:3 - cifs //files/share rw
33 22 0:27 / /mnt/twice rw - ext4 /dev/vdc rw
34 33 0:28 / /mnt/twice rw - fuse.sshfs ana@files: rw
broken line
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{path}")
    yield opened
    opened.close()


def pragma(store: SqlStore, name: str) -> object:
    with store._database.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def raw(store: SqlStore) -> sqlite3.Connection:
    driver = store._database._connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_file_and_its_companions_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path}/a/b/m.sqlite")
        store.begin(plan())
    finally:
        os.umask(before)
    files = sorted((tmp_path / "a" / "b").iterdir())
    assert [one.name for one in files] == ["m.sqlite", "m.sqlite-shm", "m.sqlite-wal"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    folders = (tmp_path / "a", tmp_path / "a" / "b")
    assert [stat.S_IMODE(one.stat().st_mode) for one in folders] == [0o700, 0o700]
    store.close()


def test_a_file_that_is_there_keeps_its_mode(path: Path) -> None:
    path.touch(mode=0o640)
    path.chmod(0o640)
    open_store(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_relative_path_begins_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///here.sqlite").close()
    assert (tmp_path / "here.sqlite").is_file()


@pytest.mark.parametrize("name", ["a?mode=ro.sqlite", "a#b.sqlite", "file:a.sqlite", "100%.sqlite", "a b\udc80.sqlite"])
def test_every_character_of_a_path_is_a_part_of_it(tmp_path: Path, name: str) -> None:
    open_store(f"sqlite:///{tmp_path}/{name}").close()
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_every_commit_reaches_the_disk(store: SqlStore) -> None:
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "busy_timeout") == 30_000


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.begin(plan())
    kept = keep(store, [bad()], answer=b"answer")
    store.close()
    again = open_store(f"sqlite:///{path}")
    assert (again.record("r1"), again.answer("r1-0001")) == (kept.record, b"answer")
    again.close()


def test_two_stores_of_one_process_share_a_file(path: Path, store: SqlStore) -> None:
    """Opening must not drop the locks that the process holds on the file."""
    other = open_store(f"sqlite:///{path}")
    store.begin(plan())
    assert other.run("last").id == "r1"
    other.close()
    keep(store, [ok()])
    assert subprocess_says(f"len(list(open_store('sqlite:///{path}').records()))") == "1"
    keep(store, [ok()], index=2, server="web2")
    assert len(list(store.records())) == 2


def subprocess_says(expression: str, before: str = "") -> str:
    code = f"from maintops.store.opening import open_store\n{before}\nprint({expression})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


# --- files that cannot be used ---------------------------------------------------------------------------------------


def refused(path: Path | str) -> str:
    with pytest.raises(StoreError) as raised:
        open_store(f"sqlite:///{path}")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "is a folder. Name a file in it." in refused(tmp_path)


def test_a_file_is_no_folder(path: Path) -> None:
    path.touch()
    assert "cannot be made: Not a directory" in refused(path / "m.sqlite")


def test_a_link_to_nowhere_is_refused(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")
    assert "is a link to nowhere" in refused(path)
    assert not (path.parent / "nowhere").exists()


def test_a_pipe_is_no_database(path: Path) -> None:
    os.mkfifo(path)
    assert "is no regular file" in refused(path)


def test_a_place_that_may_not_be_written_is_said() -> None:
    """/proc takes no new files, not even root's."""
    message = refused("/proc/sys/m.sqlite")
    assert "cannot be made" in message
    assert "Choose a place that this user may write to" in message


AS_ANOTHER_USER = """
import os, tempfile
from maintops.errors import StoreError
with tempfile.TemporaryDirectory() as folder:  # everything is imported while everything may be read
    open_store("sqlite:///" + folder + "/m.sqlite").close()
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    open_store({url!r})
    said = "nothing"
except StoreError as error:
    said = str(error)
"""


@pytest.mark.parametrize(
    ("file", "folder", "words"),
    [
        (0o000, 0o755, "cannot be opened for writing (unable to open database file). Check who owns it"),
        (0o444, 0o555, "cannot be opened for writing (attempt to write a readonly database). Check who owns it"),
        (None, 0o555, "cannot be made: Permission denied. Choose a place that this user may write to"),
        (None, 0o000, "cannot be made: Permission denied. Choose a place that this user may write to"),
    ],
)
def test_a_file_of_someone_else_is_said(file: int | None, folder: int, words: str) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        place = Path(open_to_all) / "folder"
        place.mkdir()
        if file is not None:
            (place / "m.sqlite").touch()
            (place / "m.sqlite").chmod(file)
        place.chmod(folder)
        said = subprocess_says("said", AS_ANOTHER_USER.format(url=f"sqlite:///{place}/m.sqlite"))
        place.chmod(0o700)
    assert said.startswith(f"The database {place}/m.sqlite {words}")


def test_another_file_is_no_database(path: Path) -> None:
    path.write_bytes(b"This is a letter.\n" * 100)
    assert "(file is not a database). Restore it from a backup" in refused(path)
    assert path.read_bytes() == b"This is a letter.\n" * 100


def test_a_damaged_database_is_said_and_left_alone(path: Path) -> None:
    store = SqlStore(f"sqlite:///{path}")
    store.begin(plan())
    keep(store, [bad()])
    page = store._database._connection.exec_driver_sql(
        "SELECT rootpage FROM sqlite_master WHERE name='facts'"
    ).scalar_one()
    store.close()
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xa5" * 4096)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=r"is damaged or no SQLite database \(database disk image is malformed\)"):
        store.memory("web1")
    with pytest.raises(StoreError, match="is damaged"):
        store.runs()
    store.close()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/m.sqlite", "ext4"),
        ("/mnt/nfs", "nfs4"),
        ("/mnt/nfs/a/m.sqlite", "nfs4"),
        ("/mnt/nfsx/m.sqlite", "ext4"),
        ("/mnt/nfs/local/m.sqlite", "xfs"),
        ("/mnt/with space/m.sqlite", "cifs"),
        ("/mnt/twice/m.sqlite", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path_is_known(place: str, kind: str) -> None:
    assert sqlite.file_system(Path(place), MOUNTS) == kind


def test_without_mounts_no_file_system_is_known() -> None:
    assert sqlite.file_system(Path("/x"), "") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:25 / {tmp_path.resolve()}/net rw - {kind} files:/x rw\n")
    monkeypatch.setattr(sqlite, "_MOUNTS", mounts)
    (tmp_path / "link").symlink_to(tmp_path / "net")
    for place in (tmp_path / "net" / "new" / "m.sqlite", tmp_path / "link" / "m.sqlite"):
        assert f"would lie on a network file system ({kind})" in refused(place)
    assert not (tmp_path / "net").exists()
    open_store(f"sqlite:///{tmp_path}/m.sqlite").close()


class Crowded:
    """A connection that SQLite turns away so many times."""

    def __init__(self, times: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.times = times
        self.error = sqlite3.OperationalError("no")
        self.error.sqlite_errorcode = code

    def execute(self, _: str) -> Crowded:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return self

    def fetchone(self) -> tuple[str]:
        return ("wal",)


def test_a_new_file_that_several_processes_prepare_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sqlite._wal(Crowded(3)) == "wal"
    with pytest.raises(sqlite3.OperationalError):
        sqlite._wal(Crowded(1, sqlite3.SQLITE_IOERR))
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.05)
    with pytest.raises(sqlite3.OperationalError):
        sqlite._wal(Crowded(1000))


# --- trouble on the way ----------------------------------------------------------------------------------------------


def test_a_lock_of_another_process_is_waited_for_and_then_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.05)
    store = open_store(f"sqlite:///{path}")
    store.begin(plan())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=rf"{path} is locked: another process .* 0.05 seconds.*fuser {path}"):
        keep(store, [ok()])
    assert store.run("r1").id == "r1"
    other.execute("ROLLBACK")
    other.close()
    keep(store, [ok()])
    store.close()


def test_the_memory_is_locked_while_it_is_judged(path: Path, store: SqlStore) -> None:
    store.begin(plan())
    other = sqlite3.connect(path, isolation_level=None, timeout=0)

    def judge(memory: object) -> object:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        return judging("r1", "r1-0001", "web1", [ok()])(store_memory)

    store_memory = store.memory("web1")
    assert store.commit("r1", "r1-0001", "web1", judge, b"", NOW) is not None
    other.execute("BEGIN IMMEDIATE")
    other.close()


def fill(store: Store) -> None:
    for index in range(2, 50):
        keep(store, [bad()], index=index, server=f"s{index}", answer=os.urandom(9000))


def test_a_full_disk_loses_nothing_that_was_written(path: Path, store: SqlStore) -> None:
    store.begin(plan(servers=[f"s{index}" for index in range(50)]))
    first = keep(store, [bad()])
    pages = pragma(store, "page_count")
    raw(store).execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match=f"no space left for the database {path}") as raised:
        fill(store)
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
    kept = list(store.records())
    assert first.record in kept
    assert len(store.events("r1")) == 1 + len(kept)
    raw(store).execute("PRAGMA max_page_count=100000")
    keep(store, [bad()], index=50, server="s50")
    assert len(list(store.records())) == len(kept) + 1


FAILING = """
import json, resource
from maintops.errors import StoreError
from tests.store_samples import *
store = open_store({url!r})
store.begin(plan(servers=[f"s{{index}}" for index in range(200)]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
said = []
for index in range(1, 200):
    try:
        keep(store, [bad()], index=index, server=f"s{{index}}", answer=bytes(range(256)) * 40)
    except StoreError as error:
        said.append(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
for action in (lambda: list(store.records()), lambda: keep(store, [bad()], index=200, server="s200")):
    try:
        action()
    except StoreError as error:
        said.append(str(error))
"""


def test_after_an_input_or_output_error_nothing_more_is_tried(path: Path) -> None:
    """Writing beyond the process's own limit fails as a bad disk does."""
    before = FAILING.format(url=f"sqlite:///{path}")
    errors, messages = json.loads(subprocess_says("json.dumps([len(said), sorted(set(said))])", before))
    (message,) = messages
    assert message.startswith(f"The database {path} could not be read or written (disk I/O error, SQLITE_IOERR_WRITE).")
    assert "Nothing more is tried" in message
    store = open_store(f"sqlite:///{path}")
    kept = list(store.records())
    assert len(kept) == 199 - (errors - 2)
    assert len(store.events("r1")) == 1 + len(kept)
    store.close()


def test_ctrl_c_in_the_middle_of_a_commit_keeps_nothing_of_it(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.begin(plan())
    dialect = store._database._connection.dialect
    plain = type(dialect).do_execute

    def interrupted(self: object, cursor: object, statement: str, *more: object) -> None:
        if statement.startswith("INSERT INTO events"):
            raise KeyboardInterrupt
        plain(self, cursor, statement, *more)

    monkeypatch.setattr(type(dialect), "do_execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keep(store, [bad()])
    monkeypatch.undo()
    assert list(store.records()) == []
    keep(store, [bad()])
    assert pragma(store, "synchronous") == 2
    assert len(list(store.records())) == 1


def test_ctrl_c_in_a_judge_keeps_nothing(store: Store) -> None:
    store.begin(plan())

    def judge(_: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.commit("r1", "r1-0001", "web1", judge, b"", later(seconds=1))
    keep(store, [bad()])
