"""The claims of the page on decorators, partial and tf_export."""

import functools
import importlib.util
import inspect
import json
import math
import pickle
import re
import subprocess
import sys
import textwrap
import types
import weakref
from pathlib import Path

import namex
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy._utils import set_module

from snippets.python import decorators_and_tf_export as module
from snippets.python.decorators_and_tf_export import (
    Export,
    InvalidSymbolNameError,
    SymbolAlreadyExposedError,
    api_export,
    build_api,
    deprecated_endpoints,
    exports_of,
    get_canonical_name_for_symbol,
    get_symbol_from_name,
    keras_export,
    lazy_api,
    partial,
    tf_export,
    trace_calls,
    unwrap,
    write_api,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOLDEN = json.loads((HERE / "tensorflow_names.json").read_text())


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch):
    """Each test exports into a registry of its own and leaves no module of its own."""
    before = set(sys.modules)
    monkeypatch.setattr(module, "_REGISTRY", {name: {} for name in module._REGISTRY})
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"mytf", "engine", "hidden", "nx"}:
            del sys.modules[name]


def fresh(name="f"):
    """A function that no API knows."""

    def f(x, y=1):
        return x + y

    f.__name__ = f.__qualname__ = name
    return f


# partial is functools.partial


def record(*args, **keywords):
    return args, list(keywords.items())


def fixed(a, b=2, *, c=3):
    return a, b, c


class Callable:
    def __call__(self, *args, **keywords):
        return record(*args, **keywords)

    def __repr__(self):
        return "Callable()"


FUNCTIONS = [record, fixed, Callable(), int, max, dict, str.upper, None, "no function"]
values = st.one_of(st.integers(-9, 9), st.sampled_from(["a", "b", None, ()]))
arguments = st.lists(values, max_size=3).map(tuple)
keywords = st.dictionaries(st.sampled_from(["a", "b", "c", "self", "func", "key"]), values)
steps = st.one_of(
    st.tuples(st.just("function"), st.integers(0, len(FUNCTIONS) - 1), arguments, keywords),
    st.tuples(st.just("partial"), st.integers(0, 9), arguments, keywords),
    st.tuples(st.just("call"), st.integers(0, 9), arguments, keywords),
    st.tuples(st.just("look"), st.integers(0, 9)),
    st.tuples(st.just("attribute"), st.integers(0, 9), values),
    st.tuples(st.just("keyword"), st.integers(0, 9), values),
)


def outcome(action):
    """What an action gives, or the type of its error and, where the callee raised, its text."""
    try:
        return "value", action()
    except (TypeError, ValueError) as error:
        return type(error).__name__, re.sub(r"got .*", "", str(error))


def run(program, make):
    """Everything that can be seen while a program makes partials, calls and changes them."""
    made, seen = [], []
    for kind, index, *rest in program:
        if kind == "function":
            args, named = rest
            result = outcome(lambda i=index, a=args, n=named: make(FUNCTIONS[i], *a, **n))
        elif not made:
            continue
        else:
            one = made[index % len(made)]
            if kind == "partial":
                args, named = rest
                result = outcome(lambda p=one, a=args, n=named: make(p, *a, **n))
            elif kind == "call":
                args, named = rest
                seen.append(outcome(lambda p=one, a=args, n=named: p(*a, **n)))
                continue
            elif kind == "attribute":
                one.note = rest[0]
                continue
            elif kind == "keyword":
                one.keywords["c"] = rest[0]
                continue
            else:
                nested = isinstance(one.func, make)
                func = "a partial" if nested else one.func
                text = repr(one).replace("functools.", "")
                note = getattr(one, "note", "none")
                seen.append((func, one.args, list(one.keywords.items()), note, text))
                continue
        kind_of_result, value = result
        seen.append(kind_of_result if kind_of_result != "value" else "made")
        if kind_of_result == "value":
            made.append(value)
    return seen


