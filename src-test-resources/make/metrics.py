"""PSNR, LPIPS and FID by torchmetrics and clean-fid, on pictures and weights that a formula gives; torch's weight files.

    python metrics.py ../cases      # torch, torchvision, torchmetrics, lpips, clean-fid, scipy below 1.18, safetensors, pillow, pyarrow

The formula is `uniform` below; the Java tests have the same one. Nothing large is stored.
"""

import io
import json
import os
import sys
import tempfile
import zlib

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

OUT = os.path.join(sys.argv[1], "metrics")
SIZES = [(96, 128), (96, 128), (300, 200), (64, 64), (350, 420), (96, 128)]


def uniform(seed, n):
    """n numbers in [0, 1) with 24 bits each: splitmix64's mixer over a counter."""
    i = np.arange(1, n + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = i * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed) * np.uint64(0xD1B54A32D192ED03)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-24


def picture(number, h, w, noisy):
    """Blocks of 8 pixels over a gradient, [h, w, 3]; with noise of at most 12 levels."""
    rows, columns = (h + 7) // 8, (w + 7) // 8
    blocks = np.floor(uniform(number, rows * columns * 3) * 160).astype(int).reshape(rows, columns, 3)
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    a = blocks[y // 8, x // 8, c] + x * 90 // w
    if noisy:
        a = a + np.floor(uniform(1000 + number, h * w * 3) * 25).astype(int).reshape(h, w, 3) - 12
    return np.clip(a, 0, 255).astype(np.uint8)


def weight(name, shape):
    """A tensor by its name: He's uniform distribution for kernels, near 1 for scales and variances, small otherwise."""
    u = uniform(zlib.crc32(name.encode()), int(np.prod(shape)))
    if name.startswith("lin"):
        v = u * 2.0 / shape[1]
    elif len(shape) == 4:
        v = (u - 0.5) * 2 * np.sqrt(6.0 / (shape[1] * shape[2] * shape[3]))
    elif name.endswith(("bn.weight", "running_var")):
        v = 1 + 0.4 * (u - 0.5)
    else:
        v = 0.2 * (u - 0.5)
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def fill(module):
    state = module.state_dict()
    module.load_state_dict({k: weight(k, tuple(v.shape)) if v.is_floating_point() else v for k, v in state.items()})
    return module.eval()


def folders(root):
    a, b = os.path.join(root, "a"), os.path.join(root, "b")
    os.makedirs(a), os.makedirs(b)
    for i, (h, w) in enumerate(SIZES):
        Image.fromarray(picture(i, h, w, False)).save(os.path.join(a, f"{i:04d}.png"))
        Image.fromarray(picture(i, h, w, True)).save(os.path.join(b, f"{i:04d}.png"))
    return a, b


def tensor(path):
    return torch.from_numpy(np.asarray(Image.open(path)).copy()).permute(2, 0, 1)[None]


def psnr_and_lpips(a, b):
    from torchmetrics.functional.image.lpips import _LPIPS
    from torchmetrics.image import PeakSignalNoiseRatio
    import lpips as package

    alexnet = fill(torchvision.models.alexnet(weights=None))
    lins = {f"lin{k}.model.1.weight": weight(f"lin{k}.model.1.weight", (1, c, 1, 1)) for k, c in enumerate([64, 192, 384, 256, 256])}
    nets = [_LPIPS(pretrained=False, net="alex", pnet_rand=True), package.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)]
    for net in nets:
        for module in net.net.modules():
            for name, child in module.named_children():
                if name.isdigit() and isinstance(child, torch.nn.Conv2d):
                    child.load_state_dict({k: alexnet.state_dict()[f"features.{name}.{k}"] for k in ("weight", "bias")})
        net.load_state_dict(lins, strict=False)
        net.eval()
    psnr = PeakSignalNoiseRatio(data_range=255.0)
    each, values, others = [], [], []
    for name in sorted(os.listdir(a)):
        x, y = tensor(os.path.join(a, name)), tensor(os.path.join(b, name))
        psnr.update(x.float(), y.float())
        each.append(float(PeakSignalNoiseRatio(data_range=255.0)(x.float(), y.float())))
        with torch.no_grad():
            values.append(float(nets[0](x / 255, y / 255, normalize=True)))
            others.append(float(nets[1](x / 255, y / 255, normalize=True)))
    return dict(psnr=float(psnr.compute()), psnr_each=each, lpips=float(np.mean(values)), lpips_each=values, lpips_package_each=others)


