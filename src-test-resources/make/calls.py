"""A call with each argument, computed by diffusers in fp32 on a CPU: what single.py's cases leave out. Small pictures.

    python calls.py MODELS_DIR CASES_DIR        (the current diffusers)
Writes MODELS_DIR/tiny-lcm (a UNet with guidance embedding and a VAE for small tiles, no text encoder), CASES_DIR/calls and CASES_DIR/vae/tiny-lcm.
"""
import os
import sys

import torch
from diffusers import AutoencoderKL, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel

import models
import single
from single import N, P, latents, put

torch.set_grad_enabled(False)


def lcm(folder: str) -> None:
    torch.manual_seed(14)
    unet = UNet2DConditionModel(sample_size=4, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=8,
                                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=32,
                                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(16, 32),
                                attention_head_dim=4, time_cond_proj_dim=16)
    vae = AutoencoderKL(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(8, 8, 16, 16),
                        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                        layers_per_block=1, norm_num_groups=4, sample_size=32)
    models.randomise(unet, 15)
    models.randomise(vae, 16)
    scheduler = LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    StableDiffusionPipeline(vae, None, None, unet, scheduler, safety_checker=None, feature_extractor=None,
                            requires_safety_checker=False).save_pretrained(folder, safe_serialization=True)


def tiles(models_dir: str, cases: str) -> None:
    """A tiled and a sliced batch through the VAE, in both directions; sizes that are no multiples of a tile."""
    vae = single.load(models_dir, "tiny-lcm").vae
    z, image = latents(71, 2, 4, 11, 9), latents(72, 2, 3, 88, 72).clamp(-1, 1)
    vae.enable_tiling()
    put(os.path.join(cases, "vae"), "tiny-lcm",
        {"latent": z, "decoded": vae.decode(z).sample, "image": image, "moments": vae.encode(image).latent_dist.parameters},
        {"model": "tiny-lcm", "note": "with tiling: tiles of 4 x 4 latents, 32 x 32 pixels"})


def chunked(pipe, suffix: str, text: str, count: int) -> list:
    """Token ids of a prompt in chunks of 75, empty ones up to the count."""
    tok = getattr(pipe, "tokenizer" + suffix)
    own = tok(text, add_special_tokens=False, truncation=False).input_ids
    parts = [own[i:i + 75] for i in range(0, len(own), 75)]
    if count == 0:
        return parts
    parts += [[]] * (count - len(parts))
    return [[tok.bos_token_id, *p, tok.eos_token_id] + [tok.pad_token_id] * (75 - len(p)) for p in parts]


def long_embeds(pipe, prompt: str, negative: str) -> dict:
    """Embeddings of whole prompts: chunks side by side along the tokens, pooled states of the first."""
    suffixes = [s for s in ("", "_2") if hasattr(pipe, "tokenizer" + s)]
    count = max(len(chunked(pipe, s, t, 0)) for s in suffixes for t in (prompt, negative))
    out = {}
    for name, text in (("", prompt), ("negative_", negative)):
        states = []
        for s in suffixes:
            r = getattr(pipe, "text_encoder" + s)(torch.tensor(chunked(pipe, s, text, count)), output_hidden_states=True)
            state = r.hidden_states[-2] if len(suffixes) == 2 else r.last_hidden_state
            states.append(state.reshape(1, count * 77, -1))
            if s:
                out[name + "pooled_prompt_embeds"] = r.text_embeds[:1]
        out[name + "prompt_embeds"] = torch.cat(states, -1)
    return out


