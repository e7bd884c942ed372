import errno
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.pretrained import PretrainedWeightsError, WeightsSource, fetch, load_into


@dataclass
class Site:
    """A web server that hands out files, and can do so badly."""

    root: Path
    url: str
    asked: list[str] = field(default_factory=list)
    breaks_off: bool = False
    seconds_per_file: float = 0.0

    def put(self, content: bytes, suffix: str = ".pth") -> WeightsSource:
        """Offer a file under the name that torchvision would give it."""
        digest = hashlib.sha256(content).hexdigest()
        name = f"net-{digest[:8]}{suffix}"
        (self.root / name).write_bytes(content)
        return WeightsSource.named_by_hash(f"{self.url}/{name}")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    root = tmp_path / "site"
    root.mkdir()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            offered.asked.append(self.path)
            file = root / self.path.lstrip("/")
            if not file.is_file():
                self.send_error(404)
                return
            content = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            time.sleep(offered.seconds_per_file)
            if not offered.breaks_off:
                self.wfile.write(content[half:])

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        offered = Site(root, f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield offered
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where pretrained weights are kept, empty and not there yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def linear(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def as_pth(module: nn.Module, folder: Path) -> bytes:
    torch.save(module.state_dict(), folder / "weights.pth")
    return (folder / "weights.pth").read_bytes()


def test_weights_are_downloaded_once(site: Site, cache: Path, tmp_path: Path) -> None:
    source = site.put(as_pth(linear(1), tmp_path))
    module = linear(2)
    loaded = load_into(module, source)
    again = load_into(linear(3), source)
    assert torch.equal(module.weight, linear(1).weight)
    assert site.asked == [f"/{source.name}"]
    assert [file.name for file in cache.iterdir()] == [source.name]
    assert loaded == again
    assert loaded.sha256 == hashlib.sha256((cache / source.name).read_bytes()).hexdigest()
    assert loaded.sha256.startswith(source.digits)
    assert (loaded.file, loaded.url) == (source.name, source.url)


def test_file_that_was_put_there_by_hand_is_used(cache: Path) -> None:
    cache.mkdir(parents=True)
    save_file(linear(1).state_dict(), cache / "net.safetensors")
    module = linear(2)
    load_into(module, WeightsSource("http://127.0.0.1:1/net", "net.safetensors"))
    assert torch.equal(module.weight, linear(1).weight)


def two_layers(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))


def test_layers_beside_keep_their_weights_whatever_the_file_has(cache: Path) -> None:
    cache.mkdir(parents=True)
    save_file(two_layers(1).state_dict(), cache / "net.safetensors")
    module = two_layers(2)
    load_into(module, WeightsSource("http://127.0.0.1:1/net", "net.safetensors"), besides=["1"])
    for name, seed in (("0.weight", 1), ("1.weight", 2)):
        assert torch.equal(module.state_dict()[name], two_layers(seed).state_dict()[name])


@pytest.mark.parametrize(("dropped", "added"), [("0.bias", None), (None, "2.bias")])
def test_other_layers_must_be_in_the_file_as_they_are_here(
    cache: Path, dropped: str | None, added: str | None
) -> None:
    cache.mkdir(parents=True)
    weights = {k: v for k, v in two_layers(1).state_dict().items() if k != dropped}
    save_file(weights | ({added: torch.zeros(2)} if added else {}), cache / "net.safetensors")
    source = WeightsSource("http://127.0.0.1:1/net", "net.safetensors")
    with pytest.raises(PretrainedWeightsError, match=dropped or added):
        load_into(two_layers(2), source, besides=["1"])


def test_weights_are_renamed_and_left_out(cache: Path) -> None:
    cache.mkdir(parents=True)
    network = nn.ModuleDict({"features": linear(1), "fc": linear(2)})
    save_file(network.state_dict(), cache / "net.safetensors")
    module = linear(3)

    def rename(name: str) -> str | None:
        return None if name.startswith("fc.") else name.removeprefix("features.")

    load_into(module, WeightsSource("http://127.0.0.1:1/net", "net.safetensors"), rename=rename)
    assert torch.equal(module.weight, linear(1).weight)


def test_two_trainings_that_start_at_once_have_the_whole_file(
    site: Site, cache: Path, tmp_path: Path
) -> None:
    site.seconds_per_file = 0.3
    source = site.put(as_pth(linear(1), tmp_path))
    modules = [linear(2), linear(3), linear(4)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda module: load_into(module, source), modules))
    assert len(site.asked) > 1
    assert all(torch.equal(module.weight, linear(1).weight) for module in modules)
    assert [file.name for file in cache.iterdir()] == [source.name]


