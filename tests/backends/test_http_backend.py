"""The http backend against a local service: dialects, what is sent, how the model is identified."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import make_images
from hosted_server import Handler, Request, Service, serving
from PIL import Image
from toy_backend import ToyBackend

from idia_index import (
    Backend,
    Session,
    build_index,
    load_backend,
    load_backend_for,
    make_subject,
    open_index,
    query,
)
from idia_index.backends.http_dialects import Jina
from idia_index.errors import InputError, ModelError, RefusedError, ServiceError
from idia_index.plugins import BackendPlugin
from idia_index.registry import backend_class
from idia_index.testing import BackendContract

pytest.importorskip("httpx")
pytestmark = pytest.mark.filterwarnings("ignore:.* will be sent at most")
HttpBackend = backend_class("http")

HOST = "127.0.0.1"
BOTH = Session(texts_to=(HOST,), images_to=(HOST,))
NAMES = [f"First{i % 7} Last{i}" for i in range(40)]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


def load(service: Service, session: Session = BOTH, dialect: str = "infinity") -> Backend:
    return load_backend("http", model=service.spec(dialect), session=session)


class TestContract(BackendContract):
    """The contract that every backend keeps."""

    plugin: Callable[..., BackendPlugin] = partial(HttpBackend, session=BOTH)
    missing_model = "no-such-dialect+https://127.0.0.1/#m"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _served(cls) -> Iterator[None]:
        with serving(Service()) as service:
            cls.model = service.spec()
            yield


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["infinity", "vllm", "jina", "weaviate"])
def test_every_dialect_gives_the_models_own_embeddings(dialect: str, service: Service) -> None:
    texts = ["a photo of Jane Doe", "Zoë Müller", "a photo of Jane Doe"]
    images = [Image.new("RGB", (30, 20), colour) for colour in ("red", "teal", "#123456")]
    backend, local = load(service, dialect=dialect), Backend(ToyBackend(model="toy"))
    assert np.abs(backend.encode_texts(texts) - local.encode_texts(texts)).max() < 1e-6
    assert np.abs(backend.encode_images(images) - local.encode_images(images)).max() < 1e-6
    assert service.texts[texts[0]] == 1


@pytest.mark.slow
def test_an_index_is_built_searched_and_reported_as_one_of_a_local_model(
    service: Service, tmp_path: Path
) -> None:
    session = replace(BOTH, folder=tmp_path / "i")
    index = build_index(tmp_path / "i", load(service, session), NAMES)
    local_index = build_index(tmp_path / "local", Backend(ToyBackend(model="toy")), NAMES)
    photos = make_subject("First3 Last10", [make_images(tmp_path / "p", 6)])
    remote = load_backend_for(open_index(tmp_path / "i"), session=session)
    found = query(index, remote, photos)
    local = query(local_index, Backend(ToyBackend(model="toy")), photos)
    # But for p-values, which rest on a logit scale that the service does not tell.
    assert [each.votes for each in found.subjects] == [each.votes for each in local.subjects]
    asked = found.backend.service
    assert asked is not None and asked.endpoint == f"http://{HOST}:{service.port}"
    assert asked.says == "owned_by tests" and len(asked.checked) == 2
    assert {sent.kind for sent in asked.sent} == {"image"} and len(asked.sent) == 6
    assert any("Noise of the service's answers" in note for note in found.notes), found.notes
    again = query(index, load_backend_for(index, session=session), photos)
    assert again.backend.service is not None and again.backend.service.remembered == 6
    assert not again.backend.service.sent


def _decoded(request: Request) -> list[bytes]:
    return [base64.b64decode(image.rpartition(",")[2]) for image in request.body["input"]]


def _photo(path: Path) -> Path:
    """A photo with a place and a maker in its EXIF, and a comment."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010F] = "SECRET-MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    image.save(path, exif=exif, comment=b"SECRET-COMMENT", quality=95)
    return path


@pytest.mark.parametrize("size", [None, 32])
def test_an_image_is_sent_as_png_without_metadata(
    size: int | None, service: Service, tmp_path: Path
) -> None:
    photo = _photo(tmp_path / "p.jpg")
    options = {} if size is None else {"image_size": size}
    backend = load_backend("http", model=service.spec(), session=BOTH, **options)
    backend.encode_images([photo])
    (sent,) = _decoded(service.requests[-1])
    opened = Image.open(io.BytesIO(sent))
    assert opened.format == "PNG" and opened.mode == "RGB" and not opened.getexif()
    assert opened.size == ((120, 80) if size is None else (size, size))
    assert b"SECRET" not in sent and set(opened.info) <= {"dpi"}
    if size is None:
        assert np.array_equal(np.asarray(opened), np.asarray(Image.open(photo)))


