"""QFM-IQM's encoder and decoder: a picture to tokens, tokens to a score.

The decoder is in the style of DEIQT (Qin et al., AAAI 2023, arXiv 2304.04952). Published there: an attention
panel of queries, each joined with the class token, one transformer decoder layer over the tokens of the
encoder, the mean of the panel's scores. Our choice: six queries, joined by adding; pre-norm; one linear map
for all queries; what stands in for a class token that the backbone lacks; several grids of tokens.

Licence of this file: that of the project.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.numbers import in_float32
from iqa_cli.networks.timm_backbone import Backbone

#: Where scores start: the middle of the 0 to 1 scale.
_MIDDLE = 0.5


class Encoder(nn.Module):
    """Backbone, then for each grid of tokens a linear map to the width of the decoder and a LayerNorm.

    Args:
        backbone: Gives the tokens.
        width: Channels of the decoder, D.
    """

    def __init__(self, backbone: Backbone, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.projections = nn.ModuleList(
            nn.Identity() if channels == width else nn.Linear(channels, width) for channels in backbone.widths
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in backbone.widths)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Feature and tokens of normalised RGB [N, 3, H, W].

        Returns:
            The feature f [N, D]: the class token, or where there is none the mean token of each grid,
            averaged over the grids; and all tokens [N, T, D], grid by grid.
        """
        first, grids = self.backbone(x)
        parts = list(zip(self.projections, self.norms, strict=True))
        with in_float32(grids[0]):
            tokens = [norm(project(grid.float())) for (project, norm), grid in zip(parts, grids, strict=True)]
            if first is not None:
                project, norm = parts[-1]
                feature = norm(project(first.float()))
            else:
                feature = torch.stack([grid.mean(1) for grid in tokens]).mean(0)
            return feature, torch.cat(tokens, 1)


class Attention(nn.Module):
    """Multi-head attention: softmax(Q K' / sqrt(D / heads)) V in each head, then a linear map.

    Args:
        width: Channels D, a multiple of `heads`.
        heads: Number of heads; head h has the channels h D / heads to (h + 1) D / heads.
        dropout: Of the attention's weights.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """[N, Q, D] looked up in [N, T, D]; the result is [N, Q, D]."""
        key, value = self.key_value(tokens).chunk(2, -1)
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.query(queries), key, value)
        )
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return self.out(found.transpose(1, 2).flatten(2))


class DecoderLayer(nn.Module):
    """A pre-norm transformer decoder layer: attention among the queries, attention to the tokens, MLP, each
    added to what it was given."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.among = Attention(width, heads, dropout)
        self.across = Attention(width, heads, dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(mlp_ratio * width, width),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Queries [N, Q, D] and tokens [N, T, D] to queries [N, Q, D]."""
        among = self.norm1(queries)
        queries = queries + self.drop(self.among(among, among))
        queries = queries + self.drop(self.across(self.norm2(queries), tokens))
        return queries + self.drop(self.mlp(self.norm3(queries)))


class QualityDecoder(nn.Module):
    """dec(f): the panel of queries, each plus f, through one decoder layer, a LayerNorm and one linear map to
    a score each; their mean.

    Args:
        width: Channels D.
        heads: Heads of both attentions.
        queries: Size of the panel.
        mlp_ratio: Width of the hidden layer over D.
        dropout: Of attention, residuals and hidden layer.
    """

    def __init__(self, width: int, heads: int, queries: int, mlp_ratio: int, dropout: float) -> None:
        super().__init__()
        self.panel = nn.Parameter(torch.empty(queries, width))
        nn.init.trunc_normal_(self.panel, std=0.02)
        self.layer = DecoderLayer(width, heads, mlp_ratio, dropout)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        nn.init.constant_(self.score.bias, _MIDDLE)

    def opinions(self, feature: Tensor, tokens: Tensor) -> Tensor:
        """The score [N, Q] of each query, from feature [N, D] and tokens [N, T, D]."""
        with in_float32(tokens):
            queries = self.panel + feature[:, None].float()
            return self.score(self.norm(self.layer(queries, tokens.float()))).squeeze(-1)

    def forward(self, feature: Tensor, tokens: Tensor) -> Tensor:
        """Scores [N], the means over the queries."""
        return self.opinions(feature, tokens).mean(1)
