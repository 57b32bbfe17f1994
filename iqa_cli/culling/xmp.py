"""Star ratings in XMP sidecars: read, written anew, and changed without touching anything else in the file.

A rating is the property `Rating` of the namespace of `xmp:` on a description right below `rdf:RDF`, as an
attribute or as an element of its own (XMP Specification Part 1, 7.4 to 7.9; Part 2, 2.1: -1 for rejected, 0
for unrated, 1 to 5). A sidecar of another program holds its edits, too. So it is not written again from what
a parser has made of it: the parser (expat) only tells at which bytes the value stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from iqa_cli.errors import IqaError
from iqa_cli.text import one_line

#: Larger files are no sidecars that we would change.
LARGEST = 64 * 2**20

_XMP = "http://ns.adobe.com/xap/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAME = r"[^\s/>=]+"
_TAG = re.compile(rf"<{_NAME}(?:\s+{_NAME}\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>".encode())

_NEW = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="iqa">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   xmp:Rating="{rating}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class SidecarError(IqaError):
    """A sidecar that cannot be read or changed; it stays as it is."""


def new_sidecar(rating: int) -> bytes:
    """A sidecar that holds a rating and nothing else."""
    return _NEW.format(rating=_checked(rating)).encode()


def rating_of(content: bytes) -> str | None:
    """The rating as it stands in a sidecar; None where there is none. Of several the first.

    Raises:
        SidecarError: It is no XMP that could be changed.
    """
    found = _scan(content)
    return found.ratings[0].text if found.ratings else None


def with_rating(content: bytes, rating: int) -> bytes:
    """The sidecar with another rating: every other byte as it was.

    Where it has none, one is put onto its first description.

    Raises:
        SidecarError: It is no XMP, not in UTF-8, has a document type or no description, ...
    """
    value = str(_checked(rating))
    found = _scan(content)
    edits = [(place.start, place.end, place.around.format(value).encode()) for place in found.ratings]
    if not edits:
        if found.description is None:
            raise SidecarError("is an XMP file without a description, to which a rating could be put")
        edits = [_added(content, found.description, found.prefixes, value)]
    for start, end, new in sorted(edits, reverse=True):
        content = content[:start] + new + content[end:]
    if rating_of(content) != value:  # a defect here must not reach the disk
        raise SidecarError("is an XMP file in which the rating cannot be changed safely")
    return content


def _checked(rating: int) -> int:
    if not -1 <= rating <= 5:
        raise ValueError(f"a rating should be from -1 to 5, not {rating}")
    return rating


@dataclass
class _Rating:
    """A rating: what it says, the bytes to replace, and what comes around the value."""

    text: str
    start: int
    end: int
    around: str = "{}"


@dataclass
class _Found:
    """What matters in a sidecar.

    Attributes:
        ratings: In the order of the file.
        description: Where the start tag of the first description begins.
        prefixes: Prefix -> namespace in force there.
    """

    ratings: list[_Rating] = field(default_factory=list)
    description: int | None = None
    prefixes: dict[str, str] = field(default_factory=dict)


def _scan(content: bytes) -> _Found:
    if len(content) > LARGEST:
        raise SidecarError("is too large for an XMP sidecar")
    scan = _Scan(content)
    try:
        scan.parser.Parse(content, True)
    except expat.ExpatError as error:
        said = one_line(expat.ErrorString(error.code) or "not well-formed")
        raise SidecarError(f"is no well-formed XMP ({said}, line {error.lineno})") from None
    if not scan.is_rdf:
        raise SidecarError("is XML, but no XMP: there is no rdf:RDF in it")
    return scan.found


class _Scan:
    """One pass over a file."""

    def __init__(self, content: bytes) -> None:
        self.found = _Found()
        self.is_rdf = False
        self._content = content
        self._open: list[str] = []
        self._prefixes: dict[str, list[str]] = {}
        self._element: tuple[int, str] | None = None  # of a rating: where its tag begins, its name there
        self._said = ""
        self.parser = expat.ParserCreate("utf-8", namespace_separator="\n")
        self.parser.namespace_prefixes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartNamespaceDeclHandler = self._declared
        self.parser.EndNamespaceDeclHandler = self._undeclared
        self.parser.XmlDeclHandler = self._header
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _header(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8", "ascii", "us-ascii"):
            raise SidecarError(f"is in {one_line(encoding)}, not in UTF-8")

    def _doctype(self, *_: object) -> None:
        # The only way to entities, and so to a few bytes that unfold to gigabytes. No XMP has one.
        raise SidecarError("has a document type, which no XMP has")

    def _declared(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.setdefault(prefix or "", []).append(uri or "")

    def _undeclared(self, prefix: str | None) -> None:
        self._prefixes[prefix or ""].pop()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        uri, local, prefix = _parts(name)
        within = self._open[-2:]
        self._open.append(f"{uri}{local}")
        self.is_rdf |= self._open[-1] == f"{_RDF}RDF"
        here = self.parser.CurrentByteIndex
        if self._open[-1] == f"{_RDF}Description" and within[-1:] == [f"{_RDF}RDF"]:
            if self.found.description is None:
                self.found.description = here
                self.found.prefixes = {key: uris[-1] for key, uris in self._prefixes.items() if uris}
            for attribute, text in attributes.items():
                its_uri, its_local, its_prefix = _parts(attribute)
                if its_uri == _XMP and its_local == "Rating":
                    start, end = self._value_of(here, f"{its_prefix}:Rating")
                    self.found.ratings.append(_Rating(text.strip(), start, end))
        elif self._open[-1] == f"{_XMP}Rating" and within == [f"{_RDF}RDF", f"{_RDF}Description"]:
            self._element = here, f"{prefix}:Rating" if prefix else "Rating"
            self._said = ""

    def _text(self, text: str) -> None:
        if self._element is not None:
            self._said += text

    def _end(self, name: str) -> None:
        if self._element is not None and self._open[-1] == f"{_XMP}Rating":
            begins, called = self._element
            tag = _tag_at(self._content, begins)
            if tag.endswith(b"/>"):
                self.found.ratings.append(
                    _Rating("", begins + len(tag) - 2, begins + len(tag), f">{{}}</{called}>")
                )
            else:
                self.found.ratings.append(
                    _Rating(self._said.strip(), begins + len(tag), self.parser.CurrentByteIndex)
                )
            self._element = None
        self._open.pop()

    def _value_of(self, begins: int, name: str) -> tuple[int, int]:
        """The bytes of the value of an attribute, without its quotes."""
        tag = _tag_at(self._content, begins)
        value = re.search(rb"\s" + re.escape(name.encode()) + rb"\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", tag)
        if value is None:
            raise SidecarError("is an XMP file in which the rating cannot be changed safely")
        start, end = value.span(1) if value[1] is not None else value.span(2)
        return begins + start, begins + end


def _parts(name: str) -> tuple[str, str, str]:
    """Namespace, name and prefix of what expat calls an element or attribute."""
    uri, local, prefix = [*name.split("\n"), "", ""][:3]
    return (uri, local, prefix) if local else ("", uri, "")


def _tag_at(content: bytes, begins: int) -> bytes:
    tag = _TAG.match(content, begins)
    if tag is None:
        raise SidecarError("is an XMP file in which the rating cannot be changed safely")
    return tag[0]


def _added(content: bytes, begins: int, prefixes: dict[str, str], value: str) -> tuple[int, int, bytes]:
    """A rating as an attribute right behind the name of a description."""
    tag = _tag_at(content, begins)
    name = re.match(rf"<{_NAME}".encode(), tag)
    place = begins + (name.end() if name else 1)
    known = next((prefix for prefix, uri in prefixes.items() if uri == _XMP and prefix), None)
    if known is not None:
        return place, place, f' {known}:Rating="{value}"'.encode()
    # Readers go by the prefix: another namespace of that name would be taken for the rating.
    if "xmp" in prefixes or b"xmlns:xmp" in tag:
        raise SidecarError("is an XMP file that means something else by xmp:")
    return place, place, f' xmlns:xmp="{_XMP}" xmp:Rating="{value}"'.encode()
