"""Rounding while learning: known answers, straight-through gradients, and what is left when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolkit.core import InputError
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.training.fake_quantization import FakeQuantization, check_quantizable, quantizable, quantized_weight

if TYPE_CHECKING:
    from torch import Tensor, nn


def net() -> nn.Module:
    """Every kind of layer that is rounded, and others."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 2, stride=2),
        nn.Flatten(2),
        nn.Conv1d(2, 3, 5, stride=5),
        nn.Flatten(),
        nn.Linear(36, 5),
    )


def images(count: int = 8) -> Tensor:
    import torch

    return torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(1)) + 0.3


class TestWeights:
    def test_known_levels(self) -> None:
        """Steps of 0.01 and of 1, half to even; a channel of zeros stays one."""
        import torch

        weight = torch.tensor([[1.27, 0.014, -0.016, -0.5], [-127.0, 0.5, 1.5, 3.0], [0.0, 0.0, 0.0, 0.0]])
        expected = torch.tensor([[1.27, 0.01, -0.02, -0.5], [-127.0, 0.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
        assert torch.allclose(quantized_weight(weight, 0), expected, rtol=1e-6, atol=0)
        assert torch.allclose(quantized_weight(weight.t(), 1), expected.t(), rtol=1e-6, atol=0)

    def test_rounding_again_changes_nothing(self) -> None:
        """So a quantizer that finds the scale in the rounded weights finds the same integers."""
        import torch

        once = quantized_weight(torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0)), 0)
        assert torch.allclose(quantized_weight(once, 0), once, rtol=1e-6, atol=0)

    def test_it_commutes_with_the_folding_of_batch_normalisation(self) -> None:
        import torch
        from torch.nn.utils.fusion import fuse_conv_bn_eval

        layer, norm = torch.nn.Conv2d(3, 8, 3).eval(), torch.nn.BatchNorm2d(8).eval()
        with torch.no_grad():
            for value in (norm.weight, norm.bias, norm.running_mean):
                value.normal_(generator=torch.Generator().manual_seed(2))
            norm.running_var.uniform_(0.01, 9.0)
            folded = quantized_weight(fuse_conv_bn_eval(layer, norm).weight, 0)
            layer.weight.copy_(quantized_weight(layer.weight, 0))
            assert torch.allclose(fuse_conv_bn_eval(layer, norm).weight, folded, rtol=1e-5, atol=1e-8)

    def test_gradients_pass_straight_through(self) -> None:
        import torch

        weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
        weight[1] = 0
        weight.requires_grad_()
        wanted = torch.randn(4, 6)
        (quantized_weight(weight, 0) * wanted).sum().backward()
        assert weight.grad is not None
        assert torch.equal(weight.grad, wanted)


class TestInputs:
    def test_known_levels(self) -> None:
        """Values from -1 to 1.55 are multiples of 0.01; what lies outside is cut, and gets no gradient."""
        import torch

        layer = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False))
        FakeQuantization(layer)
        with torch.no_grad():
            layer[0].parametrizations.weight.original.copy_(torch.eye(3))
        layer.train()(torch.tensor([[-1.0, 1.55, 0.0]]))
        x = torch.tensor([[0.014, 2.0, -0.016]], requires_grad=True)
        found = layer.eval()(x)
        assert torch.allclose(found, torch.tensor([[0.01, 1.55, -0.02]]), atol=1e-6)
        found.sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[1.0, 0.0, 1.0]]

    def test_ranges_are_learned_in_training_only(self) -> None:
        import torch

        module = net()
        FakeQuantization(module)
        module.train()(images())
        seen = {name: value.clone() for name, value in module.state_dict().items()}
        module.eval()(10 * images())
        assert all(torch.equal(value, seen[name]) for name, value in module.state_dict().items())
        module.train()(10 * images())
        low, high = images().min(), images().max()
        assert module[0].input_quantizer.high.item() == pytest.approx(high.item() * 1.09, rel=1e-5)
        assert module[0].input_quantizer.low.item() == pytest.approx(low.item() * 1.09, rel=1e-5)

    def test_half_precision(self) -> None:
        import torch

        module = net()
        FakeQuantization(module)
        with torch.autocast("cpu", torch.bfloat16):
            module.train()(images()).float().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in module.parameters())


class TestRemoval:
    def test_plain_layers_with_rounded_weights_are_left(self) -> None:
        import torch

        module, plain = net(), net()
        rounding = FakeQuantization(module)
        module.train()(images())
        rounding.remove()
        assert sorted(module.state_dict()) == sorted(plain.state_dict())
        assert [type(layer) for layer in module.modules()] == [type(layer) for layer in plain.modules()]
        assert not any(layer._forward_pre_hooks for layer in module.modules())
        for name, layer in quantizable(plain).items():
            axis = 1 if isinstance(layer, torch.nn.ConvTranspose2d) else 0
            assert torch.equal(module.get_submodule(name).weight, quantized_weight(layer.weight, axis))
            assert not torch.equal(module.get_submodule(name).weight, layer.weight)


class TestRefusal:
    @pytest.mark.parametrize(
        ("model", "weight"),
        [("lstm", "layer.weight_ih_l0"), ("transformer", "places"), ("conditional-gan", "generator.classes.weight")],
    )
    def test_weights_elsewhere(self, model: str, weight: str) -> None:
        with pytest.raises(InputError, match=f"all of them in convolutions and linear layers, got '{weight}'; train it without --qat"):
            check_quantizable(find_model(model).module(find_data("digits")))

    def test_no_weights(self) -> None:
        import torch

        with pytest.raises(InputError, match="got a network without any"):
            check_quantizable(torch.nn.Sequential(torch.nn.BatchNorm1d(3)))

    def test_a_single_layer_is_a_network(self) -> None:
        import torch

        check_quantizable(torch.nn.Linear(3, 3))
