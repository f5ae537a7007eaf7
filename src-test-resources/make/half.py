"""How far torch's own 16-bit arithmetic is from the float32 cases: what an implementation in 16 bits may be held to.

    python half.py MODELS_DIR CASES_DIR [bf16] [f16]    writes CASES_DIR/bf16.json and CASES_DIR/f16.json, or those that are named

For each compared tensor the root mean square and the largest difference from the case's stored value, both as shares of the
stored value's standard deviation. Noise is drawn in float32 and rounded: torch's 16-bit generators draw other numbers.

A generation's error is mostly two numbers' worth: how far the prompt's embeddings push it one way and the UNet's rounding another. In one run
they may cancel by chance, so text encoders and the rest are also run in 16 bits one without the other, and the two differences added as
independent ones are; the larger of this and the whole run's counts.
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


def halved(pipe, dtype: torch.dtype, text: bool, rest: bool):
    """The pipeline with its text encoders, the rest or both in a type, taking arguments and what callbacks return in float32."""
    outer = dtype if rest else torch.float32

    def rounded(v):
        return v.to(outer) if isinstance(v, torch.Tensor) and v.is_floating_point() else v

    def all_rounded(values: dict) -> dict:
        return {k: rounded(v) for k, v in values.items()}

    for name, part in pipe.components.items():
        if isinstance(part, torch.nn.Module) and (text if name.startswith("text_encoder") else rest):
            part.to(dtype)
    kind = type(pipe)

    class Halved(kind):
        def encode_prompt(self, *a, **kw):
            return tuple(rounded(v) for v in kind.encode_prompt(self, *a, **kw))

        def __call__(self, **kw):
            callback = kw.get("callback_on_step_end")
            if callback:
                kw["callback_on_step_end"] = lambda *a: all_rounded(callback(*a))
            return kind.__call__(self, **all_rounded(kw))
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

    found = {}

    def keep(where: str, case: str, tensors: dict, info: dict) -> None:
        name = f"{os.path.basename(where)}/{case}"
        stored = load_file(os.path.join(cases, name + ".safetensors"))["latents"].double()
        found.setdefault(name, []).append((stored, tensors["latents"].double() - stored))
    single.put = calls.put = keep
    for text, rest in ((True, True), (True, False), (False, True)):
        single.load = lambda *a: halved(load_float(*a), dtype, text, rest)
        single.pipelines(folder, cases)
        calls.run_all(folder, cases, exact=False)
    for name, runs in found.items():
        stored = runs[0][0]
        whole, of_text, of_rest = (d for _, d in runs)
        one, other = error(stored, stored + whole), error(stored, stored + (of_text.square() + of_rest.square()).sqrt())
        out[f"{name}/latents"] = {k: max(one[k], other[k]) for k in one}
        print(dtype, name, one, other, flush=True)
    return out


def main() -> None:
    folder, cases = sys.argv[1:3]
    types = {"bf16": torch.bfloat16, "f16": torch.float16}
    draw_floats()
    for name in sys.argv[3:] or types:
        dtype = types[name]
        out = measure(folder, cases, dtype)
        with open(os.path.join(cases, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
