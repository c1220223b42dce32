"""A network into a file, and weights out of one."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.models.contract import image_model
from toolkit.core import ArtifactError, ConversionError, InputError, Signature, TensorSpec
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.models.training import export_pt2, load_weights

if TYPE_CHECKING:
    from torch import nn


def signature(*inputs: TensorSpec) -> Signature:
    return Signature(inputs, (TensorSpec("y", "float32", ("batch", 3)),))


class TestExport:
    def test_a_weight_that_is_not_finite(self, tmp_path: Path) -> None:
        import torch

        for value in (torch.nan, torch.inf):
            module = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))
            module[1].running_var[2] = value
            with pytest.raises(InputError, match=r"the weights '1.running_var' hold NaN or infinity: expected finite numbers"):
                export_pt2(module, signature=signature(TensorSpec("x", "float32", ("batch", 2))), out=tmp_path / "out", model="m")
        assert not list(tmp_path.iterdir())

    def test_two_inputs_of_two_types_and_two_symbols(self, tmp_path: Path) -> None:
        import torch

        class Bag(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.words = torch.nn.Embedding(20, 4)
                self.last = torch.nn.Linear(6, 3)

            def forward(self, tokens: Any, features: Any) -> Any:
                return self.last(torch.cat([self.words(tokens).mean(1), features], dim=1))

        module = Bag()
        inputs = TensorSpec("tokens", "int64", ("batch", "length")), TensorSpec("features", "float32", ("batch", 2))
        artifact = export_pt2(module, signature=signature(*inputs), out=tmp_path / "out", model="bag")
        check_pt2(artifact.model_file)
        program = torch.export.load(artifact.model_file).module()
        for batch, length in ((1, 1), (3, 7)):
            given = torch.randint(0, 20, (batch, length)), torch.randn(batch, 2)
            torch.testing.assert_close(program(*given), module(*given))

    def test_a_network_that_cannot_be_exported(self, tmp_path: Path) -> None:
        import torch

        class Fixed(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return x.view(2, -1)[:, :3]

        with pytest.raises(ConversionError, match="torch cannot export 'fixed': ") as caught:
            export_pt2(Fixed(), signature=signature(TensorSpec("x", "float32", ("batch", 3))), out=tmp_path / "out", model="fixed")
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    def test_dropout_is_off_and_no_source_file_is_named(self, tmp_path: Path) -> None:
        import torch

        module = image_model("cnn").build((1, 8, 8), 3).train()
        spec = TensorSpec("x", "float32", ("batch", 1, 8, 8))
        artifact = export_pt2(module, signature=signature(spec), out=tmp_path / "out", model="cnn")
        program = torch.export.load(artifact.model_file).module()
        images = torch.randn(4, 1, 8, 8)
        assert torch.equal(program(images), program(images))
        assert b"container.py" not in artifact.model_file.read_bytes()


class TestWeights:
    @pytest.fixture
    def module(self) -> nn.Module:
        return image_model("resnet").build((1, 8, 8), 3)

    @pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
    @pytest.mark.parametrize("suffix", [".pt", ".pth"])
    def test_torch_files(self, module: nn.Module, tmp_path: Path, wrapper: str | None, suffix: str) -> None:
        import torch

        state = module.state_dict()
        file = tmp_path / f"w{suffix}"
        torch.save({wrapper: state, "epoch": 3} if wrapper else state, file)
        other = image_model("resnet").build((1, 8, 8), 3)
        load_weights(other, file)
        assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())

    def test_safetensors(self, module: nn.Module, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import save_file

        save_file(module.state_dict(), tmp_path / "w.safetensors")
        other = image_model("resnet").build((1, 8, 8), 3)
        load_weights(other, tmp_path / "w.safetensors")
        assert all(torch.equal(value, module.state_dict()[name]) for name, value in other.state_dict().items())

    def test_a_pickle_that_runs_code_is_refused_and_does_not_run(self, module: nn.Module, tmp_path: Path) -> None:
        import torch

        class Attack:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "attacked"),)

        torch.save({"a": Attack()}, tmp_path / "zip.pt")
        (tmp_path / "plain.pt").write_bytes(pickle.dumps(Attack()))
        torch.save(image_model("cnn").build((1, 8, 8), 3), tmp_path / "whole.pt")
        for name in ("zip.pt", "plain.pt", "whole.pt"):
            with pytest.raises(ArtifactError, match=r"is refused, it holds more than tensors .*safetensors") as caught:
                load_weights(module, tmp_path / name)
            assert "\n" not in str(caught.value)
        assert not (tmp_path / "attacked").exists()

    def test_files_that_are_no_weights(self, module: nn.Module, tmp_path: Path) -> None:
        import torch

        torch.save(module.state_dict(), tmp_path / "whole.pt")
        content = (tmp_path / "whole.pt").read_bytes()
        (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
        (tmp_path / "empty.pt").write_bytes(b"")
        (tmp_path / "empty.safetensors").write_bytes(b"")
        (tmp_path / "cut.safetensors").write_bytes((1000).to_bytes(8, "little") + b"{}")
        torch.save([torch.zeros(2)], tmp_path / "list.pt")
        torch.save({"a": 3}, tmp_path / "number.pt")
        (tmp_path / "w.h5").write_bytes(content)
        for name in ("cut.pt", "empty.pt", "empty.safetensors", "cut.safetensors", "list.pt", "number.pt", "w.h5", "nothing.pt"):
            with pytest.raises(ArtifactError) as caught:
                load_weights(module, tmp_path / name)
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_other_names_and_shapes_change_nothing(self, module: nn.Module, tmp_path: Path) -> None:
        import torch

        before = {name: value.clone() for name, value in module.state_dict().items()}
        state = {name: torch.full_like(value, 7) for name, value in before.items()}
        missing = {name: value for name, value in state.items() if name != "0.weight"}
        cases = {
            r"expected 56 tensors with '0.weight', got 55 tensors;": missing,
            r"expected 56 tensors, got 57 tensors with 'extra'": {**state, "extra": torch.zeros(1)},
            r"the weights '0.weight' in .* have the wrong shape: expected \[32, 1, 3, 3\], got \[32, 3, 3, 3\]": {
                **state,
                "0.weight": torch.zeros(32, 3, 3, 3),
            },
        }
        assert len(state) == 56
        for message, content in cases.items():
            torch.save(content, tmp_path / "w.pt")
            with pytest.raises(InputError, match=message):
                load_weights(module, tmp_path / "w.pt")
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
