"""No-reference image quality assessment: how good does a photograph look?

    from iqa_cli import load
    load("mfenet").score("photo.jpg")

Importing this package is cheap: torch is loaded only when a scorer is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Prediction", "__version__", "load"]

if TYPE_CHECKING:
    from iqa_cli.prediction import Prediction
    from iqa_cli.scoring.scorer import load


def __getattr__(name: str) -> Any:
    if name == "load":
        from iqa_cli.scoring.scorer import load

        return load
    if name == "Prediction":
        from iqa_cli.prediction import Prediction

        return Prediction
    raise AttributeError(f"module 'iqa_cli' has no attribute {name!r}")
