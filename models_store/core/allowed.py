"""Which names a pickle made elsewhere may ask for."""

SKOPS_TRUSTED = frozenset(
    {
        "numpy.dtype",
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)
"""Types skops does not trust by itself and plain scikit-learn models need."""

ROOTS = frozenset({"sklearn", "numpy", "scipy", "pandas"})
"""Libraries whose classes may be named."""

FUNCTIONS = frozenset(
    {
        "copyreg._reconstructor",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__randomstate_ctor",
        "sklearn.metrics._dist_metrics.newObj",
        "sklearn.neighbors._kd_tree.newObj",
        "sklearn.neighbors._ball_tree.newObj",
        "sklearn.tree._tree.Tree",
        "pandas._libs.internals._unpickle_block",
        "pandas.core.indexes.base._new_Index",
    }
)
"""Functions that pickles of such classes call to make them."""

CLASSES = frozenset(
    {
        "builtins.object",
        "builtins.dict",
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "builtins.bool",
        "builtins.int",
        "builtins.float",
        "builtins.complex",
        "builtins.str",
        "builtins.bytes",
        "builtins.bytearray",
        "builtins.slice",
        "builtins.range",
        "collections.OrderedDict",
        "collections.Counter",
        "datetime.date",
        "datetime.datetime",
        "datetime.timedelta",
        "joblib.numpy_pickle.NumpyArrayWrapper",
    }
)
"""Classes of other modules that may be named."""

_TESTING = ("testing", "tests", "f2py", "distutils", "ctypeslib", "io", "datasets", "externals", "weave")


def is_allowed(module: str, name: str, *, is_class: bool) -> bool:
    """Tell whether a pickle may name this object.

    Parameters
    ----------
    module, name : str
        As the pickle writes them.
    is_class : bool
        Whether it is a class, or one of numpy's own element-wise functions.

    Returns
    -------
    bool
        True for the listed names, and for classes of the listed libraries outside their tools.
    """
    full = f"{module}.{name}"
    if full in FUNCTIONS or full in CLASSES:
        return True
    parts = module.split(".")
    if parts[0] not in ROOTS or any(part.strip("_") in _TESTING for part in parts[1:]):
        return False
    if name.startswith("__pyx_unpickle_"):
        return True  # what Cython writes for its own classes
    # A dotted name walks through attributes, and so out of what was checked.
    return is_class and "." not in name
