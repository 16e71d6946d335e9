"""The commands of the command line, one file each: a dataclass of its options with a method `run()
-> exit code`.

The files import only what `--help` needs; torch, mujoco and the rest are imported inside `run`.
"""
