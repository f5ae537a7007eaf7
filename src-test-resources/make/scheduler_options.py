"""Scheduler options one by one: trajectories, add_noise and from_config across classes, in fp32.

    python scheduler_options.py CASES_DIR        (needs scipy, for LMS and beta sigmas)
model output at call i = 0.8 * tanh(scale_model_input(sample, t_i)) + 0.1 * sin(i), as in schedulers.py
"""
import inspect
import json
import math
import os
import sys

import diffusers
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
LEAD = dict(SD, steps_offset=1, timestep_spacing="leading")
DDIM, DDPM, PNDM, LCM = "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LCMScheduler"
EULER, EULER_A = "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"
HEUN, LMS = "HeunDiscreteScheduler", "LMSDiscreteScheduler"
DPM, UNIPC = "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"

# name: (class, config, {steps, eta, s_churn, timesteps, sigmas, from_class})
CASES = {
    "ddim_defaults": (DDIM, {}, {}),
    "ddim_eta": (DDIM, dict(LEAD, clip_sample=False), dict(eta=0.7)),
    "ddim_clip": (DDIM, dict(LEAD, clip_sample=True, clip_sample_range=0.8), dict(eta=1.0)),
    "ddim_threshold": (DDIM, dict(LEAD, thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=1.5), {}),
    "ddim_sample": (DDIM, dict(LEAD, prediction_type="sample"), {}),
    "ddim_linspace": (DDIM, dict(SD, timestep_spacing="linspace", clip_sample=False), {}),
    "ddim_cosine": (DDIM, dict(beta_schedule="squaredcos_cap_v2"), {}),
    "ddim_trained": (DDIM, dict(num_train_timesteps=20, trained_betas=[0.01 + 0.02 * i for i in range(20)]), {}),
    "ddpm_defaults": (DDPM, {}, {}),
    "ddpm_large": (DDPM, dict(SD, variance_type="fixed_large", timestep_spacing="trailing"), {}),
    "ddpm_small_log": (DDPM, dict(SD, variance_type="fixed_small_log", prediction_type="v_prediction"), {}),
    "ddpm_threshold": (DDPM, dict(SD, thresholding=True, prediction_type="sample", timestep_spacing="linspace"), {}),
    "ddpm_zero_snr": (DDPM, dict(SD, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False), {}),
    "ddpm_sigmoid": (DDPM, dict(beta_schedule="sigmoid"), {}),
    "ddpm_laplace": (DDPM, dict(beta_schedule="laplace", clip_sample=False, steps_offset=3), {}),
    "ddpm_timesteps": (DDPM, dict(SD, clip_sample=False), dict(timesteps=[900, 650, 400, 33, 0])),
    "pndm_defaults": (PNDM, {}, dict(steps=7)),
    "pndm_linspace_v": (PNDM, dict(SD, skip_prk_steps=True, prediction_type="v_prediction", timestep_spacing="linspace"), {}),
    "pndm_trailing": (PNDM, dict(SD, skip_prk_steps=True, set_alpha_to_one=True, timestep_spacing="trailing"), {}),
    "lcm_clip": (LCM, dict(clip_sample=True, original_inference_steps=40, timestep_scaling=5.0), dict(steps=7)),
    "lcm_v": (LCM, dict(prediction_type="v_prediction", thresholding=True, rescale_betas_zero_snr=True), {}),
    "lcm_timesteps": (LCM, {}, dict(timesteps=[999, 759, 499, 259])),
    "euler_defaults": (EULER, {}, {}),
    "euler_exponential": (EULER, dict(LEAD, use_exponential_sigmas=True), {}),
    "euler_beta": (EULER, dict(LEAD, use_beta_sigmas=True), dict(steps=12)),
    "euler_karras_range": (EULER, dict(LEAD, use_karras_sigmas=True, sigma_min=0.1, sigma_max=12.0), {}),
    "euler_log_linear": (EULER, dict(LEAD, interpolation_type="log_linear"), {}),
    "euler_sigma_min": (EULER, dict(LEAD, final_sigmas_type="sigma_min"), {}),
    "euler_zero_snr": (EULER, dict(SD, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"), {}),
    "euler_continuous": (EULER, dict(SD, timestep_type="continuous", prediction_type="v_prediction", use_karras_sigmas=True, sigma_min=0.002, sigma_max=120.0), {}),
    "euler_sample": (EULER, dict(LEAD, prediction_type="sample"), {}),
    "euler_churn": (EULER, LEAD, dict(s_churn=1.5)),
    "euler_timesteps": (EULER, LEAD, dict(timesteps=[999, 700.5, 300, 20])),
    "euler_sigmas": (EULER, LEAD, dict(sigmas=[14.0, 6.5, 2.0, 0.4, 0.0])),
    "euler_ancestral_v": (EULER_A, dict(SD, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"), {}),
    "heun_defaults": (HEUN, {}, {}),
    "heun_karras_v": (HEUN, dict(LEAD, use_karras_sigmas=True, prediction_type="v_prediction"), {}),
    "heun_beta_clip": (HEUN, dict(SD, use_beta_sigmas=True, clip_sample=True, clip_sample_range=2.0, timestep_spacing="trailing"), {}),
    "heun_exp_sample": (HEUN, dict(beta_schedule="exp", use_exponential_sigmas=True, prediction_type="sample"), {}),
    "heun_timesteps": (HEUN, SD, dict(timesteps=[980, 640, 320, 0])),
    "lms_karras": (LMS, dict(LEAD, use_karras_sigmas=True), dict(steps=9)),
    "lms_exponential_v": (LMS, dict(SD, use_exponential_sigmas=True, prediction_type="v_prediction"), {}),
    "lms_beta_trailing": (LMS, dict(SD, use_beta_sigmas=True, timestep_spacing="trailing"), {}),
    "dpm_defaults": (DPM, {}, {}),
    "dpm_lu": (DPM, dict(LEAD, use_lu_lambdas=True), {}),
    "dpm_exponential": (DPM, dict(LEAD, use_exponential_sigmas=True), {}),
    "dpm_beta": (DPM, dict(LEAD, use_beta_sigmas=True), {}),
    "dpm_cosine_clipped": (DPM, dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1, timestep_spacing="trailing"), {}),
    "dpm_cosine_karras": (DPM, dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1, use_karras_sigmas=True), {}),
    "dpm_zero_snr": (DPM, dict(SD, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"), {}),
    "dpm_sample_threshold": (DPM, dict(LEAD, prediction_type="sample", thresholding=True), {}),
    "dpm_plain3": (DPM, dict(LEAD, algorithm_type="dpmsolver", final_sigmas_type="sigma_min", solver_order=3), dict(steps=16)),
    "dpm_plain_heun_threshold": (DPM, dict(LEAD, algorithm_type="dpmsolver", final_sigmas_type="sigma_min", solver_type="heun", thresholding=True, prediction_type="v_prediction"), {}),
    "dpm_plain_sample": (DPM, dict(LEAD, algorithm_type="dpmsolver", final_sigmas_type="sigma_min", prediction_type="sample"), {}),
    "dpm_sde3": (DPM, dict(LEAD, algorithm_type="sde-dpmsolver++", solver_order=3), {}),
    "dpm_sde_heun": (DPM, dict(LEAD, algorithm_type="sde-dpmsolver++", solver_type="heun", euler_at_final=True), {}),
    "dpm_sde_plain": (DPM, dict(LEAD, algorithm_type="sde-dpmsolver", final_sigmas_type="sigma_min"), {}),
    "dpm_sde_plain_heun": (DPM, dict(LEAD, algorithm_type="sde-dpmsolver", final_sigmas_type="sigma_min", solver_type="heun"), {}),
    "dpm_no_lower_order": (DPM, dict(LEAD, lower_order_final=False, solver_order=3, final_sigmas_type="sigma_min"), {}),
    "dpm_timesteps": (DPM, LEAD, dict(timesteps=[999, 845, 730, 587, 443, 310, 193, 116, 53, 13])),
    "unipc_defaults": (UNIPC, {}, {}),
    "unipc_order3": (UNIPC, dict(LEAD, solver_order=3), dict(steps=8)),
    "unipc_bh1": (UNIPC, dict(LEAD, solver_type="bh1", final_sigmas_type="sigma_min"), {}),
    "unipc_noise": (UNIPC, dict(LEAD, predict_x0=False, final_sigmas_type="sigma_min", prediction_type="v_prediction"), {}),
    "unipc_noise_sample3": (UNIPC, dict(SD, predict_x0=False, final_sigmas_type="sigma_min", prediction_type="sample", solver_order=3), dict(steps=7)),
    "unipc_disabled": (UNIPC, dict(LEAD, disable_corrector=[0, 2]), {}),
    "unipc_karras": (UNIPC, dict(LEAD, use_karras_sigmas=True, final_sigmas_type="sigma_min", sigma_min=0.05, sigma_max=10.0), {}),
    "unipc_exponential": (UNIPC, dict(LEAD, use_exponential_sigmas=True, thresholding=True), {}),
    "unipc_beta_trailing": (UNIPC, dict(SD, use_beta_sigmas=True, timestep_spacing="trailing"), {}),
    "unipc_zero_snr": (UNIPC, dict(SD, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"), {}),
    "from_pndm_to_ddim": (DDIM, dict(LEAD, skip_prk_steps=True, set_alpha_to_one=False), dict(from_class=PNDM)),
    "from_pndm_to_dpm": (DPM, dict(LEAD, skip_prk_steps=True), dict(from_class=PNDM)),
    "from_ddim_to_euler": (EULER, dict(LEAD, clip_sample=False, prediction_type="v_prediction"), dict(from_class=DDIM)),
    "from_ddim_defaults_to_euler": (EULER, SD, dict(from_class=DDIM)),
    "from_euler_to_pndm": (PNDM, dict(LEAD, use_karras_sigmas=True), dict(from_class=EULER)),
    "from_euler_to_heun": (HEUN, dict(LEAD, use_karras_sigmas=True, sigma_min=0.2), dict(from_class=EULER)),
    "from_dpm_to_unipc": (UNIPC, dict(LEAD, solver_type="midpoint", solver_order=3), dict(from_class=DPM)),
    "from_unipc_to_dpm": (DPM, dict(LEAD, solver_type="bh1"), dict(from_class=UNIPC)),
    "from_dpm_to_ddpm": (DDPM, dict(LEAD, variance_type=None), dict(from_class=DPM)),
    "from_ddpm_to_dpm": (DPM, dict(LEAD, variance_type="fixed_large"), dict(from_class=DDPM)),
    "from_euler_to_lcm": (LCM, dict(LEAD, timestep_type="discrete"), dict(from_class=EULER, steps=4)),
}


def main() -> None:
    folder = os.path.join(sys.argv[1], "scheduler_options")
    os.makedirs(folder, exist_ok=True)
    index, tensors = [], {}
    for name, (cls, config, how) in CASES.items():
        target = getattr(diffusers, cls)
        if "from_class" in how:
            s = target.from_config(getattr(diffusers, how["from_class"]).from_config(config).config)
        else:
            s = target(**config)
        steps = how.get("steps", 5)
        given = {k: how[k] for k in ("timesteps", "sigmas") if k in how}
        s.set_timesteps(**given) if given else s.set_timesteps(steps)
        known = inspect.signature(s.step).parameters
        kw = {k: how[k] for k in ("eta", "s_churn") if k in how}
        if "generator" in known:
            kw["generator"] = torch.Generator().manual_seed(5)
        sample = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(6)) * float(s.init_noise_sigma)
        noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(7))
        at = [s.timesteps[2], s.timesteps[-1]]
        tensors[f"{name}.add_noise"] = s.add_noise(sample, noise, torch.stack(at)).float()
        tensors[f"{name}.first_sample"] = sample.clone()
        if hasattr(s, "set_begin_index"):
            s.set_begin_index(0)  # the first timestep may come twice
        samples = []
        for i, t in enumerate(s.timesteps):
            out = 0.8 * torch.tanh(s.scale_model_input(sample, t)) + 0.1 * math.sin(i)
            sample = s.step(out, t, sample, return_dict=False, **kw)[0]
            samples.append(sample.float())
        tensors[f"{name}.samples"] = torch.stack(samples)
        assert torch.isfinite(tensors[f"{name}.samples"]).all(), name
        tensors[f"{name}.timesteps"] = s.timesteps.double()
        if hasattr(s, "sigmas"):
            tensors[f"{name}.sigmas"] = torch.as_tensor(s.sigmas).double()
        index.append({"case": name, "class": cls, "config": config, "num_inference_steps": steps,
                      "init_noise_sigma": float(s.init_noise_sigma),
                      "noise_generator_seed": 5 if "generator" in kw else None, **how})
    for w, dim in ((7.5, 256), (0.0, 8), (3.25, 33)):
        embed = StableDiffusionXLPipeline.get_guidance_scale_embedding
        tensors[f"guidance_embedding.{w}.{dim}"] = embed(None, torch.tensor([w]), dim)[0]
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "cases.safetensors"))
    with open(os.path.join(folder, "index.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(e) for e in index) + "\n]\n")


if __name__ == "__main__":
    main()
