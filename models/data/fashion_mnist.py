"""Fashion-MNIST: photographs of clothes."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Preprocessing

from ._images import IdxFile, IdxImages


class FashionMnist(IdxImages):
    """60,000 + 10,000 grey images of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017)."""

    name = "fashion-mnist"
    summary = "60,000 + 10,000 photographs of clothes, 28 x 28, 10 classes"
    labels = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    preprocessing = Preprocessing(scale=1 / 255, mean=(0.2860,), std=(0.3530,), note="mean and deviation of the training pixels")
    input_shape = (1, 28, 28)
    files = {  # noqa: RUF012 - declared as ClassVar in the base
        "train": (
            IdxFile("train-images-idx3-ubyte", 47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            IdxFile("train-labels-idx1-ubyte", 60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ),
        "test": (
            IdxFile("t10k-images-idx3-ubyte", 7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            IdxFile("t10k-labels-idx1-ubyte", 10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
    }
    mirrors = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    )
    other_folders = ("FashionMNIST/raw",)
    system_package = "dataset-fashion-mnist"
    system_folder = Path("/usr/share/datasets/fashion-mnist")
