"""Weights in and out: what is saved comes back; a damaged or hostile file gives one clear line, no more."""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from iqa_cli.card import LADDER, Card
from iqa_cli.errors import WeightsError
from iqa_cli.networks.registry import build
from iqa_cli.networks.unfilled import without_random_fills
from iqa_cli.tensorfile import MAX_HEADER, read_header
from iqa_cli.text import printable
from iqa_cli.weights import (
    find_weights,
    list_weights,
    load_network,
    load_state,
    read_card,
    save_weights,
    verify_checksum,
)

CONFIG = {"van": "tiny", "dan": "none", "hfen": "none", "head_width": 8}


def make_card(**changes: Any) -> Card:
    output = {
        "range": [0, 100],
        "direction": "higher is better",
        "scale": "MOS",
        "calibration": {"kind": "linear", "slope": 100, "intercept": 0},
        "ladder": LADDER,
    }
    values = {"name": "tiny", "network": "mfenet", "config": dict(CONFIG), "input": {}, "output": output}
    return Card(**{**values, **changes})


def small_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(32, 1))
    net[1].running_mean.normal_()
    return net.state_dict()


@pytest.fixture
def weight(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, small_state(), make_card())
    return path


@pytest.fixture
def unlisted(weight: Path) -> Path:
    """A weight without a manifest, so that damage has to be noticed in the file itself."""
    (weight.parent / "SHA256SUMS").unlink()
    return weight


def refused(path: Path | str, reader: Any = load_state) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        reader(path)
    for text in (caught.value.message, caught.value.hint or ""):
        assert printable(text) == text
    assert len(caught.value.message) < 600
    return caught.value


# --- there and back --------------------------------------------------------------------------------------


def test_half_precision_only_where_it_is_harmless(weight: Path) -> None:
    kinds = {name: info.dtype for name, info in read_header(weight).tensors.items()}
    assert kinds == {
        "0.weight": "F16",
        "0.bias": "F32",
        "1.weight": "F32",
        "1.bias": "F32",
        "1.running_mean": "F32",
        "1.running_var": "F32",
        "1.num_batches_tracked": "I64",
        "3.weight": "F32",  # [1, 32]: one row
        "3.bias": "F32",
    }
    card, state = load_state(weight)
    assert card == make_card()
    for name, before in small_state().items():
        assert state[name].dtype == (torch.float32 if before.is_floating_point() else before.dtype)
        tolerance = 1e-3 if name == "0.weight" else 0
        torch.testing.assert_close(state[name], before, rtol=tolerance, atol=tolerance / 1000)


def test_full_precision_is_exact_and_odd_tensors_survive(tmp_path: Path) -> None:
    shared = torch.randn(4, 6)
    state = {
        "a": shared,
        "b": shared,
        "t": shared.t(),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(0.1),
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "double": torch.randn(3, dtype=torch.float64),
        "brain": torch.randn(2, 2).bfloat16(),
    }
    path = tmp_path / "x.safetensors"
    save_weights(path, state, make_card(), half=False)
    for name, values in load_state(path)[1].items():
        wanted = state[name].float() if state[name].is_floating_point() else state[name]
        assert torch.equal(values, wanted), name


def test_what_float16_cannot_hold_stays_float32(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, {"large": torch.full((2, 2), 1e5), "fits": torch.full((2, 2), 65504.0)}, make_card())
    kinds = {name: info.dtype for name, info in read_header(path).tensors.items()}
    assert kinds == {"large": "F32", "fits": "F16"}
    assert (load_state(path)[1]["large"] == 1e5).all()


def test_the_same_weight_is_the_same_file_for_everybody(tmp_path: Path, weight: Path) -> None:
    old = os.umask(0o022)
    try:
        save_weights(tmp_path / "other" / "tiny.safetensors", small_state(), make_card())
    finally:
        os.umask(old)
    other = tmp_path / "other" / "tiny.safetensors"
    assert other.read_bytes() == weight.read_bytes()
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_network_is_neither_saved_nor_loaded(weight: Path, bad: float) -> None:
    before = weight.read_bytes()
    state = small_state()
    state["0.weight"][0, 0, 0, 0] = bad
    with pytest.raises(WeightsError, match=r"0\.weight holds values that are not finite"):
        save_weights(weight, state, make_card())
    assert weight.read_bytes() == before
    save_file(state, weight, {"iqa_card": make_card().to_json()})
    (weight.parent / "SHA256SUMS").unlink()
    assert "0.weight holds values that are not finite" in refused(weight).message


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (float("nan"), torch.float16),
        (float("-inf"), torch.bfloat16),
        (float("nan"), torch.float64),
        (1e300, torch.float64),
    ],
)
def test_what_is_not_finite_as_float32_is_found_in_every_kind_of_number(
    weight: Path, bad: float, kind: torch.dtype
) -> None:
    state = small_state()
    values = state["0.weight"].to(kind)
    values.view(-1)[-2] = bad
    save_file(state | {"0.weight": values}, weight, {"iqa_card": make_card().to_json()})
    (weight.parent / "SHA256SUMS").unlink()
    assert "0.weight holds values that are not finite" in refused(weight).message


