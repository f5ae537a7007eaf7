"""Draws the small landscape model's picture with diffusers: what `scripts/distrirun sdxl_example` draws, for comparing whole commands.

    time python torch_example.py [OUTPUT.png]
"""
import os
import sys

import torch
from diffusers import DDIMScheduler, StableDiffusionXLPipeline

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../distrifuser-pipelines/src/main/resources/io/github/distrifuser/pipelines/landscapes")
PROMPT = "a red house on the left, three pine trees and snowy purple mountains in the snow at dawn"

pipe = StableDiffusionXLPipeline.from_pretrained(os.path.normpath(FOLDER), torch_dtype=torch.float32, use_safetensors=True)
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
image = pipe(PROMPT, num_inference_steps=20, guidance_scale=5.0, generator=torch.Generator("cpu").manual_seed(1234)).images[0]
image.save(sys.argv[1] if len(sys.argv) > 1 else "landscape.png")
