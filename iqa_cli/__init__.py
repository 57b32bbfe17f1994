"""No-reference image quality assessment: how good does a photograph look?

    from iqa_cli import load, load_many
    load("mfenet").score("photo.jpg")
    load_many(["mfenet", "vcrnet"]).score("photo.jpg")    # each picture is decoded once

Importing this package is cheap: torch is loaded only when a scorer is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Prediction", "__version__", "load", "load_many"]

if TYPE_CHECKING:
    from iqa_cli.prediction import Prediction
    from iqa_cli.scoring.scorer import load, load_many


def __getattr__(name: str) -> Any:
    if name in ("load", "load_many"):
        from iqa_cli.scoring import scorer

        return getattr(scorer, name)
    if name == "Prediction":
        from iqa_cli.prediction import Prediction

        return Prediction
    raise AttributeError(f"module 'iqa_cli' has no attribute {name!r}")
