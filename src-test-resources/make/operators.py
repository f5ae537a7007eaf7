"""What torch computes for each operator of Backend, in float64 from float32 inputs.   python operators.py CASES_DIR

Feature maps are stored [batch, height, width, channels], tokens [batch, length, channels]; weights as torch has them.
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

G = torch.Generator().manual_seed(20)
OUT: dict[str, torch.Tensor] = {}

ACTIVATIONS = {
    "none": lambda x: x,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
}


def given(name: str, *shape: int, scale: float = 1.0, shift: float = 0.0, dtype=torch.float32) -> torch.Tensor:
    """A random input, stored under its name; comes back in float64."""
    OUT[name] = (torch.randn(shape, generator=G) * scale + shift).to(dtype)
    return OUT[name].double()


def gives(name: str, value: torch.Tensor) -> None:
    OUT[name] = value.float().contiguous()


def nchw(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def nhwc(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def linear() -> None:
    x, residual = given("linear.x", 2, 3, 7), given("linear.residual", 2, 3, 5)
    w, b = given("linear.weight", 5, 7, scale=0.4), given("linear.bias", 5)
    for name, f in ACTIVATIONS.items():
        gives(f"linear.out.{name}", f(F.linear(x, w, b)) + residual)
    for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
        w, b = given(f"linear.{name}.weight", 5, 7, scale=0.4, dtype=dtype), given(f"linear.{name}.bias", 5, dtype=dtype)
        gives(f"linear.{name}.out", F.linear(x, w, b))
    x, w, b = given("geglu.x", 2, 3, 6), given("geglu.weight", 10, 6, scale=0.5), given("geglu.bias", 10)
    value, gate = F.linear(x, w, b).chunk(2, dim=-1)
    gives("geglu.out", value * F.gelu(gate))


def conv(name: str, x_shape: tuple[int, ...], out: int, k: int, stride: int, pad: tuple[int, int, int, int], extras: bool) -> None:
    """pad: top, bottom, left, right."""
    x = given(f"{name}.x", *x_shape)
    w, b = given(f"{name}.weight", out, x_shape[3], k, k, scale=0.3), given(f"{name}.bias", out)
    y = F.conv2d(F.pad(nchw(x), (pad[2], pad[3], pad[0], pad[1])), w, b, stride=stride)
    if extras:
        y = y + given(f"{name}.channel_bias", x_shape[0], out)[:, :, None, None]
        y = y + nchw(given(f"{name}.residual", *nhwc(y).shape))
    gives(f"{name}.out", nhwc(y))
    OUT[f"{name}.geometry"] = torch.tensor([stride, *pad], dtype=torch.int32)


def convs() -> None:
    conv("conv.same", (2, 5, 7, 6), 9, 3, 1, (1, 1, 1, 1), True)
    conv("conv.pointwise", (2, 3, 5, 7), 4, 1, 1, (0, 0, 0, 0), True)
    conv("conv.down", (1, 7, 5, 4), 5, 3, 2, (1, 1, 1, 1), False)
    conv("conv.down_vae", (2, 6, 7, 3), 4, 3, 2, (0, 1, 0, 1), False)
    conv("conv.halo_above", (1, 4, 6, 3), 5, 3, 1, (0, 1, 1, 1), False)
    conv("conv.halo_both", (1, 4, 6, 3), 5, 3, 1, (0, 0, 1, 1), True)
    conv("conv.pixel", (3, 1, 1, 2), 3, 3, 1, (1, 1, 1, 1), False)
    conv("conv.patches", (1, 4, 6, 3), 5, 2, 2, (0, 0, 0, 0), False)


def norms() -> None:
    w, b = given("group_norm.weight", 6), given("group_norm.bias", 6)
    for name, shift, scale in (("near", 0.3, 1.0), ("far", 1000.0, 0.5)):
        x = given(f"group_norm.{name}.x", 2, 5, 7, 6, scale=scale, shift=shift)
        groups = x.reshape(2, 35, 3, 2).permute(0, 2, 1, 3).reshape(2, 3, -1)
        gives(f"group_norm.{name}.moments", torch.stack([groups.mean(-1), groups.var(-1, correction=0)], -1))
        y = nhwc(F.group_norm(nchw(x), 3, w, b, 1e-5))
        gives(f"group_norm.{name}.out", y)
        gives(f"group_norm.{name}.silu", F.silu(y))
    x = OUT["group_norm.near.x"].double().reshape(2, 35, 3, 2)
    mean, variance = given("group_norm.with.mean", 2, 3), given("group_norm.with.variance", 2, 3).abs() + 0.2
    OUT["group_norm.with.variance"] = variance.float()
    y = (x - mean[:, None, :, None]) / torch.sqrt(OUT["group_norm.with.variance"].double()[:, None, :, None] + 1e-6)
    gives("group_norm.with.out", y.reshape(2, 5, 7, 6) * w + b)
    w, b = given("layer_norm.weight", 11), given("layer_norm.bias", 11)
    for name, shift, scale in (("near", 0.3, 1.0), ("far", 1000.0, 0.5)):
        x = given(f"layer_norm.{name}.x", 2, 3, 11, scale=scale, shift=shift)
        gives(f"layer_norm.{name}.out", F.layer_norm(x, (11,), w, b, 1e-5))


def attention(name: str, heads: int, queries: int, keys: int, width: int, value_width: int, scale: float, causal: bool) -> None:
    def split(x: torch.Tensor, length: int) -> torch.Tensor:
        return x.reshape(2, length, heads, -1).transpose(1, 2)

    q = given(f"attention.{name}.q", 2, queries, heads * width)
    k = given(f"attention.{name}.k", 2, keys, heads * width)
    v = given(f"attention.{name}.v", 2, keys, heads * value_width)
    y = F.scaled_dot_product_attention(split(q, queries), split(k, keys), split(v, keys), is_causal=causal, scale=scale)
    gives(f"attention.{name}.out", y.transpose(1, 2).reshape(2, queries, heads * value_width))


def elements() -> None:
    OUT["activation.x"] = torch.linspace(-8, 8, 129)
    for name, f in ACTIVATIONS.items():
        gives(f"activation.{name}", f(OUT["activation.x"].double()))
    x = given("upsample.x", 2, 3, 2, 3)
    gives("upsample.twice", nhwc(F.interpolate(nchw(x), scale_factor=2, mode="nearest")))
    gives("upsample.cut", nhwc(F.interpolate(nchw(x), size=(5, 3), mode="nearest")))
    table = given("embedding.table", 9, 5)
    OUT["embedding.ids"] = torch.tensor([[8, 0, 3], [3, 7, 1]], dtype=torch.int32)
    gives("embedding.out", F.embedding(OUT["embedding.ids"], table))
    a, b = given("concat.a", 2, 3, 2, 3), given("concat.b", 2, 3, 2, 2)
    gives("concat.out", torch.cat([a, b], dim=3))


def main() -> None:
    linear()
    convs()
    norms()
    attention("self", 3, 5, 9, 4, 2, 0.5, False)
    attention("causal", 2, 7, 7, 5, 5, 5**-0.5, True)
    attention("sharp", 2, 3, 33, 8, 8, 6.0, False)
    elements()
    folder = os.path.join(sys.argv[1], "operators")
    os.makedirs(folder, exist_ok=True)
    save_file(OUT, os.path.join(folder, "operators.safetensors"))


if __name__ == "__main__":
    main()
