"""transformers' own zero-shot image classification behind HTTP on 127.0.0.1.

python benchmarks/hosted/zero_shot_server.py FOLDER PORT
python benchmarks/hosted/zero_shot_server.py FOLDER check

Pipeline, image processor, tokenizer, towers, logits and softmax are transformers'. As a service
would, it computes once what comes again: the tokens of a list of labels, and the features that CLIP
makes of them and of an image. `check` says how far that changes any score.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections import UserList
from collections.abc import Iterator, Sequence
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, ZeroShotImageClassificationPipeline, pipeline

from idia_index.prompts.templates import JAIR2024
from idia_index.study import candidates

TASK = "zero-shot-image-classification"
LISTS = 64  # lists of labels, and images, that are remembered
TURN = Lock()


class Labels(UserList[str]):
    """Labels that the pipeline does not look through for tensors, as it does through a list."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)


def remember(model: CLIPModel, method: str, inputs: Sequence[str]) -> None:
    """Makes a model keep the last features that a method of it computed, by those inputs."""
    compute, known = getattr(model, method), dict[tuple[bytes, ...], Any]()

    def features(**options: Any) -> Any:
        key = tuple(options[name].numpy().tobytes() for name in inputs)
        if key not in known:
            if len(known) == LISTS:
                known.pop(next(iter(known)))
            known[key] = compute(**options)
        return known[key]

    setattr(model, method, features)


class RememberingTokenizer:
    """transformers' tokenizer, which keeps the tokens of the last lists of texts."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens = lru_cache(LISTS)(self._encoded)

    def __call__(self, texts: Sequence[str], **options: Any) -> Any:
        return self._tokens(tuple(texts), tuple(options.items()))

    def _encoded(self, texts: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Any:
        return self._tokenizer(list(texts), **dict(options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def loaded(folder: str) -> ZeroShotImageClassificationPipeline:
    """The pipeline of a model's folder, in float32 on the CPU."""
    torch.set_num_threads(1)  # what is left to compute for an answer is small
    found = pipeline(TASK, model=folder, device="cpu", dtype=torch.float32)
    remember(found.model, "get_text_features", ["input_ids", "attention_mask"])
    remember(found.model, "get_image_features", ["pixel_values"])
    found.tokenizer = RememberingTokenizer(found.tokenizer)
    return found


class Handler(BaseHTTPRequestHandler):
    """One classification a request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    classify: ZeroShotImageClassificationPipeline

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        image = Image.open(io.BytesIO(base64.b64decode(body["inputs"])))
        options = body["parameters"]
        options["candidate_labels"] = Labels(options["candidate_labels"])
        with TURN:
            found = type(self).classify(image, **options)
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


def check(folder: str) -> None:
    """Asks with and without what is remembered, twice each, so that it is used."""
    names, noise = candidates(), np.random.default_rng(0)
    images = [Image.fromarray(noise.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(2)]
    plain, quick = pipeline(TASK, model=folder, device="cpu", dtype=torch.float32), loaded(folder)
    apart = asked = 0
    for template in JAIR2024[:3]:
        labels = [template.fill(name) for name in names]
        for image in images:
            own, other = (
                {each["label"]: each["score"] for each in classify(
                    image, candidate_labels=Labels(labels), hypothesis_template="{}")}
                for classify in (plain, quick)
            )  # fmt: skip
            apart, asked = max(apart, *(abs(own[label] - other[label]) for label in own)), asked + 1
    print(f"largest difference of a score in {asked} answers of {len(names)} labels: {apart}")


if __name__ == "__main__":
    if sys.argv[2] == "check":
        check(sys.argv[1])
        raise SystemExit
    Handler.classify = loaded(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
