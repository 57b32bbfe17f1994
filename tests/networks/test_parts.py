"""Octave convolution, AFF, FFM and the high-pass target against slow, literal forms of their formulas."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iqa_cli.networks.fusion import AFF, FFM
from iqa_cli.networks.hfen import HIGHPASS_SIGMA, HighFrequencyModule, OctaveConv, highpass_target


def _conv3x3(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[C, H, W] and [O, C, 3, 3] to [O, H, W], zeros outside."""
    c, h, w = x.shape
    padded = np.zeros((c, h + 2, w + 2))
    padded[:, 1:-1, 1:-1] = x
    out = np.zeros((weight.shape[0], h, w))
    for o in range(weight.shape[0]):
        for i in range(h):
            for j in range(w):
                out[o, i, j] = (padded[:, i : i + 3, j : j + 3] * weight[o]).sum()
    return out


def _pool2x2(x: np.ndarray) -> np.ndarray:
    """Mean of 2x2, of what there is at an odd edge."""
    c, h, w = x.shape
    out = np.zeros((c, -(-h // 2), -(-w // 2)))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
    return out


def _lift(x: np.ndarray, h: int, w: int) -> np.ndarray:
    """Nearest upsampling to exactly h x w."""
    rows = np.arange(h) * x.shape[1] // h
    columns = np.arange(w) * x.shape[2] // w
    return x[:, rows][:, :, columns]


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_octave_convolution_is_its_formula(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    octave = OctaveConv(4, 6, 0.5, 0.5).double()
    high = torch.randn(1, 2, *shape, dtype=torch.double)
    low = torch.randn(1, 2, -(-shape[0] // 2), -(-shape[1] // 2), dtype=torch.double)
    got_high, got_low = octave(high, low)
    weights = {name: module.weight.detach().numpy() for name, module in octave.named_children()}
    x_high, x_low = high[0].numpy(), low[0].numpy()
    want_high = _conv3x3(x_high, weights["high_to_high"]) + _lift(
        _conv3x3(x_low, weights["low_to_high"]), *shape
    )
    want_low = _conv3x3(x_low, weights["low_to_low"]) + _conv3x3(_pool2x2(x_high), weights["high_to_low"])
    np.testing.assert_allclose(got_high[0].detach().numpy(), want_high, atol=1e-12)
    np.testing.assert_allclose(got_low[0].detach().numpy(), want_low, atol=1e-12)


def test_octave_convolution_without_low_parts_is_a_plain_one() -> None:
    octave = OctaveConv(3, 4, 0.0, 0.0)
    x = torch.randn(2, 3, 9, 11)
    high, low = octave(x)
    assert low is None
    torch.testing.assert_close(high, octave.high_to_high(x))


def test_what_the_high_frequency_module_throws_away_is_not_trained() -> None:
    module = HighFrequencyModule(8)
    module(torch.randn(2, 8, 12, 12)).sum().backward()
    idle = {name for name, p in module.named_parameters() if p.grad is None}
    assert idle == {"second.high_to_low.weight", "second.low_to_low.weight"}
    assert not any(p.requires_grad for name, p in module.named_parameters() if name in idle)


def _bn(x: np.ndarray, norm: nn.BatchNorm2d) -> np.ndarray:
    """[N, C, H, W], statistics of the batch."""
    mean = x.mean((0, 2, 3), keepdims=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdims=True)
    weight, bias = (p.detach().numpy()[None, :, None, None] for p in (norm.weight, norm.bias))
    return (x - mean) / np.sqrt(variance + norm.eps) * weight + bias


def _conv1x1(x: np.ndarray, conv: nn.Conv2d) -> np.ndarray:
    weight = conv.weight.detach().numpy()[:, :, 0, 0]
    out = np.einsum("oc,nchw->nohw", weight, x)
    return out if conv.bias is None else out + conv.bias.detach().numpy()[None, :, None, None]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _randomised(module: nn.Module) -> nn.Module:
    """Norms away from the identity, so that a forgotten one is noticed."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
    return module.double().train()


def _pair(channels: int = 8) -> tuple[Tensor, Tensor]:
    return (
        torch.randn(3, channels, 5, 4, dtype=torch.double),
        torch.randn(3, channels, 5, 4, dtype=torch.double),
    )


def test_aff_is_its_formula() -> None:
    torch.manual_seed(2)
    aff = _randomised(AFF(8))
    x, y = _pair()
    u = (x + y).numpy()

    def branch(v: np.ndarray, layers: nn.Sequential) -> np.ndarray:
        hidden = np.maximum(_bn(_conv1x1(v, layers[0]), layers[1]), 0)
        return _bn(_conv1x1(hidden, layers[3]), layers[4])

    attention = aff.attention
    w = _sigmoid(
        branch(u, attention.local_attention)
        + branch(u.mean((2, 3), keepdims=True), attention.global_attention)
    )
    want = 2 * x.numpy() * w + 2 * y.numpy() * (1 - w)
    np.testing.assert_allclose(aff(x, y).detach().numpy(), want, atol=1e-10)
    assert attention.local_attention[0].out_channels == 2


def test_aff_refuses_to_train_on_a_batch_of_one_and_says_why() -> None:
    aff = AFF(8)
    x = torch.randn(1, 8, 4, 4)
    with pytest.raises(ValueError, match="batch of one"):
        aff(x, x)
    aff.eval()(x, x)


def test_ffm_is_its_formula() -> None:
    torch.manual_seed(3)
    ffm = _randomised(FFM(8))
    a, h = _pair()
    z = np.maximum(_bn(_conv1x1(np.concatenate([a.numpy(), h.numpy()], 1), ffm.mix[0]), ffm.mix[1]), 0)
    hidden = np.maximum(_conv1x1(z.mean((2, 3), keepdims=True), ffm.squeeze), 0)
    want = z + z * _sigmoid(_conv1x1(hidden, ffm.excite))
    np.testing.assert_allclose(ffm(a, h).detach().numpy(), want, atol=1e-10)


def test_highpass_target_is_what_a_gaussian_leaves() -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    rgb = rng.random((3, 40, 48))
    luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    residue = np.abs(luma - gaussian_filter(luma, HIGHPASS_SIGMA, mode="mirror", truncate=4.0))
    want = residue.reshape(10, 4, 12, 4).mean((1, 3))
    got = highpass_target(torch.from_numpy(rgb)[None], (10, 12))
    np.testing.assert_allclose(got[0, 0].numpy(), want, atol=1e-9)


def test_highpass_target_of_a_flat_picture_is_zero() -> None:
    assert highpass_target(torch.full((1, 3, 64, 64), 0.4), (16, 16)).abs().max() < 1e-6
