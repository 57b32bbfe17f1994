"""Ratings in XMP sidecars: what other programs read, and that everything else in a file stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from iqa_cli.culling.xmp import SidecarError, new_sidecar, rating_of, with_rating

# As darktable writes them, shortened.
DARKTABLE = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="1"
   darktable:xmp_version="5">
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:operation="exposure" darktable:params="gz05eJxjZ2Bg&gt;" />
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
# As of a program that writes elements, calls the namespace by another prefix, and has ratings of other
# things in it, too.
ELEMENTS = """\
\ufeff<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<!-- Rating="9" -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:o='urn:other'>
 <rdf:Description rdf:about='Straße' xmlns:xap='http://ns.adobe.com/xap/1.0/' o:Rating='7'>
  <o:thing rdf:parseType='Resource'><xap:Rating>2</xap:Rating></o:thing>
  <xap:Rating>{}</xap:Rating>
 </rdf:Description>
</rdf:RDF>
<?xpacket end='w'?>"""
WITHOUT = DARKTABLE.replace(b'xmlns:xmp="http://ns.adobe.com/xap/1.0/"', b"").replace(b'xmp:Rating="1"', b"")

exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
exiv2 = pytest.mark.skipif(shutil.which("exiv2") is None, reason="exiv2 is not installed")


def sidecars() -> list[bytes]:
    """Sidecars of which each should say four stars."""
    return [
        new_sidecar(4),
        with_rating(DARKTABLE, 4),
        with_rating(ELEMENTS.format("").encode(), 4),
        with_rating(ELEMENTS.replace("<xap:Rating>{}</xap:Rating>", "<xap:Rating/>").encode(), 4),
        with_rating(WITHOUT, 4),
    ]


def said_by(*command: str | Path) -> str:
    """What a program prints."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def test_only_the_bytes_of_the_rating_change() -> None:
    assert rating_of(DARKTABLE) == "1"
    assert with_rating(DARKTABLE, 5) == DARKTABLE.replace(b'xmp:Rating="1"', b'xmp:Rating="5"')
    old, new = ELEMENTS.format("3").encode(), ELEMENTS.format("-1").encode()
    assert rating_of(old) == "3"
    assert with_rating(old, -1) == new


def test_a_file_without_a_rating_gets_one_and_keeps_what_it_has() -> None:
    assert rating_of(WITHOUT) is None
    added = b' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="2"'
    changed = with_rating(WITHOUT, 2)
    assert rating_of(changed) == "2"
    assert changed.replace(added, b"") == WITHOUT
    declared = DARKTABLE.replace(b'xmp:Rating="1"', b"")
    assert with_rating(declared, 2).replace(b' xmp:Rating="2"', b"") == declared


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff\xe0 no XML",
        b"<a/>",
        DARKTABLE[:-30],
        DARKTABLE.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        DARKTABLE.replace(b"UTF-8", b"latin-1"),
        b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>',
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
        DARKTABLE.replace(b"http://ns.adobe.com/xap/1.0/", b"urn:not-adobe"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(content: bytes) -> None:
    with pytest.raises(SidecarError) as raised:
        with_rating(content, 3)
    assert "\n" not in raised.value.message


@exiftool
def test_exiftool_reads_the_rating(tmp_path: Path) -> None:
    places = [tmp_path / f"{number}.xmp" for number, _ in enumerate(sidecars())]
    for place, content in zip(places, sidecars(), strict=True):
        place.write_bytes(content)
    assert said_by("exiftool", "-q", "-p", "$Rating", *places).split() == ["4"] * len(places)
    assert said_by("exiftool", "-s3", "-validate", places[0]) == "OK"


@exiv2
def test_exiv2_which_darktable_and_digikam_use_reads_the_rating(tmp_path: Path) -> None:
    for content in sidecars():
        (tmp_path / "photo.xmp").write_bytes(content)
        assert said_by("exiv2", "-PXv", "-K", "Xmp.xmp.Rating", tmp_path / "photo.xmp") == "4", content
