"""Ask a real TensorFlow how it names its symbols; writes tensorflow_names.json.

Run by hand where TensorFlow 2 is installed, in an environment of its own:
``python tests/python/golden_tensorflow.py > tests/python/tensorflow_names.json``.
"""

import code
import contextlib
import io
import json
import logging
import os
from pathlib import Path

SYMBOLS = [
    "tf.add",
    "tf.reduce_sum",
    "tf.matmul",
    "tf.concat",
    "tf.zeros",
    "tf.function",
    "tf.Variable",
    "tf.Tensor",
    "tf.Module",
    "tf.SparseTensor",
    "tf.nn.relu",
    "tf.nn.softmax",
    "tf.math.log1p",
    "tf.random.normal",
    "tf.strings.join",
    "tf.image.resize",
    "tf.data.Dataset",
    "tf.io.gfile.exists",
    "tf.saved_model.load",
    "tf.errors.NotFoundError",
    "tf.quantization.quantize",
    "tf.compat.v1.app.run",
    "tf.compat.v1.placeholder",
    "tf.compat.v1.Session",
    "tf.compat.v1.string_to_number",
    "tf.compat.v1.image.resize_images",
]
SESSIONS = {
    "names": [
        "tf.add is tf.math.add, tf.add.__name__, tf.add.__module__",
        "'_tf_api_names' in vars(tf.add)",
        "vars(tf_decorator.unwrap(tf.add)[1])['_tf_api_names']",
        "hasattr(tf, 'app'), hasattr(tf.compat.v1, 'app')",
    ],
    "partial": [
        "type(tf_export)",
        "tf_export.func is api_export, tf_export.args, tf_export.keywords",
    ],
    "unwrap": [
        "'_tf_decorator' in vars(tf.add)",
        "def inner(): pass\n",
        "outer = functools.wraps(inner)(lambda: inner())",
        "tf_decorator.unwrap(outer)[1] is inner",
        "tf_export('demo.w')(outer) is outer",
        "[get_canonical_name_for_symbol(f) for f in (outer, inner)]",
    ],
    "removed": ["'SymbolAlreadyExposedError' in globals()"],
    "export": [
        "@tf_export('demo.f')\ndef f(): pass\n",
        "hasattr(tf, 'demo'), get_symbol_from_name('demo.f') is f",
        "@tf_export('demo.g')\ndef f(): pass\n",
        "tf_export('demo.h')(f) is f, get_canonical_name_for_symbol(f)",
        "get_symbol_from_name('demo.g') is f",
    ],
    "wrong": [
        "wrong = api_export(api_name='tensorflow')",
        "wrong('app.run')",
    ],
    "bare": [
        "@tf_export\ndef g(): return 1\n",
        "type(g).__name__, [f.__name__ for f in g._names]",
    ],
}


def facts(tf, public):
    """What TensorFlow notes on a symbol, and what it answers."""
    from tensorflow.python.util import tf_decorator, tf_export

    symbol = tf
    for name in public.split(".")[1:]:
        symbol = getattr(symbol, name)
    target = tf_decorator.unwrap(symbol)[1]
    own = vars(target)
    ask = tf_export.get_canonical_name_for_symbol
    return {
        "symbol": public,
        "module": target.__module__,
        "name": target.__name__,
        "names": list(own["_tf_api_names"]),
        "names_v1": list(own["_tf_api_names_v1"]),
        "deprecated": list(own.get("_tf_deprecated_api_names", [])),
        "wrapped": symbol is not target,
        "canonical": ask(symbol),
        "prefixed": ask(symbol, add_prefix_to_v1_names=True),
    }


def session(namespace, inputs):
    """The inputs as typed into Python, each followed by what it prints."""
    lines = []
    for source in inputs:
        first, *more = source.split("\n")
        lines += [f">>> {first}", *(f"... {line}".rstrip() for line in more)]
        out = io.StringIO()
        console = code.InteractiveInterpreter(namespace)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            console.runsource(source)
        printed = out.getvalue().splitlines()
        if printed and printed[0].startswith("Traceback"):
            printed = [printed[0], "    ...", printed[-1]]
        lines += printed
    return lines


def generated(file):
    """What the file of ``tf.math`` says of ``add``, and how many such files there are."""
    made = [f.read_text() for f in file.parents[1].glob("**/__init__.py")]
    return {
        "add": next(line for line in file.read_text().splitlines() if " import add #" in line),
        "files": sum("MACHINE GENERATED" in text for text in made),
        "lazy": sum("_PUBLIC_APIS" in text for text in made),
    }


def main():
    """Print everything as JSON."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    logging.disable(logging.WARNING)
    import tensorflow as tf
    from tensorflow.python.util import tf_decorator, tf_export

    mapping = tf_export._NAME_TO_SYMBOL_MAPPING
    answer = {
        "tensorflow": tf.__version__,
        "files": len(list(Path(tf.__file__).parent.glob("python/**/*.py"))),
        "names": len(mapping),
        "public": len([name for name in dir(tf) if not name.startswith("_")]),
        "generated": generated(Path(tf.math.__file__)),
        "symbols": [facts(tf, public) for public in SYMBOLS],
        "sessions": {
            name: session({"tf": tf, "tf_decorator": tf_decorator, **vars(tf_export)}, inputs)
            for name, inputs in SESSIONS.items()
        },
    }
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