@pytest.mark.parametrize("bad", [3, None, torch.ones(2, dtype=torch.complex64), torch.ones(2, 2).to_sparse()])
def test_what_is_no_tensor_is_not_saved(tmp_path: Path, bad: Any) -> None:
    with pytest.raises(WeightsError, match="thing is no tensor"):
        save_weights(tmp_path / "x.safetensors", {"thing": bad}, make_card())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.pth", "x", "x.seen.safetensors", ".safetensors"])
def test_other_names_are_not_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="should end in"):
        save_weights(tmp_path / name, small_state(), make_card())


# --- the disk --------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file(weight: Path) -> None:
    before = {path.name: path.read_bytes() for path in weight.parent.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(WeightsError, match=r"tiny\.safetensors: cannot be written"):
            save_weights(weight, {"big": torch.zeros(100, 100)}, make_card())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in weight.parent.iterdir()} == before
    load_state(weight)


def test_a_failing_rename_leaves_the_old_file(weight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")

    before = {path.name: path.read_bytes() for path in weight.parent.iterdir()}
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WeightsError, match="Input/output error"):
        save_weights(weight, {"a": torch.zeros(2)}, make_card())
    assert {path.name: path.read_bytes() for path in weight.parent.iterdir()} == before


def test_a_folder_in_the_way_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(WeightsError, match="is a folder"):
        save_weights(tmp_path / "x.safetensors", small_state(), make_card())
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        save_weights(tmp_path / "file" / "x.safetensors", small_state(), make_card())