@settings(max_examples=800)
@given(st.lists(steps, min_size=1, max_size=12))
def test_random_programs_cannot_tell_partial_from_functools(program):
    assert run(program, partial) == run(program, functools.partial)


@given(arguments, keywords, arguments, keywords, arguments, keywords)
def test_flattening_keeps_every_call(a, k, b, m, c, n):
    flat = partial(partial(record, *a, **k), *b, **m)
    assert (flat.func, flat.args) == (record, a + b)
    nested = partial(lambda *x, **y: partial(record, *a, **k)(*x, **y), *b, **m)
    assert flat(*c, **n) == nested(*c, **n)


def test_partial_with_attributes_is_not_flattened():
    for make in (partial, functools.partial):
        inner = make(record, 1)
        inner.note = "kept"
        assert make(inner, 2).func is inner
        assert make(make(record, 1), 2).func is record


def test_partial_shows_itself_inside_itself_and_can_be_pickled_and_referenced_weakly():
    for make in (partial, functools.partial):
        one = make(record)
        one.keywords["me"] = one
        assert repr(one).endswith("me=...)")
        copied = pickle.loads(pickle.dumps(make(record, 1, a=2)))  # noqa: S301 - dumped here
        assert copied() == ((1,), [("a", 2)])
        assert weakref.ref(one)() is one


@pytest.mark.parametrize("func", [None, 3, "print"])
def test_partial_refuses_what_cannot_be_called(func):
    with pytest.raises(TypeError, match=f"expected something to call, got {func!r}"):
        partial(func)


# the decorator


def test_three_spellings_of_a_factory_do_the_same():
    def by_closure(*names, **options):
        return api_export(*names, api_name="tensorflow", **options)

    made = [make("a.b", v1=["c"]) for make in (tf_export, by_closure)]
    made.append(functools.partial(api_export, api_name="tensorflow")("a.b", v1=["c"]))
    assert [vars(one) for one in made] == [vars(made[0])] * 3


def test_decorated_object_is_the_original_and_costs_nothing():
    f = fresh()
    code, before = f.__code__, dict(vars(f))
    decorated = tf_export("math.f")(f)
    assert decorated is f
    assert f.__code__ is code
    assert (f.__name__, before) == ("f", {})
    assert vars(f) == {"_tf_api_names": ("math.f",), "_tf_api_names_v1": ("math.f",)}

    class A: ...

    assert tf_export("A")(A) is A
    assert A.__name__ == "A"


def test_names_are_noted_on_the_innermost_function():
    f = fresh()
    outer = functools.wraps(f)(lambda *args: f(*args))
    assert tf_export("math.f")(outer) is outer
    assert "_tf_api_names" not in vars(outer)
    assert get_canonical_name_for_symbol(f) == get_canonical_name_for_symbol(outer) == "math.f"
    assert get_symbol_from_name("math.f") is outer


@given(st.integers(0, 5))
def test_unwrap_is_inspects(depth):
    f = g = fresh()
    for _ in range(depth):
        g = functools.wraps(g)(lambda *args, g=g: g(*args))
    assert unwrap(g) is inspect.unwrap(g) is f


def test_unwrap_leaves_what_only_inherits_a_wrapped_attribute():
    class Base:
        __wrapped__ = int

    class Child(Base): ...

    assert unwrap(Child) is Child
    assert unwrap(3) == 3


def test_unwrap_refuses_a_circle():
    f, g = fresh(), fresh("g")
    f.__wrapped__, g.__wrapped__ = g, f
    with pytest.raises(ValueError, match="wraps itself"):
        unwrap(f)


def test_subclasses_do_not_inherit_names():
    @tf_export("Base")
    class Base: ...

    class Child(Base): ...

    assert hasattr(Child, "_tf_api_names")
    assert get_canonical_name_for_symbol(Child) is None
    tf_export("Child")(Child)
    assert get_canonical_name_for_symbol(Child) == "Child"
    assert get_canonical_name_for_symbol(Base) == "Base"


