"""Where a database is looked for: --root, the config file, $IQA_DATA."""

from pathlib import Path

import pytest

from iqa_cli.datasets.registry import read_database
from iqa_cli.datasets.roots import config_path, find_root
from iqa_cli.errors import UsageError
from tests.datasets import trees


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and none of the variables."""
    for variable in ("IQA_DATA", "IQA_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _config(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_option_goes_before_the_config_file_and_that_before_the_folder_above(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IQA_DATA", "/all")
    _config(home / ".config/iqa/config.toml", '[data]\nspaq = "/one/SPAQ"\n')
    assert find_root("spaq", Path("given")) == Path("given")
    assert find_root("spaq") == Path("/one/SPAQ")
    assert find_root("livec") == Path("/all/livec")


def test_a_root_for_each_database(home: Path) -> None:
    text = '[data]\nspaq = "~/SPAQ"\nlivec = "beside"\nlive = "/data/databaserelease2"\n'
    _config(home / ".config/iqa/config.toml", text)
    assert find_root("spaq") == home / "SPAQ"
    assert find_root("livec") == home / ".config/iqa/beside"
    assert find_root("live") == Path("/data/databaserelease2")


def test_the_place_of_the_config_file_can_be_set(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config_path() == home / ".config/iqa/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_path() == tmp_path / "xdg/iqa/config.toml"
    monkeypatch.setenv("IQA_CONFIG", str(tmp_path / "mine.toml"))
    _config(tmp_path / "mine.toml", '[data]\nspaq = "/mine"\n')
    assert find_root("spaq") == Path("/mine")


def test_a_database_is_read_from_where_the_config_file_says(home: Path, tmp_path: Path) -> None:
    trees.spaq(tmp_path / "photos")
    _config(home / ".config/iqa/config.toml", f'[data]\nspaq = "{tmp_path / "photos"}"\n')
    assert len(read_database("spaq").records) == 3


def test_a_database_is_read_from_the_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.spaq(tmp_path / "all" / "spaq")
    monkeypatch.setenv("IQA_DATA", str(tmp_path / "all"))
    assert len(read_database("spaq").records) == 3


def test_with_nothing_set_the_three_ways_are_told(home: Path) -> None:
    with pytest.raises(UsageError, match=r"where is spaq\?") as caught:
        read_database("spaq")
    assert caught.value.hint is not None
    for way in ("--root", "IQA_DATA", str(home / ".config/iqa/config.toml")):
        assert way in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data\n", "cannot read the config file"),
        ("[data]\nspaq = SPAQ\n", "cannot read the config file"),
        ("[data]\nspaq = 7\n", "the folder of 'spaq' is no path in quotes"),
        ('[data]\nspaq = ""\n', "the folder of 'spaq' is no path in quotes"),
        ('data = "/all"\n', "data is no table"),
        ("data = " + "[" * 9999, "nested too deeply"),
    ],
)
def test_a_damaged_config_file_is_one_clear_line(home: Path, text: str, message: str) -> None:
    path = _config(home / ".config/iqa/config.toml", text)
    with pytest.raises(UsageError) as caught:
        find_root("spaq")
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.message.isprintable()


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQA_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match=r"IQA_CONFIG names .*which is not there"):
        find_root("spaq")


def test_a_config_file_without_data_says_nothing(home: Path) -> None:
    _config(home / ".config/iqa/config.toml", "[other]\nx = 1\n")
    with pytest.raises(UsageError, match="where is spaq"):
        find_root("spaq")