def test_writers_at_the_same_time_lose_no_line_of_the_manifest(tmp_path: Path) -> None:
    names = [f"w{index}.safetensors" for index in range(12)]
    state = {"a": torch.zeros(2)}
    threads = [
        threading.Thread(target=save_weights, args=(tmp_path / name, state, make_card())) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(verify_checksum(tmp_path / name) for name in names)


def test_the_manifest_is_that_of_sha256sum(tmp_path: Path) -> None:
    for name in (
        "plain.safetensors",
        "with space.safetensors",
        "back\\slash.safetensors",
        "new\nline.safetensors",
    ):
        save_weights(tmp_path / name, {"a": torch.zeros(2)}, make_card())
        assert verify_checksum(tmp_path / name)
    try:
        done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no sha256sum on this machine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 4


def test_checksums(weight: Path) -> None:
    assert verify_checksum(weight)
    other = weight.with_name("other.safetensors")
    other.write_bytes(weight.read_bytes())
    assert not verify_checksum(other)
    load_state(other)
    with (weight.parent / "SHA256SUMS").open("a") as manifest:
        manifest.write("\nnot a line of a manifest\n")
    assert "SHA256SUMS: line 3" in refused(weight, verify_checksum).message


# --- damage ----------------------------------------------------------------------------------------------


def test_every_truncation_is_noticed(unlisted: Path) -> None:
    content = unlisted.read_bytes()
    length = 8 + struct.unpack("<Q", content[:8])[0]
    for size in {*range(20), length - 1, length, length + 1, *range(0, len(content), 37), len(content) - 1}:
        unlisted.write_bytes(content[:size])
        error = refused(unlisted)
        assert "cut short" in error.message or "is empty" in error.message, (size, error.message)
        refused(unlisted, read_card)


def test_every_flipped_bit_is_noticed_by_the_checksum(weight: Path) -> None:
    content = weight.read_bytes()
    length = 8 + struct.unpack("<Q", content[:8])[0]
    for place in (length, length + 100, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        weight.write_bytes(damaged)
        assert "SHA-256" in refused(weight).message
        assert "SHA-256" in refused(weight, verify_checksum).message
    load_state(weight, verify=False)


def test_trailing_bytes_are_noticed(unlisted: Path) -> None:
    with unlisted.open("ab") as file:
        file.write(b"xyz")
    assert "3 bytes follow" in refused(unlisted).message


def raw_file(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{", "damaged"),
        (b"{]", "damaged"),
        (b'{"a": \xff}', "damaged"),
        (b"{" + b'"a":[' * 50_000, "damaged"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "damaged"),
        (b'{"a": {}, "a": {}}', "twice"),
        ({"__metadata__": []}, "metadata"),
        ({"__metadata__": {"iqa_card": {}}}, "metadata"),
        ({"a": 3}, "tensor a"),
        ({"a\x1b[31m\n": 3}, r"tensor a\x1b[31m\n"),
        ({"a": {"dtype": "F32"}}, "tensor a"),
        ({"a": entry(dtype="F99")}, "dtype"),
        ({"a": entry(dtype=["F32"])}, "dtype"),
        ({"a": entry(shape=3)}, "shape"),
        ({"a": entry(shape=[-1])}, "shape"),
        ({"a": entry(shape=[True])}, "shape"),
        ({"a": entry(shape=[2.0])}, "shape"),
        ({"a": entry(shape=[1] * 40)}, "shape"),
        ({"a": entry(shape=[2**40, 2**40], offsets=[0, 2**82])}, "shape"),
        ({"a": entry(shape=[0, 2**60], offsets=[0, 0])}, "shape"),
        ({"a": entry(offsets=[8, 0])}, "disagree"),
        ({"a": entry(offsets=[0, 4])}, "disagree"),
        ({"a": entry(offsets=[-8, 0])}, "disagree"),
        ({"a": entry(offsets=[0])}, "disagree"),
        ({"a": entry(offsets=[4, 12])}, "gap"),
        ({"a": entry(), "b": entry()}, "overlaps"),
        ({"a": entry(shape=[2**38], offsets=[0, 2**40])}, "bytes of an absurd size"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, header: Any, reason: str) -> None:
    path = raw_file(tmp_path / "x.safetensors", header, b"\0" * 8)
    for reader in (read_card, load_state, load_network):
        assert reason in refused(path, reader).message


@pytest.mark.parametrize("length", [MAX_HEADER + 1, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_claims_terabytes_costs_nothing(tmp_path: Path, length: int) -> None:
    import tracemalloc

    path = raw_file(tmp_path / "x.safetensors", b'{"a": {}}', length=length)
    tracemalloc.start()
    try:
        assert f"claims {length} bytes" in refused(path, read_card).message
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_huge_file_with_holes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    try:
        with path.open("wb") as file:
            file.truncate(2**41)
    except OSError:
        pytest.skip("this file system has no files with holes")
    assert "2048 GiB is larger than any weight" in refused(path).message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
sizes = st.integers(-2, 2**66) | st.integers(0, 9)
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "U64", "I64", "F8", 3]),
        "shape": st.lists(sizes, max_size=4),
        "data_offsets": st.lists(sizes, min_size=2, max_size=2),
    }
)
headers = st.dictionaries(st.text(max_size=6) | st.just("__metadata__"), json_values | entries, max_size=4)


@settings(max_examples=250, deadline=None)
@given(
    header=headers | st.binary(max_size=60),
    data=st.binary(max_size=40),
    length=st.none() | st.integers(0, 2**64 - 1) | st.integers(0, 100),
)
def test_any_header_gives_one_line(
    header: Any, data: bytes, length: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = raw_file(tmp_path_factory.getbasetemp() / "fuzz.safetensors", header, data, length)
    refused(path, read_card)
    refused(path, load_state)
    refused(path, load_network)


@settings(max_examples=150, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=5))
def test_any_flipped_byte_loads_or_gives_one_line(
    flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flips" / "tiny.safetensors"
    intact = path.with_name("intact.safetensors")
    if not intact.exists():
        save_weights(path, {"a": torch.ones(2, 2), "b": torch.ones(3)}, make_card())
        intact.write_bytes(path.read_bytes())
    content = bytearray(intact.read_bytes())
    for place, mask in flips:
        content[place % len(content)] ^= mask
    path.write_bytes(content)
    for verify in (True, False):
        message = ""
        try:
            load_state(path, verify=verify)
        except WeightsError as error:
            message = error.message
        assert printable(message) == message
        assert not verify or bytes(content) == intact.read_bytes() or message


# --- other kinds of files --------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.pth", "model.pt", "model.ckpt", "model.safetensors"):
        path = tmp_path / name
        torch.save({"a": Bomb()}, path, _use_new_zipfile_serialization=zipped)
        error = refused(path, load_network)
        assert ("zip archive" if zipped else "pickle") in error.message
        assert "weights_only=True" in (error.hint or "")
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, load_network)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "not a safetensors file"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "not a safetensors file"),
        (b"{}" * 40, "its header is damaged"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert reason in refused(path, load_network).message


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path, load_network).message
    fifo = tmp_path / "pipe.safetensors"
    os.mkfifo(fifo)
    assert "no regular file" in refused(fifo, load_network).message
    assert "no regular file" in refused("/dev/zero", load_network).message
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    assert "symbolic links" in refused(tmp_path / "loop.safetensors", load_network).message
    assert "No such file" in refused(tmp_path / "none.safetensors").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_so(weight: Path) -> None:
    weight.chmod(0)
    assert "Permission denied" in refused(weight, load_network).message


def test_a_failing_disk_says_so(weight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read: Permission denied" in refused(weight, load_network).message


def test_names_with_escape_codes_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mred\n\u202e\udcff.safetensors"
    path.write_bytes(b"nothing")
    message = refused(path, load_network).message
    assert r"\x1b[31mred\n\u202e\xff.safetensors" in message
    message.encode()
    refused("a\0b", load_network)
    refused("/a\0b.safetensors", load_network)
    refused("x" * 5000, load_network)
    refused("/" + "x" * 5000, load_network)
    refused("", load_network)


# --- cards in files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (None, "has no card"),
        ({"format": "pt"}, "has no card"),
        ({"iqa_card": "{"}, "the card is not JSON"),
        ({"iqa_card": '{"card_version": 9}'}, "card_version 9 is newer"),
        ({"iqa_card": '{"card_version": 1}'}, "lacks name"),
    ],
)
def test_a_file_without_a_valid_card_is_refused(tmp_path: Path, metadata: Any, reason: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata)
    for reader in (read_card, load_state, load_network):
        assert reason in refused(path, reader).message
    if "newer" in reason:
        assert refused(path).hint == "upgrade iqa-cli"


