"""Memory that loading a model takes at most, beside its weights and the libraries.

    python benchmarks/load_memory.py [--architecture ViT-H-14] [--forms pt safetensors ...] [--onnx]

Numbers of no meaning are written in the published shapes, each form in turn, and a process of its
own loads each: the most that was ever resident (VmHWM: mapped files count too), less what it is
once the libraries are imported, over the bytes of the weights. `--onnx` exports the first form and
loads the export instead, with a text and an image encoded, since its graphs are loaded by these.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FORMS = ("pt", "legacy", "wrapped", "safetensors", "sharded", "transformers", "float16")
_LOAD = """
import sys
import torch, open_clip, transformers, onnxruntime
from idia_index import load_backend
import idia_index.backends.open_clip, idia_index.backends.onnx
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
backend = load_backend(sys.argv[1], model=sys.argv[2])
if sys.argv[1] == "onnx":  # its graphs are loaded when they are first used
    from PIL import Image
    backend.encode_texts(["a photo"])
    backend.encode_images([Image.new("RGB", (300, 300))])
print(before, peak())
"""


def numbers(shape: Any) -> Any:
    """Small random numbers of a shape: a million of them, again and again."""
    import torch

    some = torch.randn(1 << 20) * 0.02
    count = max(1, shape.numel())
    return some.repeat(-(-count // len(some)))[:count].reshape(shape).clone()


def clip_state(architecture: str) -> dict[str, Any]:
    """Weights of an architecture of open_clip."""
    import open_clip
    import torch

    with torch.device("meta"):
        model = open_clip.model.CLIP(**open_clip.get_model_config(architecture))
    return {name: numbers(value.shape) for name, value in model.state_dict().items()}


def transformers_folder(architecture: str, folder: Path) -> str:
    """The same as a folder of transformers' CLIPModel."""
    import open_clip
    import transformers

    config = open_clip.get_model_config(architecture)
    text, vision = config["text_cfg"], config["vision_cfg"]

    def tower(part: dict[str, Any], heads: int) -> dict[str, Any]:
        size = {"hidden_size": part["width"], "num_hidden_layers": part["layers"]}
        rest = {"intermediate_size": 4 * part["width"], "num_attention_heads": heads}
        return {**size, **rest, "hidden_act": "gelu"}

    sizes = {"image_size": vision["image_size"], "patch_size": vision["patch_size"]}
    heads = vision["width"] // vision.get("head_width", 64)
    made = transformers.CLIPConfig(
        text_config={**tower(text, text["heads"]), "vocab_size": text["vocab_size"]},
        vision_config={**tower(vision, heads), **sizes},
        projection_dim=config["embed_dim"],
    )
    import torch

    with torch.device("meta"):
        model = transformers.CLIPModel(made)
    state = {n: numbers(v.shape) for n, v in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state, max_shard_size="1GB")
    return f"local-dir:{folder}"


def sharded(state: dict[str, Any], folder: Path) -> Path:
    """Four files and their index."""
    from safetensors.torch import save_file

    names = list(state)
    places = {}
    for part in range(4):
        file = f"m-0000{part + 1}-of-00004.safetensors"
        save_file({name: state[name] for name in names[part::4]}, folder / file)
        places |= dict.fromkeys(names[part::4], file)
    index = folder / "m.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def write(architecture: str, form: str, folder: Path) -> str:
    """Writes weights in a form; returns the SPEC."""
    import torch
    from safetensors.torch import save_file

    if form == "transformers":
        return transformers_folder(architecture, folder / "hf")
    state = clip_state(architecture)
    path = folder / ("w.safetensors" if form == "safetensors" else "w.pt")
    writers: dict[str, Callable[[], Any]] = {
        "pt": lambda: torch.save(state, path),
        "legacy": lambda: torch.save(state, path, _use_new_zipfile_serialization=False),
        "wrapped": lambda: torch.save({"epoch": 1, "state_dict": state}, path),
        "safetensors": lambda: save_file(state, path),
        "float16": lambda: torch.save({n: v.half() for n, v in state.items()}, path),
    }
    if form == "sharded":
        path = sharded(state, folder)
    else:
        writers[form]()
    return f"{architecture}/{path}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="ViT-L-14")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where there is room for the files")
    options = parser.parse_args()
    if options.write:  # in a process of its own, whose memory goes with it
        print(write(options.architecture, options.write[0], Path(options.write[1])))
        return
    for form in options.forms[:1] if options.onnx else options.forms:
        with TemporaryDirectory(dir=options.folder) as folder:
            measure(options.architecture, form, Path(folder), options.onnx)


def measure(architecture: str, form: str, folder: Path, onnx: bool) -> None:
    """Writes a form, loads it in a process of its own, prints a line of the table."""
    own = [sys.executable, __file__, "--architecture", architecture]
    spec = _last_line([*own, "--write", form, str(folder)])
    held = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 2**20
    weights = 2 * held if form == "float16" else held  # computed in float32
    backend = "open_clip"
    if onnx:
        export = folder / "export"
        command = [sys.executable, "-m", "idia_index", "export", "--model", spec, str(export)]
        subprocess.run([*command, "--activation", "gelu"], check=True)
        backend, spec = "onnx", str(export)
    before, most = map(float, _last_line([sys.executable, "-c", _LOAD, backend, spec]).split())
    share = (most - before) / weights
    print(f"| {architecture}, {form}, {backend} | {weights:,.0f} | {before:,.0f} | {most:,.0f} "
          f"| {share:.2f} |", flush=True)  # fmt: skip


def _last_line(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE
    ).stdout.splitlines()[-1]


if __name__ == "__main__":
    main()
