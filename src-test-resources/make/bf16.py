"""How far torch's own bfloat16 is from the float32 cases: what an implementation in bfloat16 may be held to.

    python bf16.py MODELS_DIR CASES_DIR     writes CASES_DIR/bf16.json

For each compared tensor the root mean square and the largest difference from the case's stored value, both as shares of the
stored value's standard deviation. Cases that draw noise are left out: in bfloat16 torch draws other numbers.
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file
from single import SCHEDULERS, PIPELINES, load

torch.set_grad_enabled(False)


def error(expected: torch.Tensor, found: torch.Tensor) -> dict:
    e, f = expected.double(), found.double()
    d, std = e - f, e.std()
    return {"rms": float(f"{(d.square().mean().sqrt() / std).item():.4g}"), "max": float(f"{(d.abs().max() / std).item():.4g}")}


def models(pipe, cases: str, name: str, out: dict) -> None:
    case = load_file(os.path.join(cases, "text", name + ".safetensors"))
    for key in ("text_encoder", "text_encoder_2"):
        if key + ".input_ids" not in case:
            continue
        r = getattr(pipe, key)(case[key + ".input_ids"], output_hidden_states=True)
        found = {"last_hidden_state": r.last_hidden_state, "penultimate": r.hidden_states[-2]}
        pooled = "text_embeds" if key + ".text_embeds" in case else "pooler_output"
        found[pooled] = r[pooled]
        for k, v in found.items():
            out[f"text/{name}/{key}.{k}"] = error(case[f"{key}.{k}"], v)
    case = load_file(os.path.join(cases, "unet", name + ".safetensors"))
    kw = {}
    if "text_embeds" in case:
        kw["added_cond_kwargs"] = {k: case[k].bfloat16() for k in ("text_embeds", "time_ids")}
    y = pipe.unet(case["sample"].bfloat16(), case["timestep"], encoder_hidden_states=case["encoder_hidden_states"].bfloat16(),
                  return_dict=False, **kw)[0]
    out[f"unet/{name}/output"] = error(case["output"], y)
    vae(pipe.vae, cases, name, out)


def vae(model, cases: str, name: str, out: dict) -> None:
    case = load_file(os.path.join(cases, "vae", name + ".safetensors"))
    out[f"vae/{name}/decoded"] = error(case["decoded"], model.decode(case["latent"].bfloat16(), return_dict=False)[0])
    moments = model.encode(case["image"].bfloat16(), return_dict=False)[0].parameters
    out[f"vae/{name}/moments"] = error(case["moments"], moments)


def main() -> None:
    folder, cases = sys.argv[1:3]
    out = {}
    for name in ("tiny-sd1", "tiny-sd2", "tiny-sdxl"):
        models(load(folder, name).to(torch.bfloat16), cases, name, out)
    tiled = load(folder, "tiny-lcm").vae.to(torch.bfloat16)
    tiled.enable_tiling()
    vae(tiled, cases, "tiny-lcm", out)
    for case, name, scheduler, args, (h, w), _ in PIPELINES:
        pipe = load(folder, name)
        if scheduler:
            pipe.scheduler = SCHEDULERS[scheduler].from_config(pipe.scheduler.config)
        pipe.to(torch.bfloat16)
        stored = load_file(os.path.join(cases, "pipeline", case + ".safetensors"))
        found = pipe(**args, height=h, width=w, latents=stored["latents_in"].bfloat16(), output_type="latent").images
        out[f"pipeline/{case}/latents"] = error(stored["latents"], found)
    with open(os.path.join(cases, "bf16.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