# --- networks --------------------------------------------------------------------------------------------


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = build("mfenet", CONFIG).eval()
    path = tmp_path / "tiny.safetensors"
    save_weights(path, net.state_dict(), make_card(), half=False)
    before = torch.get_rng_state()
    card, again = load_network(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert card.network == "mfenet"
    assert not again.training
    assert {value.device.type for value in again.state_dict().values()} == {"cpu"}
    picture = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(again(picture), net(picture))
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in net.parameters()]


def test_half_precision_moves_a_score_by_less_than_a_tenth_of_a_point(tmp_path: Path) -> None:
    torch.manual_seed(2)
    net = build("mfenet", CONFIG).eval()
    path = tmp_path / "tiny.safetensors"
    save_weights(path, net.state_dict(), make_card())
    picture = torch.rand(4, 3, 96, 96)
    with torch.no_grad():
        assert (load_network(path)[1](picture) - net(picture)).abs().max() < 1e-3


def test_other_tensors_than_the_networks_are_named(tmp_path: Path) -> None:
    state = build("mfenet", CONFIG).state_dict()
    first, second, third, *_ = [name for name in state if name.endswith("weight")]
    path = tmp_path / "tiny.safetensors"

    def message(changed: dict[str, torch.Tensor], **card: Any) -> str:
        save_weights(path, changed, make_card(**card))
        return refused(path, load_network).message

    lacking = message({name: value for name, value in state.items() if name not in (first, second, third)})
    assert f"it lacks {first}, {second} and 1 more" in lacking
    assert "has besides extra" in message({**state, "extra": torch.zeros(3)})
    assert f"has in another shape {first} (2, 2) for" in message({**state, first: torch.zeros(2, 2)})
    assert r"besides a\x1b\n" in message({**state, "a\x1b\n": torch.zeros(3)})
    assert "does not fit" in message(state, config={**CONFIG, "head_width": 16})
    assert "no network 'other'" in message(state, network="other")
    assert "unknown" in message(state, config={"depth": 3})
    assert "mfenet" in message(state, config={"van": ["b0"]})


