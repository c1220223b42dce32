"""What autoencoders, energy models, sparse codes and generators must be by their definitions."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.contract import Images
from toolkit.core import Artifact, InputError, UnknownNameError
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.boltzmann import Rbm
from toolkit.models.data import DataSet, find_data
from toolkit.models.sparse_coding import PENALTY, Patches, SparseCoding
from toolkit.models.training import features, frechet_distance, train


def test_the_free_energy_is_the_sum_over_all_hidden_states() -> None:
    """``exp(-F(v)) = sum over h of exp(-E(v, h))``, for every hidden state of a machine of three units (Hinton 2010, equation 24)."""
    import torch

    from toolkit.models.boltzmann import _layer, _machine

    torch.manual_seed(0)
    machine = _machine(_layer(4, 3))
    torch.nn.init.normal_(machine.hidden.weight)
    torch.nn.init.normal_(machine.hidden.bias)
    torch.nn.init.normal_(machine.bias)
    seen = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    with torch.no_grad():
        total = torch.zeros(len(seen))
        for state in itertools.product([0.0, 1.0], repeat=3):
            hidden = torch.tensor(state)
            total += (seen @ machine.bias + hidden @ machine.hidden.bias + (seen @ machine.hidden.weight.t()) @ hidden).exp()
        torch.testing.assert_close(machine.free_energy(seen), -total.log())


def test_what_a_machine_has_learned_has_less_free_energy(few: DataSet, tmp_path: Path) -> None:
    import torch

    result = train(find_model("rbm"), few, recipe=replace(Rbm().recipe("digits"), epochs=20), out=tmp_path)
    program = torch.export.load(result.artifact.model_file).module()
    images = torch.from_numpy(few.load("test").inputs["image"])
    noise = images[:, :, torch.randperm(8)][:, :, :, torch.randperm(8)]
    with torch.inference_mode():
        learned, strange = program(images)[1], program(noise)[1]
    assert float((learned < strange).double().mean()) > 0.9
    assert [spec.name for spec in result.artifact.manifest.signature.outputs] == ["reconstruction", "free_energy"]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 8), (2, 9, 13), (1, 2, 3)])
def test_patches_come_back(shape: tuple[int, int, int]) -> None:
    import torch

    form = Patches.of(shape)
    image = torch.randn(4, *shape)
    patches = form.split(image)
    assert patches.shape == (4, form.grid[0] * form.grid[1], form.numbers)
    assert torch.equal(form.join(patches), image)
    corner = image[:, :, : form.side, : form.side]
    assert torch.equal(patches[:, 0][:, : corner[0].numel()].sort().values, corner.flatten(1).sort().values) or min(shape[1:]) < form.side


def test_codes_are_those_of_scikit_learn() -> None:
    """The unrolled steps solve the lasso that they are made for."""
    import torch
    from sklearn.decomposition import sparse_encode

    torch.manual_seed(0)
    images = Images((1, 8, 8))
    module = SparseCoding().module(images).eval()
    with torch.inference_mode():
        patches = module.patches(torch.from_numpy(images.load("test").inputs["image"]))
        code, mean = module.encode(patches)
        dictionary = module.dictionary().numpy()
    centred = (patches - mean)[:, 0].numpy()
    exact = sparse_encode(centred, dictionary, algorithm="lasso_lars", alpha=PENALTY)

    def objective(codes: np.ndarray) -> np.ndarray:
        total: np.ndarray = ((centred - codes @ dictionary) ** 2).sum(axis=1) / 2 + PENALTY * np.abs(codes).sum(axis=1)
        return total

    np.testing.assert_allclose(objective(code[:, 0].numpy()), objective(exact), rtol=0.01)
    assert 0 < np.mean(exact != 0) < 0.5


class TestFrechet:
    def test_known_answers(self) -> None:
        """For independent features it is the squared distance of means and of deviations (Dowson and Landau 1982)."""
        random = np.random.default_rng(0)
        rows = random.standard_normal((200_000, 3))
        scale, shift = np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, -2.0])
        assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
        expected = np.sum(shift**2) + np.sum((scale - 1) ** 2)
        assert frechet_distance(rows, random.standard_normal((200_000, 3)) * scale + shift) == pytest.approx(expected, rel=0.02)
        turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
        one, other = rows, rows * scale + shift
        assert frechet_distance(one @ turn, other @ turn) == pytest.approx(frechet_distance(one, other), rel=1e-6)

    def test_features_that_never_vary_are_no_trouble(self) -> None:
        rows = np.zeros((10, 4))
        assert frechet_distance(rows, rows + 2) == pytest.approx(16)


def test_a_generator_and_its_discriminator_ship(few: DataSet, tmp_path: Path) -> None:
    model = find_model("conditional-gan")
    result = train(model, few, recipe=replace(model.recipe("digits"), epochs=4), out=tmp_path / model.name)
    assert str(result.artifact.manifest.signature) == ("(noise:float32[batch,64], label:int64[batch]) -> (image:float32[batch,1,8,8])")
    assert result.artifact.manifest.task == "generation"
    assert result.artifact.manifest.details == {"classes": 10}
    (judge,) = result.parts
    assert judge.path == tmp_path / "conditional-gan-discriminator" / "pt2-fp32"
    assert judge.manifest.model == "conditional-gan-discriminator"
    assert str(judge.manifest.signature) == "(image:float32[batch,1,8,8], label:int64[batch]) -> (score:float32[batch])"
    assert judge.manifest.task == "any"
    assert model.quality(result.test.loss, result.test.accuracy) == result.test.loss > 0
    assert result.metrics[-1].validation_loss < result.metrics[0].validation_loss


class TestChoice:
    def test_few_samples_of_each_class(self, few: DataSet, tmp_path: Path) -> None:
        from toolkit.models.training.choice import chosen_samples

        samples = chosen_samples(few, few.load("train"), TrainingRecipe(few=4))
        assert np.bincount(samples.targets).tolist() == [4] * 10 if samples.targets is not None else False
        with pytest.raises(InputError, match=r"samples of class '.' of 'few-digits': expected at least 1000, got \d+"):
            chosen_samples(few, few.load("train"), TrainingRecipe(few=1000))

    def test_a_class_that_is_held_out_looks_strange(self, few: DataSet, tmp_path: Path) -> None:
        model = find_model("autoencoder")
        recipe = replace(model.recipe("digits"), epochs=25, hold_out="0")
        result = train(model, few, recipe=recipe, out=tmp_path)
        assert result.anomaly_auc is not None
        assert result.anomaly_auc > 0.6
        assert result.artifact.manifest.details == {"held_out": "0"}
        with pytest.raises(UnknownNameError, match="unknown label 'zero'"):
            train(model, few, recipe=replace(recipe, hold_out="zero"), out=tmp_path / "other")


class TestStart:
    def test_weights_are_taken_but_the_last_layers(self, few: DataSet, tmp_path: Path) -> None:
        import torch

        model = find_model("cnn")
        recipe = TrainingRecipe(epochs=2, batch_size=32)
        first = train(model, few, recipe=recipe, out=tmp_path / "first").artifact
        frozen = train(model, few, recipe=replace(recipe, freeze=True, seed=1), out=tmp_path / "second", start=first).artifact
        one, other = (torch.export.load(artifact.model_file).state_dict for artifact in (first, frozen))
        names = list(one)
        assert all(torch.equal(one[name], other[name]) for name in names[:-2])
        assert not torch.equal(one[names[-2]], other[names[-2]])
        moved = train(model, few, recipe=replace(recipe, seed=1), out=tmp_path / "third", start=first).artifact
        assert not torch.equal(one[names[0]], torch.export.load(moved.model_file).state_dict[names[0]])

    def test_what_does_not_fit(self, few: DataSet, tmp_path: Path) -> None:
        recipe = TrainingRecipe(epochs=1)
        lstm = train(find_model("lstm"), few, recipe=recipe, out=tmp_path / "lstm").artifact
        with pytest.raises(InputError, match="none of its weights fits: expected a trained network of the same model, got lstm"):
            train(find_model("cnn"), few, recipe=recipe, out=tmp_path / "cnn", start=lstm)
        onnx = Artifact(lstm.path, replace(lstm.manifest, format="onnx"))  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"expected a trained \.pt2 artifact, got onnx"):
            train(find_model("cnn"), few, recipe=recipe, out=tmp_path / "cnn", start=onnx)


def test_the_classifier_that_judges_belongs_to_its_data_its_recipe_and_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    data = find_data("digits")
    places = [features._place(data, "content", {"epochs": 1}), features._place(data, "other", {"epochs": 1})]
    places.append(features._place(data, "content", {"epochs": 2}))
    monkeypatch.setattr(features, "sources_sha256", lambda *_: "other")
    places.append(features._place(data, "content", {"epochs": 1}))
    assert len(set(places)) == len(places)
