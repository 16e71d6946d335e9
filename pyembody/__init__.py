"""pyembody: say what a robot should do; get a reward program, a behaviour, and every number explained."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pyembody")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+source"
