"""Multiply-accumulates of UNets as torchprofile counts them, by operator.

Models are built from their config.json with weights as they are drawn. torchprofile traces, so that all is computed: SDXL at its own size takes
14 GB of memory and some minutes.
"""
import json
import os
import sys
import warnings

import torch
from diffusers import UNet2DConditionModel
from torchprofile import profile_macs

FOLDERS = {  # name -> folder of config.json, batch and side of the latents
    "tiny-sdxl": ("models/tiny-sdxl/unet", 2, 16),
    "tiny-sd1": ("models/tiny-sd1/unet", 2, 16),
    "tiny-sd2": ("models/tiny-sd2/unet", 1, 24),
    "sdxl-1024": ("architectures/sdxl/unet", 2, 128),
    "sd15-512": ("architectures/sd15/unet", 2, 64),
}
TOKENS = 77


def count(folder: str, batch: int, side: int) -> dict:
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    with torch.no_grad():
        unet = UNet2DConditionModel.from_config(config).eval()
        width = config["cross_attention_dim"]
        width = width if isinstance(width, int) else width[-1]
        added = None
        if config.get("addition_embed_type") == "text_time":
            pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
            added = {"text_embeds": torch.zeros(batch, pooled), "time_ids": torch.zeros(batch, 6)}
        args = (torch.zeros(batch, 4, side, side), torch.zeros(batch), torch.zeros(batch, TOKENS, width))

        class Call(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.unet = unet

            def forward(self, x, t, text):
                return self.unet(x, t, text, added_cond_kwargs=added, return_dict=False)[0]

        nodes = profile_macs(Call(), args, reduction=None)
    sums: dict = {}
    for node, macs in nodes.items():
        sums[node.operator] = sums.get(node.operator, 0) + int(macs)
    return {
        "batch": batch,
        "latents": side,
        "convolution": sums.get("aten::_convolution", 0),
        "linear": sums.get("aten::linear", 0) + sums.get("aten::addmm", 0),
        "attention": sums.get("aten::scaled_dot_product_attention", 0),
        "all": sum(sums.values()),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    models, architectures, out = sys.argv[1:]
    roots = {"models": models, "architectures": architectures}
    result = {}
    for name, (folder, batch, side) in FOLDERS.items():
        root, rest = folder.split("/", 1)
        result[name] = count(os.path.join(roots[root], rest), batch, side)
        print(name, result[name], flush=True)
    with open(os.path.join(out, "macs.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
