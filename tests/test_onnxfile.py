"""What an ONNX file says of itself is read without an ONNX library; what is wrong with one is a line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqa_cli.errors import WeightsError
from iqa_cli.onnxfile import read_graph, read_metadata


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


GRAPH = field(7, b"\x0a\x03abc" * 50)
ENTRY = field(14, field(1, b"iqa_card") + field(2, "grün".encode()))
WHOLE = varint(1 << 3) + varint(10) + field(2, b"iqa") + GRAPH + field(8, b"\x10\x12") + ENTRY


def test_texts_before_and_behind_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(field(14, field(2, b"2") + field(1, b"first")) + WHOLE)
    assert read_metadata(path) == {"first": "2", "iqa_card": "grün"}
    assert read_graph(path) == (read_metadata(path), path.read_bytes())


def test_it_is_the_layout_that_the_library_writes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "none", [], [])
    model = onnx.helper.make_model(graph, doc_string="about")
    onnx.helper.set_model_props(model, {"a": "b", "iqa_card": "{}"})
    path = tmp_path / "x.onnx"
    onnx.save(model, path)
    assert read_metadata(path) == {"a": "b", "iqa_card": "{}"}


def test_a_truncated_file_is_refused_or_lacks_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    # At the end of a field nothing tells that another one should follow: such a file has no card.
    ends = {len(WHOLE) - len(ENTRY), len(WHOLE) - len(ENTRY) - len(field(8, b"12"))}
    for length in range(len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        if length in ends:
            assert read_metadata(path) == {}
        else:
            with pytest.raises(WeightsError, match="is damaged"):
                read_metadata(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        varint(7 << 3 | 2) + varint(2**62),  # a graph of exbibytes
        GRAPH + varint(14 << 3 | 2) + varint(2**40),
        GRAPH + field(14, varint(2 << 3 | 2) + varint(2**40)),
        GRAPH + field(14, field(1, b"\xff\xfe")),
        varint(1 << 3) + b"\xff" * 20,
        (varint(1 << 3) + b"\1") * 2000 + GRAPH,  # more fields than any such file has
        ENTRY,  # no graph
    ],
)
def test_what_is_no_exported_network_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x\x1b.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged, or is no ONNX file") as caught:
        read_metadata(path)
    assert "\x1b" not in caught.value.message


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(content + GRAPH)
    with contextlib.suppress(WeightsError):
        read_metadata(path)


def test_damage_is_noticed_by_the_checksum(tmp_path: Path) -> None:
    from iqa_cli.checksums import write_file

    path = tmp_path / "x.onnx"
    write_file(path, WHOLE)
    assert read_graph(path)[1] == WHOLE
    damaged = bytearray(WHOLE)
    damaged[20] ^= 1  # inside of the graph
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="SHA-256"):
        read_graph(path)
    assert read_graph(path, verify=False)[1] == bytes(damaged)
