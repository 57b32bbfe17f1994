"""`iqa restore`: tiles that cannot be seen, formats, the refusal to write over the photograph, weights."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.card import LADDER, Card
from iqa_cli.errors import ExitCode
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.scoring.restore import restore_photo, tiles
from iqa_cli.training.starts_vcrnet import load_restorer, save_restoration
from iqa_cli.weights import save_weights
from tests.cli.conftest import Iqa

VCRNET = {"backbone": "tiny", "restoration": "tiny", "head_width": 8}


def _lively(network: RestorationNet) -> RestorationNet:
    """One whose correction can be seen: as it starts it hardly changes a picture."""
    with torch.no_grad():
        network.last.weight.mul_(40)
    return network


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "restoration.safetensors"
    save_restoration(path, _lively(RestorationNet("tiny")), None)
    return path


def test_tiles_cover_a_picture_once() -> None:
    seen = np.zeros((70, 50), int)
    for tile in tiles(70, 50, 32, 16):
        seen[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
        assert tile.top % 16 == tile.left % 16 == 0
        assert 0 <= tile.top <= tile.y0 <= tile.y1 <= tile.bottom <= 70
        assert 0 <= tile.left <= tile.x0 <= tile.x1 <= tile.right <= 50
    assert (seen == 1).all()
    with pytest.raises(ValueError, match="multiples of 16"):
        list(tiles(70, 50, 30))


def test_tiles_give_what_the_whole_picture_gives(start: Path, dog: Image.Image) -> None:
    network, _ = load_restorer(str(start))
    with open_photo(dog) as photo:
        whole = restore_photo(network, photo, torch.device("cpu"), side=1024)
        tiled = restore_photo(network, photo, torch.device("cpu"), side=160)
    assert whole.shape == (*np.asarray(dog).shape[:2], 3)
    apart = np.abs(whole.astype(int) - tiled)
    # A value that lies between two of the 256 may be rounded either way.
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3
    assert np.abs(whole.astype(int) - np.asarray(dog)).mean() > 1


def test_a_photograph_becomes_a_picture_of_its_size(
    iqa: Iqa, start: Path, examples: Path, tmp_path: Path
) -> None:
    source = examples / "dog.jpg"
    before = source.read_bytes()
    out = tmp_path / "out.png"
    result = iqa("restore", source, "-o", out, "--weights", start, "--threads", "1")
    assert result.code == 0, result.err
    assert result.out == b""
    assert result.err == f"iqa: wrote {out}: 432x536 pixels, restored with restoration.safetensors\n"
    assert source.read_bytes() == before
    with Image.open(out) as made, Image.open(source) as photo:
        assert (made.size, made.mode, made.format) == (photo.size, "RGB", "PNG")
    again = iqa("restore", source, "-o", "-", "--weights", start, "-q")
    assert again.err == ""
    assert again.out == out.read_bytes()


def test_the_photograph_is_not_written_over(iqa: Iqa, start: Path, dog: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / "dog.png"
    dog.resize((80, 64)).save(source)
    before = source.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(source)
    for target in (source, link):
        result = iqa("restore", source, "-o", target, "--weights", start)
        assert result.code == ExitCode.USAGE
        assert "is the photograph itself" in result.err
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dog.png", "link.png"]


def test_what_is_transparent_is_put_on_a_background(
    iqa: Iqa, start: Path, dog: Image.Image, tmp_path: Path
) -> None:
    small = dog.resize((64, 48))
    small.putalpha(Image.linear_gradient("L").resize((64, 48)))
    small.save(tmp_path / "dog.png")
    result = iqa("restore", tmp_path / "dog.png", "-o", tmp_path / "out.webp", "--weights", start)
    assert result.code == 0, result.err
    assert "transparency is left out" in result.err
    with Image.open(tmp_path / "out.webp") as made:
        assert (made.size, made.mode) == ((64, 48), "RGB")


def test_a_weight_of_vcrnet_has_a_restoration_network(iqa: Iqa, dog: Image.Image, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = build("vcrnet", VCRNET)
    _lively(network.restoration)
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "random weights: for tests only",
        "calibration": {"kind": "linear", "slope": 100.0, "intercept": 0.0},
        "ladder": LADDER,
    }
    card = Card("vcrnet", "vcrnet", VCRNET, SizePolicy().to_dict(), output)
    save_weights(tmp_path / "vcrnet.safetensors", network.state_dict(), card, half=False)
    dog.resize((80, 64)).save(tmp_path / "dog.png")
    made = iqa("restore", tmp_path / "dog.png", "-o", "-", "--weights", tmp_path / "vcrnet.safetensors")
    assert made.code == 0, made.err
    rgb = torch.from_numpy(np.array(dog.resize((80, 64)))).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected = network.eval().restoration(rgb)[0].clamp(0, 1).permute(1, 2, 0) * 255
    found = np.asarray(Image.open(io.BytesIO(made.out)))
    assert np.abs(found - expected.numpy()).max() < 0.51


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["dog.png", "-o", "out.gif"], ExitCode.USAGE, "no format is known by the ending '.gif'"),
        (["dog.png", "-o", "nowhere/out.png"], ExitCode.USAGE, "there is no such folder"),
        (["lost.png", "-o", "out.png"], ExitCode.SOME_FAILED, "lost.png: no such file"),
        (["text.png", "-o", "out.png"], ExitCode.SOME_FAILED, "text.png: "),
        (["small.png", "-o", "out.png"], ExitCode.SOME_FAILED, "small.png: "),
        ([".", "-o", "out.png"], ExitCode.SOME_FAILED, ".: is a folder"),
        (["dog.png", "-o", "out.png", "--device", "tpu"], ExitCode.USAGE, "no device 'tpu'"),
    ],
)
def test_what_cannot_be_restored_is_one_line(
    iqa: Iqa,
    start: Path,
    dog: Image.Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    dog.resize((80, 64)).save("dog.png")
    dog.resize((80, 12)).save("small.png")
    Path("text.png").write_text("no picture")
    result = iqa("restore", *arguments, "--weights", start)
    assert result.code == code
    assert message in result.err.splitlines()[0]
    assert not Path("out.png").exists()


def test_a_weight_without_a_restoration_network_is_refused(
    iqa: Iqa, weight: Path, dog: Image.Image, tmp_path: Path
) -> None:
    dog.resize((80, 64)).save(tmp_path / "dog.png")
    result = iqa("restore", tmp_path / "dog.png", "-o", tmp_path / "out.png", "--weights", weight)
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "holds no restoration network" in result.err
