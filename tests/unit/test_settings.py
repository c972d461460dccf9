from pathlib import Path

import pytest

from maintops.errors import UsageError
from maintops.settings import Source, environment_source, names, settle

HERE = Path("/srv/maintenance")


def source(name: str, **values: object) -> Source:
    return Source(name, values, HERE)


def test_the_first_source_wins_and_each_value_knows_where_it_came_from():
    settings = settle(
        [source("the command line", forks=3), source("the environment", forks="5", engine="ssh")], {"database_url": "x"}
    )
    assert (settings.forks, settings.engine, settings.database_url) == (3, "ssh", "x")
    assert settings.sources["forks"] == "the command line"
    assert settings.sources["engine"] == "the environment"
    assert settings.sources["host_keys"] == "default"


def test_the_environment_gives_every_setting_by_its_variable():
    given = environment_source({"MAINTOPS_HOST_KEYS": "off", "MAINTOPS_BY": "", "HOME": "/root", "OTHER": "1"}, HERE)
    assert given.values == {"host_keys": "off"}
    assert "sources" not in names()


def test_paths_are_relative_to_the_place_that_names_them():
    settings = settle([source("f", known_hosts="known_hosts", checklists="a:b", inventory=["inv", "h1,h2,"])], {})
    assert settings.known_hosts == HERE / "known_hosts"
    assert settings.checklists == (str(HERE / "a"), str(HERE / "b"))
    assert settings.inventory == (str(HERE / "inv"), "h1,h2,")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlite:///.maintops/m.sqlite", "sqlite:////srv/maintenance/.maintops/m.sqlite"),
        ("sqlite:////var/m.sqlite", "sqlite:////var/m.sqlite"),
        ("postgresql://me@db/maintops", "postgresql://me@db/maintops"),
    ],
)
def test_a_database_file_is_relative_to_the_place_that_names_it(given, expected):
    assert settle([source("f", database_url=given)], {}).database_url == expected


@pytest.mark.parametrize(
    "values",
    [
        {"colour": "red"},
        {"host_keys": "yes"},
        {"engine": "telnet"},
        {"forks": 0},
        {"forks": "many"},
        {"forks": True},
        {"connect_timeout": "nan"},
        {"connect_retries": -1},
        {"inventory": 5},
        {"inventory": [5]},
        {"checklists": {}},
        {"by": ""},
        {"known_hosts": 1},
    ],
)
def test_a_bad_value_is_refused_with_its_place(values):
    with pytest.raises(UsageError, match="the file"):
        settle([source("the file", **values)], {})
