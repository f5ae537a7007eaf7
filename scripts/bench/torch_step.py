"""Seconds per denoising step, and peak memory, of torch and diffusers on this CPU: the other side of the comparison.

    python torch_step.py [--model sd15|sdxl] [--size 512] [--dtype float32|bfloat16] [--threads N] [--steps 2] [--profile]

Full-size architecture, random weights, batch 2 (guidance), channels-last. The first step warms up and is not counted, and no
text encoder or VAE is loaded: what `run_sdxl --model random:... --mode benchmark --output_type latent` measures. One JSON line.
"""
import argparse
import json
import os
import resource
import time

import diffusers
import torch
from diffusers import UNet2DConditionModel

SD15 = dict(sample_size=64, cross_attention_dim=768, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
SDXL = dict(sample_size=128, cross_attention_dim=2048, block_out_channels=(320, 640, 1280), attention_head_dim=(5, 10, 20),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816)


def cpu_name() -> str:
    with open("/proc/cpuinfo", encoding="ascii") as f:
        info = dict(line.split(":", 1) for line in f if ":" in line)
    flags = next(v for k, v in info.items() if k.strip() == "flags").split()
    kinds = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    return next(v for k, v in info.items() if k.strip() == "model name").strip() + " (" + " ".join(kinds) + ")"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", choices=("sd15", "sdxl"), default="sd15")
    p.add_argument("--size", type=int, default=512, help="pixels of the square picture")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--steps", type=int, default=2, help="steps that are counted, after one that is not")
    p.add_argument("--profile", action="store_true", help="also print torch's table of operators")
    a = p.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(a.threads)
    dtype = getattr(torch, a.dtype)
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    config = SD15 if a.model == "sd15" else SDXL
    unet = UNet2DConditionModel(**config).eval().to(memory_format=torch.channels_last)
    side = a.size // 8
    sample = torch.randn(2, 4, side, side).to(memory_format=torch.channels_last)
    context = torch.randn(2, 77, config["cross_attention_dim"])
    kw = {}
    if a.model == "sdxl":
        kw["added_cond_kwargs"] = {"text_embeds": torch.randn(2, 1280),
                                   "time_ids": torch.tensor([[a.size, a.size, 0, 0, a.size, a.size]] * 2, dtype=dtype)}

    def step() -> float:
        start = time.perf_counter()
        unet(sample, torch.tensor(500), encoder_hidden_states=context, return_dict=False, **kw)
        return time.perf_counter() - start

    first = step()
    times = [step() for _ in range(a.steps)]
    print(json.dumps({"cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__,
                      "diffusers": diffusers.__version__, "model": a.model, "size": a.size, "dtype": a.dtype,
                      "first_step_s": round(first, 3), "step_s": [round(t, 3) for t in times],
                      "best_step_s": round(min(times), 3),
                      "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
    if a.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20))


if __name__ == "__main__":
    main()
