"""torch.randn in the 16-bit types, which take the stream in another order.   python rng_half.py CASES_DIR"""
import os
import sys

import torch
from safetensors.torch import save_file


def main() -> None:
    out = {}
    for name in ("float16", "bfloat16"):
        for shape in ((3,), (16,), (17,), (31,), (4, 9, 11)):
            g = torch.Generator().manual_seed(1234)
            for call in range(2):
                key = f"seed1234.shape{'x'.join(map(str, shape))}.call{call}.{name}"
                out[key] = torch.randn(shape, generator=g, dtype=getattr(torch, name))
    save_file(out, os.path.join(sys.argv[1], "rng", "torch_cpu_randn_half.safetensors"))


if __name__ == "__main__":
    main()