def test_a_card_that_asks_for_a_gigantic_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, small_state(), make_card(config={**CONFIG, "head_width": 2**24}))
    assert "does not fit the network" in refused(path, load_network).message
    save_weights(path, small_state(), make_card(config={**CONFIG, "head_width": 2**62}))
    refused(path, load_network)


# --- finding ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine"
    path.mkdir()
    monkeypatch.setenv("IQA_WEIGHTS", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def put(path: Path, **changes: Any) -> Path:
    save_weights(path, {"a": torch.zeros(2)}, make_card(**changes))
    return path


def test_names_and_paths(folder: Path, tmp_path: Path) -> None:
    named = put(folder / "mine-b0.safetensors")
    assert find_weights("mine-b0") == named
    assert find_weights("mine-b0.safetensors") == named
    assert find_weights(named) == find_weights(str(named)) == named
    local = put(tmp_path / "mine-b0.safetensors")
    assert find_weights("mine-b0").samefile(named)
    assert find_weights("mine-b0.safetensors").samefile(local)
    (tmp_path / "mine-b0").mkdir()
    assert find_weights("mine-b0").samefile(named)
    assert "is a folder" in refused("./mine-b0", load_network).message


def test_misspelt_names_get_a_suggestion(folder: Path) -> None:
    put(folder / "mine-b0.safetensors")
    put(folder / "other.safetensors")
    for wrong in ("mine-bo", "MINE-B0", "mineb0.safetensors", "mine-b0.pth"):
        error = refused(wrong, find_weights)
        assert "did you mean 'mine-b0'?" in error.message
        assert "mine-b0" in (error.hint or "")
        assert "other" in (error.hint or "")
    assert "did you mean" not in refused("zzzzzzzz", find_weights).message
    assert "there is no file ./mine-b0.safetensors" in refused("./mine-b0.safetensors", find_weights).message


def test_the_first_folder_wins(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = tmp_path / "second"
    one, two = put(folder / "same.safetensors"), put(second / "same.safetensors", notes=["hidden"])
    monkeypatch.setenv("IQA_WEIGHTS", f"{folder}{os.pathsep}{second}")
    assert find_weights("same") == one
    assert [path for path in list_weights() if path.name == one.name] == [one]
    assert [path for path in list_weights(all_copies=True) if path.name == one.name] == [one, two]
    one.unlink()
    assert find_weights("same") == two


def test_what_is_listed(folder: Path) -> None:
    put(folder / "b.safetensors")
    put(folder / "a.safetensors")
    for other in ("a.seen.safetensors", ".c.safetensors", "notes.txt", "d.pth"):
        (folder / other).write_bytes(b"")
    mine = [path.name for path in list_weights() if path.parent == folder]
    assert mine == ["a.safetensors", "b.safetensors"]


def test_a_misspelt_folder_is_not_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQA_WEIGHTS", str(folder / "nowhere"))
    for reader in (find_weights, load_network):
        assert "IQA_WEIGHTS names" in refused("mfenet", reader).message


def test_cards_are_read_without_torch(weight: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from iqa_cli.weights import read_card, list_weights, verify_checksum;"
        f"print(read_card({str(weight)!r}).name, verify_checksum(Path({str(weight)!r})));"
        "list_weights(); print([m for m in ('torch', 'numpy', 'PIL', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["tiny True", "[]"]


@pytest.mark.parametrize("checkout", [True, False])
def test_shipped_weights_are_found_in_a_wheel_and_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: bool
) -> None:
    """A folder "weights" in site-packages is somebody else's: it counts only beside pyproject.toml."""
    shipped = put(tmp_path / "iqa_cli" / "_weights" / "shipped.safetensors")
    beside = put(tmp_path / "weights" / "beside.safetensors")
    if checkout:
        (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.delenv("IQA_WEIGHTS", raising=False)
    monkeypatch.setattr("iqa_cli.finding.__file__", str(tmp_path / "iqa_cli" / "finding.py"))
    assert list_weights() == ([beside, shipped] if checkout else [shipped])
    assert find_weights("shipped") == shipped


def test_truncated_normal_values_are_not_waited_for_where_none_are_drawn() -> None:
    def too_long(*_: object) -> None:
        raise TimeoutError("building a network goes round in circles")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    try:
        with without_random_fills():
            # What lies in memory that was not written to yet, far outside of the bounds.
            made = torch.nn.init.trunc_normal_(torch.full((64,), 1e30), std=0.02)
    finally:
        signal.alarm(0)
    assert made.shape == (64,)
