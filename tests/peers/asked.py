"""What a peer was asked for: the function code of every request, one a line of a file in the folder that the variable TURBINE_NOX_FUNCTION_CODES
names. `cargo xtask test` names one, and fails when anything but 1 to 4 stands there."""
import os, sys

_folder = os.environ.get("TURBINE_NOX_FUNCTION_CODES")
_file = None
if _folder:
    os.makedirs(_folder, exist_ok=True)
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    _file = open(os.path.join(_folder, f"{name}-{os.getpid()}"), "ab", buffering=0)


def record(function):
    if _file:
        _file.write(b"%d\n" % function)