def test_popular_rewriting_of_partial_fails():
    wrong = api_export(api_name="tensorflow", v1=["x"])
    with pytest.raises(TypeError, match=r"cannot export 'app.run': expected function or class"):
        wrong("app.run")
    assert GOLDEN["sessions"]["wrong"][-1] == (
        "AttributeError: 'str' object has no attribute '_tf_api_names'"
    )


# names


def test_version_1_has_the_same_names_unless_told_otherwise():
    f, g, h = fresh("f"), fresh("g"), fresh("h")
    tf_export("a.f")(f)
    tf_export("a.g", v1=["g"])(g)
    tf_export(v1=["a.h"])(h)
    assert exports_of() == {
        **dict.fromkeys(["a.f", "compat.v1.a.f"], Export(f, __name__, "f")),
        **dict.fromkeys(["a.g", "compat.v1.g"], Export(g, __name__, "g")),
        "compat.v1.a.h": Export(h, __name__, "h"),
    }
    assert get_canonical_name_for_symbol(h) == "a.h"
    assert get_canonical_name_for_symbol(h, add_prefix_to_v1_names=True) == "compat.v1.a.h"
    assert get_canonical_name_for_symbol(g, add_prefix_to_v1_names=True) == "a.g"


@pytest.mark.parametrize("fact", GOLDEN["symbols"], ids=lambda fact: fact["symbol"])
def test_canonical_names_are_tensorflows(fact):
    f = fresh(fact["name"])
    deprecated_endpoints(*fact["deprecated"])(f)
    tf_export(*fact["names"], v1=fact["names_v1"])(f)
    assert get_canonical_name_for_symbol(f) == fact["canonical"]
    assert get_canonical_name_for_symbol(f, add_prefix_to_v1_names=True) == fact["prefixed"]
    assert get_symbol_from_name(fact["symbol"].removeprefix("tf.")) is f


def test_golden_facts_hold_what_the_page_needs():
    facts = GOLDEN["symbols"]
    assert len(facts) >= 20
    assert any(not fact["names"] for fact in facts)
    assert any(fact["deprecated"] for fact in facts)
    assert any(fact["wrapped"] for fact in facts)
    recorded = {fact["name"]: fact["names"] for fact in facts}
    assert recorded["add"] == module._PUBLIC["math_ops.add"]
    assert recorded["softmax_v2"] == module._PUBLIC["nn_ops.softmax_v2"]
    assert recorded["log1p"] == ["math.log1p"]
    log1p = next(fact for fact in facts if fact["name"] == "log1p")
    assert log1p["names_v1"] == ["math.log1p", "log1p"]
    assert log1p["deprecated"] == ["log1p"]