def call(models_dir: str, cases: str, case: str, model: str, scheduler, args: dict, size=(64, 64), seed=None, seeds=None,
         embeds=None, replace=None, vae=(), long: bool = False, exact: bool = True) -> None:
    """seed: of the start noise that the case stores; seeds: of generators that draw noise instead.
    embeds: names -> tensors given to the call; replace: (step, names -> tensors) of the callback; vae: its settings.
    long: the prompts go in as chunks, of which diffusers gets the embeddings.
    exact: whether float64's difference is measured, too."""
    pipe = single.load(models_dir, model)
    if args.get("clip_skip") and not hasattr(pipe.text_encoder, "text_model"):  # transformers 5 has dropped what diffusers asks for
        object.__setattr__(pipe.text_encoder, "text_model", pipe.text_encoder)
    if scheduler:
        pipe.scheduler = single.SCHEDULERS[scheduler].from_config(pipe.scheduler.config)
    h, w = size
    prompts = args.get("prompt", "one")
    n = (len(prompts) if isinstance(prompts, list) else 1) * args.get("num_images_per_prompt", 1)
    info = {"model": model, "scheduler": scheduler or type(pipe.scheduler).__name__, "height": h, "width": w,
            **{"timesteps_given" if k == "timesteps" else k: v for k, v in args.items()}}
    tensors, kw = {}, dict(args, height=h, width=w)
    if embeds:
        kw.update({k: v.clone() for k, v in embeds.items()})
        tensors.update(embeds)
        n *= embeds["prompt_embeds"].shape[0]
    if long:
        info["long_prompts"] = True
        kw.update(long_embeds(pipe, kw.pop("prompt"), kw.pop("negative_prompt")))
    if seed is not None:
        tensors["latents_in"] = latents(seed, n, 4, h // 8, w // 8)
        kw["latents"] = tensors["latents_in"].clone()
    if seeds:
        info["seeds"] = seeds
    for setting in vae:
        getattr(pipe.vae, setting)()
    if vae:
        info["vae"] = list(vae)
    steps, names = [], ["latents"]
    if replace:
        info["replace_after_step"] = replace[0]
        tensors.update({"replace." + k: v for k, v in replace[1].items()})
        names = list(replace[1])

    def at_end(_p, i, _t, d):
        steps.append(d["latents"].clone())
        return {k: v.clone() for k, v in replace[1].items()} if replace and i == replace[0] else d
    if seeds:
        generators = [torch.Generator().manual_seed(s) for s in seeds]
        kw["generator"] = generators if len(generators) > 1 else generators[0]
    tensors["latents"] = pipe(**kw, output_type="latent", callback_on_step_end=at_end,
                              callback_on_step_end_tensor_inputs=names).images
    tensors["steps"] = torch.stack(steps)
    scaled = tensors["latents"] / pipe.vae.config.scaling_factor
    image = pipe.image_processor.postprocess(pipe.vae.decode(scaled).sample, output_type="np")
    tensors["image_u8"] = (torch.from_numpy(image) * 255).round().to(torch.uint8)
    if seed is not None and exact:  # as rounding.py does; torch draws float64 noise from another stream
        pipe.to(torch.float64)
        if long:
            kw.update(long_embeds(pipe, args["prompt"], args["negative_prompt"]))
        kw = {k: v.double() if isinstance(v, torch.Tensor) else v for k, v in kw.items()}
        kw["latents"] = tensors["latents_in"].double()
        double = pipe(**kw, output_type="latent", callback_on_step_end_tensor_inputs=names, callback_on_step_end=lambda *a: {
            k: v.double() for k, v in at_end(*a).items()}).images
        info["rounding"] = (double.float() - tensors["latents"]).abs().max().item()
    put(os.path.join(cases, "calls"), case, tensors, info)
    print(case, tuple(tensors["latents"].shape), tensors["latents"].std().item(), flush=True)


def run_all(models_dir: str, cases: str, exact: bool = True) -> None:
    def run(*args, **kw):
        call(models_dir, cases, *args, exact=exact, **kw)

    def sdxl(n: int, seed: int) -> dict:
        return {"prompt_embeds": latents(seed, n, 77, 80), "negative_prompt_embeds": latents(seed + 1, n, 77, 80),
                "pooled_prompt_embeds": latents(seed + 2, n, 40), "negative_pooled_prompt_embeds": latents(seed + 3, n, 40)}
    four = dict(num_inference_steps=4, guidance_scale=5.0)
    two = ["a red circle", P]
    run("sdxl_timesteps", "tiny-sdxl", "euler", dict(prompt=P, guidance_scale=5.0, timesteps=[951, 700, 333, 20]), seed=1)
    run("sdxl_sigmas", "tiny-sdxl", "euler", dict(prompt=P, guidance_scale=5.0, sigmas=[14.0, 5.5, 1.2, 0.3]), seed=2)
    run("sd1_timesteps", "tiny-sd1", "dpm-solver", dict(prompt=P, guidance_scale=5.0, timesteps=[951, 700, 333, 20]), seed=3)
    run("sdxl_embeds", "tiny-sdxl", "ddim", four, embeds=sdxl(2, 40), seed=4)
    run("sd1_embeds_two_images", "tiny-sd1", "ddim", dict(four, num_images_per_prompt=2), seed=5,
        embeds={"prompt_embeds": latents(50, 1, 77, 32), "negative_prompt_embeds": latents(51, 1, 77, 32)})
    run("sdxl_callback", "tiny-sdxl", "euler", dict(four, prompt=P, num_images_per_prompt=2), seed=6, replace=(1, {
        "latents": latents(61, 2, 4, 8, 8), "prompt_embeds": latents(62, 4, 77, 80), "add_text_embeds": latents(63, 4, 40),
        "add_time_ids": torch.tensor([[64, 64, 0, 0, 64, 64], [512, 256, 8, 4, 64, 64]] * 2).float()}))
    run("sdxl_callback_no_guidance", "tiny-sdxl", "ddim", dict(prompt=P, num_inference_steps=3, guidance_scale=1.0), seed=7,
        replace=(0, {"latents": latents(64, 1, 4, 8, 8), "prompt_embeds": latents(65, 1, 77, 80),
                     "add_time_ids": torch.tensor([[512.0, 256, 8, 4, 64, 64]])}))
    run("sd1_callback", "tiny-sd1", None, dict(four, prompt=P), seed=8, replace=(2, {
        "latents": latents(66, 1, 4, 8, 8), "prompt_embeds": latents(67, 2, 77, 32), "negative_prompt_embeds": latents(68, 1, 77, 32)}))
    run("sdxl_prompts", "tiny-sdxl", "euler", dict(four, prompt=two, prompt_2=["stars", "a boat"], negative_prompt=N), seeds=[5, 6])
    run("sd1_prompts", "tiny-sd1", "pndm", dict(four, prompt=two, negative_prompt=[N, ""], num_images_per_prompt=2), seeds=[7, 8, 9, 10])
    run("sd2_prompts_one_generator", "tiny-sd2", "euler", dict(four, prompt=two), seeds=[11], size=(64, 128))
    run("sdxl_two_images_negative_sizes", "tiny-sdxl", "ddim", dict(
        four, prompt=P, num_images_per_prompt=2, original_size=(512, 384), crops_coords_top_left=(8, 16), target_size=(64, 64),
        negative_original_size=(128, 96), negative_crops_coords_top_left=(1, 2), negative_target_size=(256, 256)), seed=9)
    run("sd2_eta", "tiny-sd2", "ddim", dict(four, prompt=two, eta=0.6), seeds=[12, 13])
    run("sd1_rescale", "tiny-sd1", "ddim", dict(four, prompt=two, guidance_rescale=0.7), seed=10)
    run("sd1_clip_skip", "tiny-sd1", "ddim", dict(four, prompt=P, negative_prompt=N, clip_skip=1), seed=11)
    run("sdxl_denoising_end", "tiny-sdxl", "dpm-solver", dict(prompt=P, num_inference_steps=8, guidance_scale=5.0, denoising_end=0.55), seed=12)
    run("sdxl_long_prompt", "tiny-sdxl", "ddim", dict(four, prompt=", ".join([P] * 11), negative_prompt=N), seed=18, long=True)
    run("sd1_long_negative", "tiny-sd1", "ddim", dict(four, prompt=P, negative_prompt=", ".join([N] * 30)), seed=19, long=True)
    small = {"prompt_embeds": latents(70, 1, 77, 32)}
    run("lcm", "tiny-lcm", None, dict(num_inference_steps=4, guidance_scale=8.5, num_images_per_prompt=2), embeds=small, seeds=[14, 15])
    run("lcm_timesteps_tiling", "tiny-lcm", None, dict(timesteps=[900, 500, 100], guidance_scale=3.0), embeds=small, seeds=[16],
        size=(88, 72), vae=["enable_tiling"])
    run("lcm_tiling_slicing", "tiny-lcm", None, dict(num_inference_steps=2, guidance_scale=1.0, num_images_per_prompt=2), embeds=small,
        seeds=[17], size=(40, 64), vae=["enable_tiling", "enable_slicing"])


def main() -> None:
    models_dir, cases = sys.argv[1:3]
    lcm(os.path.join(models_dir, "tiny-lcm"))
    tiles(models_dir, cases)
    run_all(models_dir, cases)


if __name__ == "__main__":
    main()