class TestDownloadThatFails:
    def test_no_server_is_told_with_the_file_to_put_there(
        self, cache: Path, free_port: int
    ) -> None:
        url = f"http://127.0.0.1:{free_port}/net-01234567.pth"
        with pytest.raises(PretrainedWeightsError) as caught:
            fetch(WeightsSource.named_by_hash(url))
        assert str(caught.value) == (
            f"pretrained weights must be at {cache / 'net-01234567.pth'} or come from {url}, got: "
            "[Errno 111] Connection refused; connect this computer, put the file there by hand, "
            "or set model.pretrained: none"
        )
        assert list(cache.iterdir()) == []

    def test_absent_file(self, site: Site, cache: Path) -> None:
        with pytest.raises(PretrainedWeightsError, match=r"got: HTTP Error 404: Not Found"):
            fetch(WeightsSource.named_by_hash(f"{site.url}/net-01234567.pth"))
        assert list(cache.iterdir()) == []

    def test_wrong_checksum(self, site: Site, cache: Path, tmp_path: Path) -> None:
        source = site.put(as_pth(linear(1), tmp_path))
        (site.root / source.name).write_bytes(as_pth(linear(2), tmp_path))
        with pytest.raises(PretrainedWeightsError, match=f'expected "{source.digits}", got "'):
            fetch(source)
        assert list(cache.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_broken_off_without_a_checksum_to_tell(
        self, site: Site, cache: Path, tmp_path: Path, suffix: str
    ) -> None:
        site.breaks_off = True
        file = tmp_path / "net.safetensors"
        save_file(linear(1).state_dict(), file)
        content = file.read_bytes() if suffix == ".safetensors" else as_pth(linear(1), tmp_path)
        (site.root / f"net{suffix}").write_bytes(content)
        with pytest.raises(PretrainedWeightsError, match=r"by hand, or set model\.pretrained"):
            fetch(WeightsSource(f"{site.url}/net{suffix}", f"net{suffix}"))
        assert list(cache.iterdir()) == []

    def test_full_disk_is_told_as_one(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fill(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(torch.hub, "download_url_to_file", fill)
        with pytest.raises(OSError, match="or set TORCH_HOME to a folder on another") as caught:
            fetch(WeightsSource.named_by_hash("http://127.0.0.1:1/net-01234567.pth"))
        assert caught.value.errno == errno.ENOSPC
        assert str(cache / "net-01234567.pth") in str(caught.value)


class TestFileInTheCache:
    SOURCE = WeightsSource.named_by_hash("http://127.0.0.1:1/net-01234567.pth")

    def test_other_file_of_the_name_is_told(self, cache: Path) -> None:
        cache.mkdir(parents=True)
        torch.save(linear().state_dict(), cache / self.SOURCE.name)
        with pytest.raises(
            PretrainedWeightsError,
            match=r"net-01234567\.pth must start with 01234567, got [0-9a-f]{8}; delete the file",
        ):
            load_into(linear(), self.SOURCE)

    def test_damaged_file_is_told(self, cache: Path) -> None:
        cache.mkdir(parents=True)
        (cache / "net.pth").write_bytes(b"nothing")
        with pytest.raises(PretrainedWeightsError, match=r"net\.pth must hold weights, got some"):
            load_into(linear(), WeightsSource("http://127.0.0.1:1/net.pth", "net.pth"))

    def test_weights_of_another_network_are_told(self, cache: Path) -> None:
        cache.mkdir(parents=True)
        torch.save(nn.Linear(5, 2).state_dict(), cache / "net.pth")
        with pytest.raises(
            PretrainedWeightsError, match=r"got those of another network \(.*size mismatch.*delete"
        ):
            load_into(linear(), WeightsSource("http://127.0.0.1:1/net.pth", "net.pth"))