def test_tensorflow_defines_and_generates_as_the_page_says():
    assert GOLDEN["sessions"]["partial"][1] == "<class 'functools.partial'>"
    assert GOLDEN["sessions"]["unwrap"][-1] == "['demo.w', None]"
    assert GOLDEN["sessions"]["removed"][-1] == "False"
    assert GOLDEN["generated"]["lazy"] == 0 < GOLDEN["generated"]["files"]
    assert GOLDEN["generated"]["add"].startswith("from tensorflow.python.ops.math_ops import add")


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="no TensorFlow installed")
def test_golden_file_is_what_tensorflow_prints():
    command = [sys.executable, HERE / "golden_tensorflow.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout) == GOLDEN


def test_deprecated_names_come_last():
    f = deprecated_endpoints("old")(tf_export("old", "new")(fresh()))
    assert get_canonical_name_for_symbol(f) == "new"
    g = deprecated_endpoints("old_g")(tf_export("old_g")(fresh("g")))
    assert get_canonical_name_for_symbol(g) == "old_g"
    with pytest.raises(ValueError, match=r"has deprecated names: \('old',\)"):
        deprecated_endpoints("new")(f)
    base = deprecated_endpoints("a")(type("Base", (), {}))
    child = deprecated_endpoints("b")(type("Child", (base,), {}))
    assert (base._tf_deprecated_api_names, child._tf_deprecated_api_names) == (("a",), ("b",))
    with pytest.raises(InvalidSymbolNameError, match="forgot the parentheses"):
        deprecated_endpoints(g)
    with pytest.raises(TypeError, match="cannot note names on 3: it takes no attributes"):
        deprecated_endpoints("new")(3)


def test_symbols_without_names_have_no_canonical_name():
    assert get_canonical_name_for_symbol(fresh()) is None
    assert get_canonical_name_for_symbol(fresh(), add_prefix_to_v1_names=True) is None
    assert get_canonical_name_for_symbol(3) is None
    f = tf_export("a.f")(fresh())
    assert get_canonical_name_for_symbol(f, "keras") is None
    assert get_symbol_from_name("nothing") is None
    assert get_symbol_from_name("a.f", "keras") is None


def test_apis_keep_their_names_apart():
    layer = keras_export("keras.layers.Dense")(type("Dense", (), {}))
    assert get_canonical_name_for_symbol(layer, "keras") == "keras.layers.Dense"
    assert get_canonical_name_for_symbol(layer) is None
    assert exports_of() == {}
    assert set(exports_of("keras")) == {"keras.layers.Dense", "compat.v1.keras.layers.Dense"}


def test_constants_are_noted_on_their_module():
    sys.modules["hidden"] = hidden = types.ModuleType("hidden")
    hidden.PI = 3.14
    tf_export("math.pi", v1=["pi"]).export_constant("hidden", "PI")
    assert get_symbol_from_name("math.pi") == get_symbol_from_name("compat.v1.pi") == 3.14
    assert hidden._tf_api_constants == [(("math.pi",), "PI")]
    assert hidden._tf_api_constants_v1 == [(("pi",), "PI")]


# errors of the decorator


def test_bad_names_are_named():
    for name in ["", "a..b", "a.b ", "1a", "a.class", ".a"]:
        with pytest.raises(InvalidSymbolNameError, match=re.escape(repr(name))):
            tf_export(name)
    with pytest.raises(InvalidSymbolNameError, match="expected a public name, got none"):
        tf_export()
    with pytest.raises(InvalidSymbolNameError, match=r"'keras.Dense' belongs to 'keras'"):
        tf_export("keras.Dense")
    with pytest.raises(InvalidSymbolNameError, match=r"'Dense' belongs to 'tensorflow'"):
        keras_export("Dense")
    with pytest.raises(InvalidSymbolNameError, match=r"got 3$"):
        tf_export(3)
    for v1 in ("app.run", 3, {"b", "c"}, {"b": 1}, len):
        with pytest.raises(TypeError, match=re.escape(f"a list of names for v1, got {v1!r}")):
            tf_export("a", v1=v1)
    for name in (3, ["a"], None):
        with pytest.raises(TypeError, match=re.escape(f"expected a public name, got {name!r}")):
            get_symbol_from_name(name)


def test_forgotten_parentheses_are_named():
    with pytest.raises(InvalidSymbolNameError, match="forgot the parentheses of the decorator"):

        @tf_export
        def f(): ...

    assert GOLDEN["sessions"]["bare"][-1] == "('api_export', ['g'])"


@pytest.mark.parametrize(
    "ask",
    [
        exports_of,
        lambda api: api_export("a", api_name=api),
        lambda api: get_symbol_from_name("a", api),
    ],
)
def test_unknown_apis_are_named(ask):
    with pytest.raises(ValueError, match=r"expected one of \['keras', 'tensorflow'\], got 'jax'"):
        ask("jax")
    with pytest.raises(ValueError, match=r"got \['keras'\]"):
        ask(["keras"])
    with pytest.raises(ValueError, match="got 'jax'"):
        get_canonical_name_for_symbol(len, "jax")


@pytest.mark.parametrize("symbol", ["app.run", 3, None, functools.partial(print)])
def test_only_functions_and_classes_are_exported(symbol):
    with pytest.raises(TypeError, match=r"cannot export .*expected function or class"):
        tf_export("a")(symbol)


@pytest.mark.parametrize("symbol", [len, int])
def test_symbols_that_take_no_attributes_are_named(symbol):
    with pytest.raises(TypeError, match=r"cannot note names on .*takes no attributes"):
        tf_export("a")(symbol)
    assert exports_of() == {}


def test_second_exports_are_refused_unless_allowed():
    f = tf_export("a.f")(fresh())
    with pytest.raises(SymbolAlreadyExposedError, match=r"f is already exposed as \('a.f',\)"):
        tf_export("b.f")(f)
    tf_export("b.f", "a.f", allow_multiple_exports=True)(f)
    assert f._tf_api_names == ("a.f", "b.f")
    assert get_symbol_from_name("b.f") is f


def test_a_name_stands_for_one_symbol_but_may_be_defined_again():
    tf_export("a.f")(fresh("f"))
    with pytest.raises(
        SymbolAlreadyExposedError, match=r"'(compat.v1.)?a.f' stands for .*\.f, not for .*\.g"
    ):
        tf_export("a.f")(fresh("g"))
    elsewhere = fresh("f")
    elsewhere.__module__ = "hidden"
    with pytest.raises(SymbolAlreadyExposedError, match=r"not for hidden\.f"):
        tf_export("a.f")(elsewhere)
    again = tf_export("a.f")(fresh("f"))
    assert get_symbol_from_name("a.f") is again


def test_missing_constants_are_named():
    with pytest.raises(ValueError, match="no 'X' in an imported module 'math'"):
        tf_export("a").export_constant("math", "X")
    with pytest.raises(ValueError, match="no 'X' in an imported module 'nowhere'"):
        tf_export("a").export_constant("nowhere", "X")
    for place, name in [([], "pi"), (None, "pi"), ("math", ["pi"]), ("math", 3)]:
        with pytest.raises(ValueError, match=re.escape(f"no {name!r} in an imported module")):
            tf_export("a").export_constant(place, name)
    tf_export("tau").export_constant("math", "tau")
    with pytest.raises(SymbolAlreadyExposedError, match=r"stands for math.tau, not for math.pi"):
        tf_export("tau").export_constant("math", "pi")
    assert math._tf_api_constants == [(("tau",), "tau")]
    del math._tf_api_constants, math._tf_api_constants_v1


def test_a_module_may_be_loaded_again(engine):
    ops = sys.modules["engine.math_ops"]
    before = ops.add
    importlib.reload(ops)
    assert ops.add is not before
    assert get_symbol_from_name("math.add") is ops.add
    assert write_api(engine / "mytf")


# modules in memory


def test_built_modules_are_imported_like_any_other():
    f = tf_export("math.f", "f")(fresh())
    root = build_api("mytf")
    import mytf.math as space
    from mytf.compat.v1.math import f as old
    from mytf.math import f as new

    assert root.f is old is new is space.f is f
    assert root.__all__ == ["compat", "f", "math"]
    assert sorted(name for name in sys.modules if name.startswith("mytf")) == [
        "mytf",
        "mytf.compat",
        "mytf.compat.v1",
        "mytf.compat.v1.math",
        "mytf.math",
    ]


def test_building_again_leaves_nothing_of_the_old_modules():
    tf_export("math.f")(fresh())
    build_api("mytf")
    build_api("mytf", {})
    assert [name for name in sys.modules if name.startswith("mytf")] == ["mytf"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mytf.math")


def test_a_clash_leaves_the_modules_that_were_built_before():
    tf_export("math.f")(fresh())
    old = build_api("mytf")
    tf_export("math")(fresh("g"))
    with pytest.raises(InvalidSymbolNameError):
        build_api("mytf")
    assert sys.modules["mytf"] is old
    assert sys.modules["mytf.math"].__all__ == ["f"]


BAD_EXPORTS = [
    ({"a..b": Export(len, "builtins", "len")}, InvalidSymbolNameError, "'a..b' is not made of"),
    ({"class": Export(len, "builtins", "len")}, InvalidSymbolNameError, "'class' is not made of"),
    ({3: Export(len, "builtins", "len")}, InvalidSymbolNameError, "public names, got 3"),
    ({"a": 3}, TypeError, "expected an Export for 'a', got 3"),
    (["a"], TypeError, r"expected {name: Export}, got \['a'\]"),
]


@pytest.mark.parametrize(("exports", "error", "message"), BAD_EXPORTS)
def test_bad_exports_are_named_before_anything_is_made(exports, error, message, tmp_path):
    with pytest.raises(error, match=message):
        build_api("mytf", exports)
    with pytest.raises(error, match=message):
        write_api(tmp_path / "mytf", exports)
    assert "mytf" not in sys.modules
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("root", ["math", "my.tf", "", "class", 3, None])
def test_roots_that_are_taken_or_no_names_are_named(root):
    with pytest.raises(ValueError, match=f"got {root!r}"):
        build_api(root, {})


def test_a_name_cannot_be_a_symbol_and_a_namespace(tmp_path):
    tf_export("math")(fresh("f"))
    tf_export("math.g")(fresh("g"))
    for make in (lambda: build_api("mytf"), lambda: write_api(tmp_path)):
        with pytest.raises(InvalidSymbolNameError, match=r"math' is a symbol: no room for"):
            make()
    assert "mytf" not in sys.modules


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)


@given(st.sets(names, min_size=1, max_size=8))
def test_every_name_is_found_where_it_says_or_the_clash_is_named(public):
    exports = {name: Export(object(), "hidden", name) for name in public}
    clash = any(other.startswith(f"{name}.") for name in public for other in public)
    if clash:
        with pytest.raises(InvalidSymbolNameError):
            build_api("mytf", exports)
        return
    root = build_api("mytf", exports)
    for name, export in exports.items():
        found = functools.reduce(getattr, name.split("."), root)
        assert found is export.symbol


# modules on disk

ENGINE = {
    "math_ops": """
        from snippets.python.decorators_and_tf_export import tf_export

        @tf_export("math.add", "add")
        def add(x, y):
            return x + y

        EPSILON = 1e-7
        tf_export("math.epsilon").export_constant(__name__, "EPSILON")
        """,
    "app": """
        from snippets.python.decorators_and_tf_export import tf_export

        @tf_export(v1=["app.run"])
        def run(main):
            return main()
        """,
}


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A private package with three symbols, imported, so that they are registered."""
    for name, source in {"__init__": "", **ENGINE}.items():
        file = tmp_path / "engine" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ENGINE:
        importlib.import_module(f"engine.{name}")
    return tmp_path


def in_fresh_python(folder, program):
    """Run a program in a new interpreter that knows nothing of this one; return what it prints."""
    code = (
        f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]\n{textwrap.dedent(program)}"
    )
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


USE = """
import mytf, mytf.math
from mytf.compat.v1.app import run
print(mytf.add is mytf.math.add is mytf.compat.v1.add, run(lambda: mytf.math.add(1, 2)),
      mytf.math.epsilon, hasattr(mytf, "app"), mytf.add.__module__, *mytf.__all__)
"""


@pytest.mark.parametrize("lazy", [False, True])
def test_written_packages_work_in_a_fresh_interpreter(engine, lazy):
    files = write_api(engine / "mytf", lazy=lazy)
    assert [str(file.relative_to(engine)) for file in files] == [
        "mytf/__init__.py",
        "mytf/compat/__init__.py",
        "mytf/compat/v1/__init__.py",
        "mytf/compat/v1/app/__init__.py",
        "mytf/compat/v1/math/__init__.py",
        "mytf/math/__init__.py",
    ]
    said = in_fresh_python(engine, USE)
    assert said == ["True", "3", "1e-07", "False", "engine.math_ops", "add", "compat", "math"]


def test_lazy_packages_load_what_is_used(engine):
    write_api(engine / "mytf", lazy=True)
    program = """
    import mytf
    loaded = lambda: sorted(name for name in sys.modules if name.startswith("engine."))
    print(loaded(), "add" in dir(mytf), loaded(), "add" in vars(mytf))
    mytf.add
    print(loaded(), "add" in vars(mytf))
    """
    assert " ".join(in_fresh_python(engine, program)) == (
        "[] True [] False ['engine.math_ops'] True"
    )


def test_eager_and_lazy_packages_have_the_names_that_build_api_makes(engine):
    built = build_api("mytf")
    want = {
        name: built_module.__all__
        for name, built_module in sys.modules.items()
        if name.startswith("mytf")
    }
    for name in want:
        del sys.modules[name]
    for lazy in (False, True):
        write_api(engine / f"mytf{lazy}", lazy=lazy)
        for name, public in want.items():
            found = importlib.import_module(name.replace("mytf", f"mytf{lazy}", 1))
            assert found.__all__ == public
    for name in [name for name in sys.modules if name.startswith("mytf")]:
        del sys.modules[name]
    assert built.add is get_symbol_from_name("add")


def test_written_files_do_not_depend_on_the_order_of_exports(engine):
    texts = []
    for i, exports in enumerate([exports_of(), dict(reversed(exports_of().items()))]):
        files = write_api(engine / str(i), exports)
        texts.append([file.read_text() for file in files])
    assert texts[0] == texts[1]


def test_symbols_that_no_file_can_import_are_named(engine, monkeypatch):
    tf_export("local.f")(fresh())
    with pytest.raises(ValueError, match=r"no file can import '(compat.v1.)?local.f': it is not"):
        write_api(engine / "mytf")
    assert not (engine / "mytf").exists()
    monkeypatch.setattr(sys.modules["__main__"], "shown", print, raising=False)
    here = {"a": Export(print, "__main__", "shown")}
    with pytest.raises(ValueError, match=r"__main__.shown"):
        write_api(engine / "mytf", here)


def test_a_decorator_above_the_export_that_hides_the_function_is_found_out(engine):
    (engine / "engine" / "hiding.py").write_text(
        textwrap.dedent("""
        from snippets.python.decorators_and_tf_export import tf_export

        def twice(f):
            return lambda x: f(f(x))

        @twice
        @tf_export("math.f")
        def f(x):
            return x + 1
        """)
    )
    hiding = importlib.import_module("engine.hiding")
    assert get_symbol_from_name("math.f") is not hiding.f
    with pytest.raises(ValueError, match=r"'(compat.v1.)?math.f': it is not engine.hiding.f"):
        write_api(engine / "mytf")


def test_folders_with_content_and_files_are_left_alone(engine):
    for path in (engine, engine / "engine" / "app.py"):
        with pytest.raises(FileExistsError, match=f"expected an empty folder, got {path}"):
            write_api(str(path))
    with pytest.raises(TypeError, match="expected the path of a folder, got 3"):
        write_api(3)
    (engine / "empty").mkdir()
    assert write_api(engine / "empty")


def test_lazy_api_refuses_other_names():
    get, names, public = lazy_api(__name__, {"root": ("math", "sqrt"), "space": ("math", None)})
    assert public == ["root", "space"]
    assert {"root", "space", "GOLDEN"} <= set(names())
    with pytest.raises(
        AttributeError, match=rf"module '{re.escape(__name__)}' has no attribute 'cube'"
    ):
        get("cube")
    for package in ("nowhere", 3, []):
        with pytest.raises(ValueError, match=re.escape(f"no imported module {package!r}")):
            lazy_api(package, {})
    for sources in ({"a": 3}, {"a": ("math",)}, ["a"]):
        with pytest.raises(TypeError, match=re.escape(f"module, name)}}, got {sources!r}")):
            lazy_api(__name__, sources)


# independent generators


def test_namex_makes_the_same_names_but_that_of_a_wrapped_function(tmp_path, monkeypatch):
    """namex, which Keras uses, writes a package whose public names are ours; one it drops."""
    source = """
    import functools
    from namex import export
    from snippets.python.decorators_and_tf_export import api_export

    @export(package="nx", path=["nx.math.add", "nx.add"])
    @api_export("math.add", "add", v1=[])
    def add(x, y):
        return x + y

    @export(package="nx", path="nx.layers.Dense")
    @api_export("layers.Dense", v1=[])
    class Dense:
        pass

    class Child(Dense):
        pass

    def logged(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args)
        return wrapper

    @logged
    @export(package="nx", path="nx.layers.area")
    @api_export("layers.area", v1=[])
    def area(x, y):
        return x * y
    """
    folder = tmp_path / "nx" / "src"
    folder.mkdir(parents=True)
    for file in (tmp_path / "nx" / "__init__.py", folder / "__init__.py"):
        file.write_text("")
    (folder / "ops.py").write_text(textwrap.dedent(source))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    namex.generate_api_files("nx", code_directory="src")
    write_api(tmp_path / "mytf", exports_of())
    program = """
    import importlib
    public = lambda m: sorted(n for n in vars(m) if n[0] != "_" and n != "src")
    for root in ("nx", "mytf"):
        for space in ("", ".math", ".layers"):
            print(root + space, *public(importlib.import_module(root + space)))
    """
    said = in_fresh_python(tmp_path, program)
    half = said.index("mytf")
    ours = [word for word in said[half:] if word != "area"]
    assert [word.replace("nx", "mytf") for word in said[:half]] == ours
    assert said[:4] == ["nx", "add", "layers", "math"]
    assert said[half:].count("area") == 1


def test_namex_and_numpy_export_no_constants():
    with pytest.raises(AttributeError):
        namex.export(package="nx", path="nx.pi")(3.14)
    with pytest.raises(AttributeError):
        set_module("nx")(3.14)


def test_namex_drops_a_wrapped_symbol_that_unwrap_finds():
    f = fresh()
    f = namex.export(package="nx", path="nx.f")(tf_export("f")(f))
    outer = functools.wraps(f)(lambda *args: f(*args))
    assert outer._api_export_symbol_id != id(outer)  # what the generator takes for a subclass
    assert get_canonical_name_for_symbol(outer) == "f"


# tracing, figures, benchmark


def test_two_calls_make_a_decoration():
    calls, error = trace_calls(lambda: tf_export("math.f")(fresh()))
    shown = [(call.depth, call.callee, call.arguments, call.returned) for call in calls]
    assert shown == [
        (0, "partial.__call__", "'math.f'", "api_export"),
        (1, "api_export.__init__", "'math.f', api_name='tensorflow'", ""),
        (0, "api_export.__call__", "f", "f"),
        (1, "unwrap", "f", "f"),
    ]
    assert error == ""


def test_traces_end_with_the_error_and_leave_no_profiler():
    before = sys.getprofile()
    calls, error = trace_calls(lambda: api_export("a")("app.run"))
    assert error.startswith("TypeError: cannot export 'app.run'")
    assert [call.callee for call in calls] == [
        "api_export.__init__",
        "api_export.__call__",
        "unwrap",
    ]
    assert sys.getprofile() is before
    with pytest.raises(TypeError, match="expected a program to call, got 3"):
        trace_calls(3)


def test_benchmark_compares_equal_answers():
    from benchmarks.decorators_and_tf_export import cases

    found = 0
    for name, ours, rival, target in cases(symbols=20):
        assert ours() == rival(), name
        assert target > 0
        found += 1
    assert found == 4


def test_figures_draw_in_both_modes():
    from _ext import svg

    frames = {n: svg.draw(getattr(module, n)) for n in dir(module) if n.startswith("figure_")}
    assert {name: len(drawn) for name, drawn in frames.items()} == {
        "figure_calls": 1,
        "figure_names": 1,
    }
    assert "unwrap" in frames["figure_calls"][0].light
    assert exports_of() == {}
