"""How far torch's own 16-bit arithmetic is from the float32 cases: what an implementation in 16 bits may be held to.

    python half.py MODELS_DIR CASES_DIR     writes CASES_DIR/bf16.json and CASES_DIR/f16.json

For each compared tensor the root mean square and the largest difference from the case's stored value, both as shares of the
stored value's standard deviation. Noise is drawn in float32 and rounded: torch's 16-bit generators draw other numbers.
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file

import calls
import single

torch.set_grad_enabled(False)
load_float = single.load


def error(expected: torch.Tensor, found: torch.Tensor) -> dict:
    e, f = expected.double(), found.double()
    d, std = e - f, e.std()
    return {"rms": float(f"{(d.square().mean().sqrt() / std).item():.4g}"), "max": float(f"{(d.abs().max() / std).item():.4g}")}


def models(pipe, cases: str, name: str, dtype: torch.dtype, out: dict) -> None:
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
        kw["added_cond_kwargs"] = {k: case[k].to(dtype) for k in ("text_embeds", "time_ids")}
    y = pipe.unet(case["sample"].to(dtype), case["timestep"], encoder_hidden_states=case["encoder_hidden_states"].to(dtype),
                  return_dict=False, **kw)[0]
    out[f"unet/{name}/output"] = error(case["output"], y)
    vae(pipe.vae, cases, name, dtype, out)


def vae(model, cases: str, name: str, dtype: torch.dtype, out: dict) -> None:
    case = load_file(os.path.join(cases, "vae", name + ".safetensors"))
    out[f"vae/{name}/decoded"] = error(case["decoded"], model.decode(case["latent"].to(dtype), return_dict=False)[0])
    moments = model.encode(case["image"].to(dtype), return_dict=False)[0].parameters
    out[f"vae/{name}/moments"] = error(case["moments"], moments)


def halved(pipe, dtype: torch.dtype):
    """The pipeline in a type, taking arguments and what callbacks return in float32."""
    def rounded(values: dict) -> dict:
        return {k: v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v for k, v in values.items()}

    pipe.to(dtype)
    kind = type(pipe)

    class Halved(kind):
        def __call__(self, **kw):
            callback = kw.get("callback_on_step_end")
            if callback:
                kw["callback_on_step_end"] = lambda *a: rounded(callback(*a))
            return kind.__call__(self, **rounded(kw))
    pipe.__class__ = Halved
    return pipe


def draw_floats() -> None:
    """Lets every module of diffusers draw its noise in float32."""
    from diffusers.utils import torch_utils
    own = torch_utils.randn_tensor

    def draw(shape, generator=None, device=None, dtype=None, layout=None):
        return own(shape, generator=generator, device=device, dtype=torch.float32, layout=layout).to(dtype)
    for module in list(sys.modules.values()):
        if getattr(module, "randn_tensor", None) is own:
            module.randn_tensor = draw


def measure(folder: str, cases: str, dtype: torch.dtype) -> dict:
    out = {}
    for name in ("tiny-sd1", "tiny-sd2", "tiny-sdxl"):
        models(load_float(folder, name).to(dtype), cases, name, dtype, out)
    tiled = load_float(folder, "tiny-lcm").vae.to(dtype)
    tiled.enable_tiling()
    vae(tiled, cases, "tiny-lcm", dtype, out)

    def compare(where: str, case: str, tensors: dict, info: dict) -> None:
        name = f"{os.path.basename(where)}/{case}"
        out[f"{name}/latents"] = error(load_file(os.path.join(cases, name + ".safetensors"))["latents"], tensors["latents"])
        print(dtype, name, out[f"{name}/latents"], flush=True)
    single.load = lambda *a: halved(load_float(*a), dtype)
    single.put = calls.put = compare
    single.pipelines(folder, cases)
    calls.run_all(folder, cases, exact=False)
    return out


def main() -> None:
    folder, cases = sys.argv[1:3]
    draw_floats()
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        out = measure(folder, cases, dtype)
        with open(os.path.join(cases, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
