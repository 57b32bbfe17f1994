"""Damaged MATLAB files and workbooks: whatever is in them, the reader answers with one clear line."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from scipy.io import loadmat, savemat

from iqa_cli.datasets.matfile import read_mat, texts
from iqa_cli.datasets.workbook import read_sheet
from iqa_cli.errors import DatasetError
from tests.datasets import trees


def _damaged(content: bytes, seed: int) -> bytes:
    """Cut short, or with some bytes changed."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return content[: int(rng.integers(0, len(content)))]
    changed = bytearray(content)
    for place in rng.integers(0, len(content), 8):
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_matlab_file_is_read_or_refused_in_one_line(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "labels.mat"
    savemat(
        path, {"names": trees.cells(["a.bmp", "b.bmp"]), "mos": np.ones((1, 300))}, do_compression=compressed
    )
    content, refusals = path.read_bytes(), []
    for seed in range(60):
        path.write_bytes(_damaged(content, seed))
        try:
            read_mat(path, "mos")
        except DatasetError as failure:
            refusals.append(failure.message)
    assert len(refusals) > 20
    assert all(message.isprintable() and str(path) in message for message in refusals)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_matlab_file_is_read_as_scipy_reads_it(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "labels.mat"
    values = {
        "mos": np.linspace(0, 5, 7)[:, None],
        "small": np.array([[1, 2, 250]], np.uint8),
        "single": np.arange(6, dtype=np.float32).reshape(2, 3),
        "none": np.zeros((0, 0)),
        "names": trees.cells(["a.bmp", "caf\u00e9 \u65e5.bmp", "x"]),
        "standing": trees.cells(["b.bmp", "c.bmp"], standing=True),
        "text": "one text",
        "other": {"field": 1.0},
    }
    savemat(path, values, do_compression=compressed)
    found, wanted = read_mat(path), loadmat(path)
    assert list(found) == list(values)
    for name in ("mos", "small", "single", "none", "text"):
        np.testing.assert_array_equal(found[name], wanted[name])
    for name in ("names", "standing"):
        assert texts(found[name], "file") == texts(wanted[name], "file")
        assert found[name].shape == wanted[name].shape
    assert found["other"] is None


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


@pytest.mark.parametrize("kind", [0, 8, 10, 15, 19, 0x12D09, 2**31 - 1])
def test_a_number_of_an_unknown_kind_does_not_end_the_process(tmp_path: Path, kind: int) -> None:
    """Found by fuzzing: SciPy looks the kind up without a bound."""
    path = tmp_path / "labels.mat"
    name = _element(6, struct.pack("<II", 6, 0)) + _element(5, struct.pack("<ii", 1, 1)) + _element(1, b"mos")
    body = name + struct.pack("<II", kind, 8) + bytes(8)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + _element(14, body))
    failure = trees.refusal(lambda file: read_mat(file, "mos"), path)
    assert failure.message == f"cannot read '{path}': it is no MATLAB file, or a damaged one"


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        ((7, "<dd", (np.nan, 0)), (5, "<ii", (1, 1))),
        ((6, "<II", (6, 0)), (9, "<dd", (np.inf, 1))),
        ((6, "<II", (6, 0)), (5, "<iii", (2**31 - 1, 2**31 - 1, 0))),
        ((6, "<II", (1, 0)), (13, "<QQ", (2**64 - 1, 0))),
        ((6, "<II", (6, 0)), (12, "<qq", (2**62, 0))),
    ],
)
def test_sizes_that_no_array_has_are_damage(
    tmp_path: Path, flags: tuple[int, str, tuple[float, ...]], sizes: tuple[int, str, tuple[float, ...]]
) -> None:
    """Found by fuzzing, and by looking for more of the kind."""
    path = tmp_path / "labels.mat"
    head = b"".join(_element(kind, struct.pack(form, *values)) for kind, form, values in (flags, sizes))
    body = head + _element(1, b"mos") + _element(9, b"")
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + _element(14, body))
    failure = trees.refusal(lambda file: read_mat(file, "mos"), path)
    assert failure.message == f"cannot read '{path}': it is no MATLAB file, or a damaged one"