def fid(a, b):
    import cleanfid.inception_pytorch as inception
    from cleanfid import fid as clean
    from cleanfid.resize import build_resizer

    inception.load_state_dict_from_url = lambda *args, **kwargs: filled
    net = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    filled = fill(net).state_dict()
    net = inception.InceptionV3(output_blocks=[3], resize_input=False, normalize_input=False).eval()

    def features(batch):
        return net((batch - 128) / 128)[0][:, :, 0, 0]

    options = dict(device=torch.device("cpu"), num_workers=0, batch_size=2, verbose=False)
    value = clean.compute_fid(a, b, mode="clean", custom_feat_extractor=features, use_dataparallel=False, **options)
    rows = clean.get_folder_features(a, features, mode="clean", num_workers=0, device=torch.device("cpu"), verbose=False)
    resize = build_resizer("clean")
    points = [(0, 0), (0, 298), (150, 77), (298, 1), (298, 298), (31, 250)]
    resized = [[float(v) for y, x in points for v in resize(picture(i, h, w, True))[y, x]] for i, (h, w) in enumerate(SIZES)]
    return dict(fid=float(value), features=[[float(v) for v in r[::128]] for r in rows], points=points, resized=resized)


def ground_truth():
    x = torch.from_numpy(picture(7, 480, 640, False)).permute(2, 0, 1)
    large = torchvision.transforms.Resize((1024, 1024))(x)
    tall = torchvision.transforms.Resize((1024, 1024))(torch.from_numpy(picture(8, 1300, 700, False)).permute(2, 0, 1))
    y = torch.from_numpy(picture(9, 1024, 1024, True)).permute(2, 0, 1)
    psnr = [float(10 * torch.log10(255.0**2 / ((t.float() - y.float()) ** 2).mean())) for t in (large, tall)]
    return dict(truth_psnr=psnr, truth=[[int(v) for v in t[:, ::97, ::101].permute(1, 2, 0).flatten()] for t in (large, tall)])


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", weight("script.weight", (4, 3, 2, 2)))
        self.register_buffer("beta", weight("script.beta", (4,)))

    def forward(self, x):
        return torch.nn.functional.conv2d(x, self.weight) + self.beta[:, None, None]


class Script(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential()
        self.layers.add_module("conv", Layer())
        self.output = torch.nn.Linear(4, 2)
        self.output.load_state_dict({"weight": weight("script.output", (2, 4)), "bias": weight("script.bias", (2,))})
        self.names = ["a", "b"]
        self.scale = 0.5

    def forward(self, x):
        return self.layers(x)


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def weight_files():
    base = weight("file.base", (6, 4))
    tensors = {
        "plain.weight": base,
        "turned": base.t(),
        "part": base[1:4, 1:3],
        "half": base.half(),
        "brain": base.bfloat16(),
        "double": base.double(),
        "parameter": torch.nn.Parameter(weight("file.parameter", (3,))),
        "num_batches_tracked": torch.tensor(7),
        "mask": torch.tensor([True, False]),
    }
    torch.save(tensors, f"{OUT}/zip.pth")
    torch.save(tensors, f"{OUT}/legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(Script().eval()).save(f"{OUT}/script.pt")
    torch.save({"a": base, "b": Evil()}, f"{OUT}/evil.pth", _use_new_zipfile_serialization=False)
    torch.save({"a": base, "b": Evil()}, f"{OUT}/evil_zip.pth")
    kept = {k: v.detach().contiguous() for k, v in tensors.items() if k != "mask"}
    kept = {k: v.clone() for k, v in kept.items()}
    save_file(kept, f"{OUT}/expected.safetensors")


def parquet():
    """Five rows as the hub's dataset has them, two in a row group, in each compression that pages come in."""
    import pyarrow
    import pyarrow.parquet

    images = []
    for i in range(5):
        encoded = io.BytesIO()
        Image.fromarray(picture(i, 16, 24, False)).save(encoded, "PNG")
        images.append({"bytes": encoded.getvalue(), "path": f"{i}.png"})
    captions = [[f"caption {i} {j} é" for j in range(3)] for i in range(5)]
    table = pyarrow.table({"image": images, "cocoid": list(range(5)), "sentences_raw": captions})
    for compression in ("snappy", "zstd", "gzip", "none"):
        pyarrow.parquet.write_table(table, f"{OUT}/{compression}.parquet", compression=compression, row_group_size=2)
    pyarrow.parquet.write_table(table.drop_columns(["sentences_raw"]), f"{OUT}/no_captions.parquet")


def photo():
    """A JPEG file with halved chroma, and the pixels that PIL makes of it."""
    image = Image.fromarray(picture(11, 60, 84, False)).resize((84, 60))
    image.save(f"{OUT}/photo.jpg", quality=85)
    Image.open(f"{OUT}/photo.jpg").save(f"{OUT}/photo.png")
    Image.open(f"{OUT}/photo.jpg").convert("L").save(f"{OUT}/grey.jpg")


def main():
    os.makedirs(OUT, exist_ok=True)
    weight_files()
    photo()
    parquet()
    with tempfile.TemporaryDirectory() as root:
        a, b = folders(root)
        expected = dict(sizes=SIZES, **psnr_and_lpips(a, b), **fid(a, b), **ground_truth())
    with open(f"{OUT}/expected.json", "w") as f:
        json.dump(expected, f, indent=1)
    print({k: v for k, v in expected.items() if isinstance(v, float)})


if __name__ == "__main__":
    main()