@pytest.mark.slow
def test_an_original_is_sent_to_the_byte_where_that_is_asked_for(
    service: Service, tmp_path: Path
) -> None:
    photo = _photo(tmp_path / "p.jpg")
    session = replace(BOTH, folder=tmp_path / "i", send_original=True)
    backend = load(service, session)
    index = build_index(tmp_path / "i", backend, NAMES)
    query(index, backend, make_subject("First3 Last10", [photo]))
    assert service.images[photo.read_bytes()] == 1


@pytest.mark.slow
def test_nothing_is_sent_without_consent_that_names_the_host(service: Service) -> None:
    for session in (Session(), Session(texts_to=("localhost",), images_to=("example.org",))):
        with pytest.raises(RefusedError, match=f"--send-texts-to {HOST}"):
            load(service, session)
    assert not service.requests
    texts = load(service, Session(texts_to=(f"{HOST}:{service.port}",)))
    texts.encode_texts(["Jane Doe"])
    with pytest.raises(ServiceError, match="--send-images-to"):
        texts.encode_images([Image.new("RGB", (8, 8), "red")])
    images = load(service, Session(images_to=(HOST,)))
    with pytest.raises(RefusedError, match="--send-texts-to"):
        images.encode_texts(["John Doe"])
    assert "John Doe" not in service.texts


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("infinity+http://example.org/#m", "without TLS"),
        ("infinity+https://key:s3cret@example.org/#m", "credentials"),
        ("infinity+https://example.org/?key=s3cret#m", "credentials or a query"),
        ("nonsense+https://example.org/#m", "infinity, jina, vllm, weaviate"),
        ("infinity+ftp://example.org/#m", "names no service"),
        ("infinity+https://[::1/#m", "infinity"),
    ],
)
def test_a_spec_that_must_not_be_asked_is_one_line(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_backend("http", model=spec, session=Session(texts_to=("example.org",)))
    assert "s3cret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_key_comes_from_the_named_variable_and_stays_there(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = replace(BOTH, key_from="TEST_KEY", folder=tmp_path / "i")
    with pytest.raises(InputError, match="TEST_KEY"):
        load(service, session)
    monkeypatch.setenv("TEST_KEY", "s3cret-key")
    build_index(tmp_path / "i", load(service, session), NAMES[:3])
    assert all(r.headers["Authorization"] == "Bearer s3cret-key" for r in service.requests)
    for file in (tmp_path / "i").iterdir():
        assert b"s3cret-key" not in file.read_bytes(), file


@pytest.mark.slow
def test_a_text_that_the_service_cuts_is_refused_or_accepted_aloud(service: Service) -> None:
    backend = load(service)
    words = backend.load_options["behaviour"]["words"]
    assert words == 30  # of the lengths that are tried; the service reads 40, the tail included
    short, long = "a " * 35 + "end", "many " * 45 + "end"
    backend.encode_texts([short])
    with pytest.raises(InputError, match="the service may truncate it"):
        backend.encode_texts([short, long])
    accepting = load(service, replace(BOTH, accept_truncation=True))
    accepting.encode_texts([long])
    assert any(note.startswith("assumed: texts may be truncated") for note in accepting.notes)


def test_a_service_that_refuses_long_texts_cuts_none(service: Service) -> None:
    def refuse(handler: Handler, request: Request, number: int) -> bool:
        inputs = request.body.get("input", [])
        if any(len(text.split()) > 40 for text in inputs if request.body["modality"] == "text"):
            handler.send({"error": "maximum context length is 40"}, 400)
            return True
        return False

    service.fault = refuse
    backend = load(service)
    assert backend.load_options["behaviour"]["words"] is None


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_noise_is_measured_and_the_same_service_is_known_again(
    noise: float, service: Service, tmp_path: Path
) -> None:
    service.noise = noise
    session = replace(BOTH, folder=tmp_path / "i")
    index = build_index(tmp_path / "i", load(service, session), NAMES)
    known = index.manifest.plan.load_options["behaviour"]
    assert known["noise"] <= 3 * noise + 1e-6 and known["noise"] >= noise
    backend = load(service, session)  # not told of the index before it is searched
    query(index, backend, make_subject("First3 Last10", [make_images(tmp_path / "p", 2)]))
    asked = backend.service
    assert asked is not None and asked.tolerance == 4 * known["noise"]
    service.model = "another"
    with pytest.raises(ModelError, match="the model changed between '20"):
        load_backend_for(index, session=session).encode_images([Image.new("RGB", (8, 8))])


@pytest.mark.slow
def test_a_model_that_changed_half_way_leaves_no_index_and_no_answers(
    service: Service, tmp_path: Path
) -> None:
    session = replace(BOTH, folder=tmp_path / "i")
    backend = load(service, session)

    def change(handler: Handler, request: Request, number: int) -> bool:
        if "First0 Last0" in request.body["input"]:
            service.model = "another"
        return False

    assert backend.fingerprint.dim == 16  # the probes, before
    service.fault = change
    with pytest.raises(ServiceError, match="the model changed between '20"):
        build_index(tmp_path / "i", backend, NAMES)
    service.fault, service.model = None, "toy"
    asked = service.texts["First0 Last0"]
    index = build_index(tmp_path / "i", load(service, session), NAMES, resume=True)
    assert service.texts["First0 Last0"] == asked + 1  # what another model answered is not kept
    local = Backend(ToyBackend(model="toy")).encode_texts(["First0 Last0"])
    first = index.text_embeddings(0, index.find(["First0 Last0"])["First0 Last0"])
    assert np.abs(first - local).max() < 1e-6


@pytest.mark.slow
def test_a_run_says_its_price_and_keeps_within_max_calls(service: Service, tmp_path: Path) -> None:
    session = replace(BOTH, folder=tmp_path / "i", max_calls=10)
    with (
        pytest.warns(UserWarning, match=r"at most 840 texts \(2\d,\d+ bytes\)"),
        pytest.raises(RefusedError, match="--max-calls 10: this takes up to 2"),
    ):
        build_index(tmp_path / "i", load(service, session), NAMES)
    assert not service.requests
    enough = HttpBackend.calls(service.spec(), 840, 0)
    with pytest.warns(UserWarning, match=f"in {enough} calls"):
        build_index(tmp_path / "i", load(service, replace(session, max_calls=enough)), NAMES)
    assert len(service.requests) + 1 <= enough  # and one that asked what it is


@pytest.mark.slow
def test_reference_faces_and_a_name_that_is_no_candidate_are_in_the_price(
    service: Service, tmp_path: Path
) -> None:
    session = replace(BOTH, folder=tmp_path / "i")
    index = build_index(tmp_path / "i", load(service, session), NAMES)
    for sex in ("female", "male"):
        make_images(tmp_path / "faces" / sex, 100)
    stranger = make_subject("Some Stranger", [make_images(tmp_path / "p", 3)])
    backend = load_backend_for(index, session=replace(session, max_calls=1))
    before = len(service.requests)
    with (
        pytest.warns(UserWarning) as told,
        pytest.raises(ServiceError, match="--max-calls 1;"),
    ):
        query(index, backend, stranger, reference_faces=tmp_path / "faces")
    asked = [str(each.message) for each in told if each.category is UserWarning]
    assert "at most 21 texts (" in asked[0] and " and 203 images, in " in asked[0], asked
    assert len(service.requests) <= before + 1


def test_a_third_party_adds_a_dialect_by_an_entry_point(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(Jina):
        """A dialect with a path of its own."""

        path = "/own"

    def found(group: str) -> list[SimpleNamespace]:
        assert group == "idia_index.http_dialects"
        return [SimpleNamespace(name="own", load=lambda: Own)]

    monkeypatch.setattr("idia_index.backends.http_dialects.entry_points", found)
    rows = load(service, dialect="own").encode_texts(["Jane Doe"])
    assert np.abs(rows - Backend(ToyBackend(model="toy")).encode_texts(["Jane Doe"])).max() < 1e-6
    assert {request.path for request in service.requests} == {"/own"}


def test_workers_elsewhere_do_not_ask_a_service(service: Service, tmp_path: Path) -> None:
    backend = load(service)
    backend.engine = SimpleNamespace(name="ray", apart=True)  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"--engine ray: infinity.* called only from this machine"):
        build_index(tmp_path / "i", backend, NAMES)
    assert not set(service.texts) & set(NAMES)


def test_offline_refuses_and_a_local_backend_takes_no_consent(
    service: Service, monkeypatch: pytest.MonkeyPatch, toy_plugin: None
) -> None:
    with pytest.raises(InputError, match="calls no service"):
        load_backend("toy", model="toy", session=BOTH)
    monkeypatch.setattr("idia_index.registry.is_offline", lambda: True)
    monkeypatch.setattr("idia_index.registry.go_offline", lambda: None)
    with pytest.raises(RefusedError, match="offline"):
        load(service)
    assert not service.requests


@pytest.mark.slow
def test_the_manifest_holds_no_consent_and_no_key_variable(
    service: Service, tmp_path: Path
) -> None:
    session = replace(BOTH, folder=tmp_path / "i", max_calls=500)
    build_index(tmp_path / "i", load(service, session), NAMES[:2])
    manifest = json.loads((tmp_path / "i" / "manifest.json").read_text())
    assert set(manifest["plan"]["load_options"]) == {"dtype", "behaviour"}
