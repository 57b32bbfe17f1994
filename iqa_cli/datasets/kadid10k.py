"""KADID-10k (Lin, Hosu and Saupe, 2019): 10,125 distorted pictures of 81 references, scores 1 to 5.

The column is called `dmos`, and higher is better all the same: the scores are degradation category ratings,
of which 5 says that no degradation is seen. The column `var` holds their standard deviations: those of whole
numbers of votes fit its values so, and not as variances (mean 4.57 and 0.496 are 17 fives and 13 fours).
A name such as `I01_08_03.png` gives reference, type and level.
"""

from __future__ import annotations

import re
from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import read_columns, refuse_repeated
from iqa_cli.datasets.tree import Tree
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="kadid10k",
    title="KADID-10k",
    images=10125,
    references=81,
    low=1.0,
    high=5.0,
    higher_is_better=True,
    split="reference",
    citation="H. Lin, V. Hosu and D. Saupe, KADID-10k: a large-scale artificially distorted IQA database, "
    "International Conference on Quality of Multimedia Experience (QoMEX), 2019",
    layout=("dmos.csv", "images/I01_01_01.png ...", "images/I01.png ..."),
    licence="see its page; the references come from Pixabay. Cite the paper",
    score="DMOS by name, column dmos; higher is better",
    page="KADID-10k IQA Database, Multimedia Signal Processing group, University of Konstanz",
)

#: The 25 types, numbered from 1 in the names of the files; called as `iqa_cli.images.distortions` calls them.
TYPES = (
    "gaussian_blur",
    "lens_blur",
    "motion_blur",
    "color_diffusion",
    "color_shift",
    "color_quantization",
    "color_saturation_1",
    "color_saturation_2",
    "jpeg2000",
    "jpeg",
    "white_noise",
    "white_noise_ycbcr",
    "impulse_noise",
    "multiplicative_noise",
    "denoise",
    "brighten",
    "darken",
    "mean_shift",
    "jitter",
    "non_eccentricity_patch",
    "pixelate",
    "quantization",
    "color_block",
    "high_sharpen",
    "contrast_change",
)
_NAME = re.compile(r"(I\d\d)_(\d\d)_0([1-5])\.png", re.IGNORECASE)


def read_kadid10k(root: Path) -> Database:
    """Read KADID-10k under `root`.

    Raises:
        DatasetError: `dmos.csv` or `images/` is missing, a row is broken or its reference is not that of its
            picture, a picture is listed twice, or a score is outside of the declared range.
    """
    tree = Tree(root, FACTS, "dmos.csv")
    path, folder = tree.need("dmos.csv"), tree.need("images")
    records = []
    for row in read_columns(path, "dist_img", "ref_img", "dmos", optional=("var",)):
        name, ref, score = row.picture("dist_img"), row.picture("ref_img"), row.number("dmos")
        match = _NAME.fullmatch(name)
        kind = int(match[2]) if match else 0
        if match is None or not 1 <= kind <= len(TYPES):
            raise DatasetError(
                f"{row.place}: {one_line(name)!r} is no name of KADID-10k, as I01_25_05.png is"
            )
        if ref.lower() != f"{match[1]}.png".lower():
            raise DatasetError(f"{row.place}: the reference of {name} is not {one_line(ref)}")
        records.append(
            ImageRecord(
                path=tree.picture(folder, name),
                name=name,
                mos=FACTS.scaled(score, row.place),
                raw=score,
                group=ref,
                ref=ref,
                distortion=TYPES[kind - 1],
                level=int(match[3]),
                deviation=FACTS.scaled_deviation(row.number_if_any("var"), row.place),
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database.of(FACTS, records)
