"""TID2013 (Ponomarenko et al., 2015): 3,000 distorted pictures of 25 references, MOS 0 to 9.

A name such as `i01_08_3.bmp` gives reference, type and level. Its letter case differs between the label file,
the folder and the references (`I01.BMP` beside `i25.bmp`); records carry it in lower case.

`mos_std.txt` is not read: it holds deviations of the mean scores, not of the opinions.
"""

from __future__ import annotations

import re
from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import read_words, refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="tid2013",
    title="TID2013",
    images=3000,
    references=25,
    low=0.0,
    high=9.0,
    higher_is_better=True,
    split="reference",
    citation="N. Ponomarenko et al., Image database TID2013: peculiarities, results and perspectives, "
    "Signal Processing: Image Communication 30, 2015",
    layout=("mos_with_names.txt", "distorted_images/i01_01_1.bmp ...", "reference_images/i01.bmp ..."),
    licence="see its readme: educational and research purposes, with its notice",
    score="MOS, first column of mos_with_names.txt",
    page="Tampere Image Database 2013 TID2013",
)

#: The 24 types, numbered from 1 in the names of the files.
TYPES = (
    "gaussian_noise",
    "colour_noise",
    "spatially_correlated_noise",
    "masked_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantization_noise",
    "gaussian_blur",
    "denoising",
    "jpeg",
    "jpeg2000",
    "jpeg_transmission_errors",
    "jpeg2000_transmission_errors",
    "non_eccentricity_pattern_noise",
    "local_block_distortions",
    "mean_shift",
    "contrast_change",
    "saturation_change",
    "multiplicative_gaussian_noise",
    "comfort_noise",
    "lossy_compression_of_noisy_images",
    "colour_quantization_with_dither",
    "chromatic_aberrations",
    "sparse_sampling_and_reconstruction",
)
_NAME = re.compile(r"(i\d\d)_(\d\d)_([1-5])\.bmp")


def read_tid2013(root: Path) -> Database:
    """Read TID2013 under `root`.

    Raises:
        DatasetError: The label file or the folder of pictures is missing, a row is broken, a name is none of
            TID2013's, a picture is listed twice, or a score is outside of the declared range.
    """
    tree = Tree(root, FACTS, "mos_with_names.txt")
    path, folder = tree.need("mos_with_names.txt"), tree.need("distorted_images")
    records = []
    for row in read_words(path, ("mos", "image")):
        name, mos = row.picture("image").lower(), row.number("mos")
        match = _NAME.fullmatch(name)
        kind = int(match[2]) if match else 0
        if match is None or not 1 <= kind <= len(TYPES):
            raise DatasetError(f"{row.place}: {one_line(name)!r} is no name of TID2013, as i01_24_5.bmp is")
        ref = f"{match[1]}.bmp"
        records.append(
            ImageRecord(
                path=tree.picture(folder, name),
                name=name,
                mos=FACTS.scaled(mos, row.place),
                raw=mos,
                group=ref,
                ref=ref,
                distortion=TYPES[kind - 1],
                level=int(match[3]),
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)
