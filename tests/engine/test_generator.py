"""The detail network against recorded outputs of the original program and against torch's own layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.detail.generator import ProcessorNetwork, load_network, run
from engine.detail.generator_cuda import CudaNetwork, forward
from engine.detail.generator_layers import convolve_last, normalize_
from engine.detail.generator_winograd import Winograd, transforms
from engine.errors import GpuError, ModelFileError
from engine.packs.facescape import maps
from engine.packs.facescape.checkpoint import GeneratorShape, read_architecture
from tests.bench.generator import plain, random_pictures, random_weights

GOLDEN = Path(__file__).parents[3] / "shared" / "facescape" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the original's recorded outputs are not here")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
SMALL = GeneratorShape(3, 8, 3, 2)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine lose seconds where threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def golden_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = torch.load(GOLDEN / "net_small_in3.pth", weights_only=True)
    path = tmp_path_factory.mktemp("golden") / "single.safetensors"
    save_file(weights, path)
    return path


def _stored(folder: Path, shape: GeneratorShape = SMALL) -> Path:
    path = folder / "network.safetensors"
    save_file(random_weights(shape), path)
    return path


@needs_golden
def test_output_equals_the_originals(golden_file):
    with np.load(GOLDEN / "net_small_in3_io.npz") as recorded:
        difference = run(load_network(golden_file, "cpu"), recorded["input"]) - recorded["output"][:, 0]
    assert abs(difference).max() < 1e-4


@needs_golden
def test_map_of_a_photo_equals_the_originals_file(golden_file):
    import cv2

    bgr = cv2.imread(str(GOLDEN / "astronaut_crop_after_transfer.png"))
    wanted = cv2.imread(str(GOLDEN / "astronaut_dpmap_small_net_1900.png"), cv2.IMREAD_UNCHANGED)
    picture = maps.network_picture(np.ascontiguousarray(bgr[..., ::-1]))
    output = run(load_network(golden_file, "cpu"), picture[None])[0]
    assert abs(maps.words(output, 1900).astype(int) - wanted.astype(int)).max() <= 2
    canvas = maps.canvas(maps.millimetres(output))  # by way of millimetres, as the faces keep their maps
    assert abs(canvas[600:2500, 1100:3000].astype(int) - wanted.astype(int)).max() <= 2
    canvas[600:2500, 1100:3000] = 32768
    assert (canvas == 32768).all()


@pytest.mark.parametrize(
    ("shape", "height", "width"),
    [
        (GeneratorShape(3, 8, 4, 3), 128, 128),
        (GeneratorShape(6, 4, 4, 2), 96, 160),  # 6 x 10 at the bottom: incomplete tiles
        (GeneratorShape(6, 4, 2, 1), 20, 36),
        (GeneratorShape(3, 16, 1, 0), 34, 300),  # no residual blocks; several strips
    ],
    ids=["whole tiles", "part tiles", "flat", "no blocks"],
)
def test_output_equals_plain_torch(shape, height, width):
    weights = random_weights(shape)
    pictures = np.random.default_rng(1).uniform(-1, 1, (2, shape.input_channels, height, width)).astype(np.float32)
    with torch.inference_mode():
        wanted = plain(weights, shape)(torch.from_numpy(pictures)).numpy()[:, 0]
        assert forward(weights, shape, torch.from_numpy(pictures)).numpy()[:, 0] == pytest.approx(wanted, abs=2e-5)
    found = run(ProcessorNetwork(weights, shape), pictures)
    assert found == pytest.approx(wanted, abs=5e-5)
    assert wanted.std() > 0.01


def test_file_tells_the_shape(tmp_path):
    network = load_network(_stored(tmp_path), "cpu")
    assert network.shape == SMALL
    wanted = plain(random_weights(SMALL), SMALL)(torch.from_numpy(random_pictures(3, 32))).detach().numpy()[:, 0]
    assert run(network, random_pictures(3, 32)) == pytest.approx(wanted, abs=5e-5)


def test_loading_draws_no_random_weights(tmp_path):
    path = _stored(tmp_path)
    before = torch.get_rng_state()
    load_network(path, "cpu")
    assert torch.equal(before, torch.get_rng_state())


def test_pictures_may_be_read_only_and_stay_as_they_are(tmp_path):
    pictures = random_pictures(3, 32)
    pictures.flags.writeable = False
    before = pictures.copy()
    run(load_network(_stored(tmp_path), "cpu"), pictures)
    assert (pictures == before).all()


def test_steps_report_up_to_the_whole_and_leave_torch_alone(tmp_path):
    steps = load_network(_stored(tmp_path), "cpu").steps(np.repeat(random_pictures(3, 32), 2, axis=0))
    shares = []
    for share in steps:
        shares.append(share)
        assert not torch.is_inference_mode_enabled()
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert shares[-1] == pytest.approx(1.0)
    assert max(np.diff(shares)) < 0.15


def test_steps_can_be_left(tmp_path):
    network = load_network(_stored(tmp_path), "cpu")
    steps = network.steps(random_pictures(3, 32))
    next(steps)
    steps.close()
    assert run(network, random_pictures(3, 32)).shape == (1, 32, 32)


@pytest.mark.parametrize("size", [(3, 8, 32), (3, 32, 36), (6, 32, 32)], ids=["small", "odd", "channels"])
def test_pictures_of_another_size_are_refused(tmp_path, size):
    with pytest.raises(ValueError, match="pictures: expected"):
        run(load_network(_stored(tmp_path), "cpu"), np.zeros((1, *size), np.float32))


@pytest.mark.parametrize("fault", ["missing", "truncated", "text", "half"])
def test_unusable_files_are_refused(tmp_path, fault):
    path = _stored(tmp_path)
    if fault == "missing":
        path.unlink()
    elif fault == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif fault == "text":
        path.write_text("no network")
    else:
        save_file({key: value.half() for key, value in random_weights(SMALL).items()}, path)
    with pytest.raises(ModelFileError, match=r"network\.safetensors") as caught:
        load_network(path, "cpu")
    assert caught.value.hint


def test_other_network_is_refused_by_name(tmp_path):
    path = tmp_path / "network.safetensors"
    weights = random_weights(SMALL)
    weights["model.99.weight"] = weights.pop("model.1.bias")
    save_file(weights, path)
    with pytest.raises(ModelFileError) as caught:
        load_network(path, "cpu")
    assert "model.1.bias" in caught.value.hint
    assert "model.99.weight" in caught.value.hint


@pytest.mark.parametrize(
    "device", ["cuda:63", pytest.param("cuda", marks=pytest.mark.skipif("torch.cuda.is_available()"))]
)
def test_missing_graphics_card_is_one_sentence(tmp_path, device):
    with pytest.raises(GpuError, match="no CUDA graphics card") as caught:
        load_network(_stored(tmp_path), device)
    assert "--gpu_ids -1" in caught.value.hint


def test_winograd_is_as_exact_as_the_direct_sum():
    generator = torch.Generator().manual_seed(2)
    picture = torch.rand(12, 20, 64, generator=generator)
    kernels = torch.randn(64, 64, 3, 3, generator=generator) * 0.05
    padded = torch.nn.functional.pad(picture.permute(2, 0, 1)[None], (1,) * 4, mode="reflect")
    wanted = torch.conv2d(padded.double(), kernels.double())[0].permute(1, 2, 0)
    direct = torch.conv2d(padded, kernels)[0].permute(1, 2, 0)
    found = Winograd(12, 20, 64).convolve(picture, kernels)
    assert (found - wanted).abs().max() < 4 * (direct - wanted).abs().max() + 1e-6


def test_winograd_reuses_its_memory_without_traces():
    winograd = Winograd(7, 9, 4)
    generator = torch.Generator().manual_seed(3)
    kernels = torch.randn(4, 4, 3, 3, generator=generator)
    first, second = (torch.rand(7, 9, 4, generator=generator) for _ in range(2))
    before = winograd.convolve(first, kernels)
    kept = before.clone()
    winograd.convolve(second, kernels)
    assert torch.equal(before, kept)
    assert torch.equal(winograd.convolve(first, kernels), kept)


def test_transforms_convolve_in_one_dimension():
    from_input, from_kernel, to_output = transforms()
    rng = np.random.default_rng(4)
    signal, kernel = rng.normal(size=6), rng.normal(size=3)
    found = to_output @ ((from_kernel @ kernel) * (from_input @ signal))
    assert found == pytest.approx(np.correlate(signal, kernel, "valid"), abs=1e-12)


@pytest.mark.parametrize("relu", [False, True])
def test_normalisation_equals_torchs_far_from_zero(relu):
    generator = torch.Generator().manual_seed(5)
    picture = torch.randn(300, 70, 32, generator=generator) * 0.01 + torch.linspace(-5, 5, 32)
    wanted = torch.nn.functional.instance_norm(picture.permute(2, 0, 1)[None].double())[0].permute(1, 2, 0)
    found = normalize_(picture.clone(), relu=relu)
    assert (found - (wanted.clamp(min=0) if relu else wanted)).abs().max() < 2e-4


def test_normalisation_of_a_flat_channel_is_zero():
    assert normalize_(torch.full((8, 8, 2), 3.0), relu=False).abs().max() < 1e-3


def test_last_layer_spans_its_strips():
    generator = torch.Generator().manual_seed(6)
    picture, kernels = torch.rand(261, 12, 5, generator=generator), torch.randn(1, 5, 7, 7, generator=generator) * 0.05
    bias = torch.tensor([0.1])
    padded = torch.nn.functional.pad(picture.permute(2, 0, 1)[None], (3,) * 4, mode="reflect")
    wanted = torch.tanh(torch.conv2d(padded, kernels, bias))[0, 0]
    assert (convolve_last(picture, kernels, bias) - wanted).abs().max() < 1e-5


@needs_cuda
def test_half_precision_on_the_graphics_card_stays_close(tmp_path):
    shape = GeneratorShape(6, 16, 4, 3)
    weights = random_weights(shape)
    pictures = np.random.default_rng(7).uniform(-1, 1, (5, 6, 128, 128)).astype(np.float32)  # a batch and one more
    wanted = run(ProcessorNetwork(weights, shape), pictures)
    network = CudaNetwork(weights, shape)
    for _ in range(2):  # recorded, then replayed
        found = run(network, pictures)
        assert np.sqrt(((found - wanted) ** 2).mean()) < 0.01 * wanted.std()


def test_architecture_of_the_full_network():
    from engine.packs.facescape.checkpoint import expected_shapes

    full = GeneratorShape(6, 64, 4, 9)
    assert read_architecture(expected_shapes(full)) == full
    assert sum(int(np.prod(size)) for size in expected_shapes(full).values()) == 182_446_401