def test_a_compressed_matlab_file_does_not_unpack_to_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mat"
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    bomb = struct.pack("<II", 15, len(packed)) + packed
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + bomb)
    tracemalloc.start()
    try:
        trees.refusal(lambda file: read_mat(file, "mos"), path)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_a_damaged_workbook_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.xlsx"
    book = openpyxl.Workbook()
    book.active.append(("image", "mos"))
    for number in range(50):
        book.active.append((f"{number}.png", number / 7))
    book.save(path)
    content, refusals = path.read_bytes(), []
    for seed in range(60):
        path.write_bytes(_damaged(content, seed))
        try:
            read_sheet(path, "image", "mos")
        except DatasetError as failure:
            refusals.append(failure.message)
    assert len(refusals) > 30
    assert all(message.isprintable() and str(path) in message for message in refusals)


@pytest.mark.parametrize(
    ("place", "value"),
    [(6, 1), (6, 0x40), (8, 14), (8, 12), (8, 99)],
    ids=["encrypted", "strongly encrypted", "LZMA that is none", "bzip2 that is none", "of no compression"],
)
def test_a_workbook_whose_archive_says_what_it_is_not_is_damaged(
    tmp_path: Path, place: int, value: int
) -> None:
    """The first was found by fuzzing."""
    path = tmp_path / "labels.xlsx"
    book = openpyxl.Workbook()
    book.active.append(("image", "mos"))
    book.save(path)
    content = bytearray(path.read_bytes())
    for signature, further in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + place + further : at + place + further + 2] = struct.pack("<H", value)
    path.write_bytes(content)
    failure = trees.refusal(lambda file: read_sheet(file, "image", "mos"), path)
    assert failure.message == f"cannot read '{path}': it is no workbook, or a damaged one"


@pytest.mark.parametrize("content", [b"", b"image,mos\n", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    for path in (tmp_path / "a.mat", tmp_path / "a.xlsx"):
        path.write_bytes(content)
        read = read_mat if path.suffix == ".mat" else read_sheet
        assert trees.refusal(lambda file, read=read: read(file, "mos"), path).message.startswith(
            "cannot read"
        )


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    for read, name in ((read_mat, "a.mat"), (read_sheet, "a.xlsx")):
        failure = trees.refusal(lambda file, read=read: read(file, "mos"), tmp_path / name)
        assert failure.message == f"cannot read '{tmp_path / name}': No such file or directory"


def test_a_matlab_file_of_version_7_3_says_so(tmp_path: Path) -> None:
    path = tmp_path / "new.mat"
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header.ljust(600, b"\0"))
    assert "is of version 7.3" in trees.refusal(lambda file: read_mat(file, "mos"), path).message


def test_a_missing_variable_names_those_there_are(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"mos": np.ones(3), "std": np.ones(3)})
    failure = trees.refusal(lambda file: read_mat(file, "dmos"), tmp_path / "a.mat")
    assert failure.message.endswith("lacks the variable 'dmos'")
    assert failure.hint == "variables: mos, std"


def test_a_sheet_is_found_by_its_name_and_its_header_by_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("scores")
    for cells in (
        (),
        ("", "the scores of", "the image"),
        ("", "MOS ", "x", "Image"),
        ("", 2.5, 0, 1600.0),
        (),
    ):
        sheet.append(cells)
    sheet.append(("", 3, 0, " b.png"))
    book.save(path)
    rows = read_sheet(path, "image", "mos", sheet="scores")
    assert [(row.cells, row.place) for row in rows] == [
        ({"image": "1600", "mos": "2.5"}, f"{path}, row 4"),
        ({"image": "b.png", "mos": "3"}, f"{path}, row 6"),
    ]
    more = read_sheet(path, "image", sheet="scores", optional=("mos", "std"))
    assert [row.cells for row in more] == [{"image": "1600", "mos": "2.5"}, {"image": "b.png", "mos": "3"}]
    failure = trees.refusal(lambda file: read_sheet(file, "image", sheet="all"), path)
    assert (failure.message, failure.hint) == (f"{path}: has no sheet 'all'", "sheets: notes, scores")
    assert (
        "no row names the columns image, dmos"
        in trees.refusal(lambda file: read_sheet(file, "image", "dmos", sheet="scores"), path).message
    )


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(("image", "mos"))
    book.save(tmp_path / "a.xlsx")
    failure = trees.refusal(lambda file: read_sheet(file, "image", "mos"), tmp_path / "a.xlsx")
    assert failure.message.endswith("a.xlsx: no rows")
