"""How the compiled engine starts: what names the cache, when kernels must be compiled, a Numba that cannot be used."""

import ast
from pathlib import Path

import pytest
import torch

import precond
from precond import engine
from precond.compiled import jit


def test_every_module_that_kernels_take_constants_from_names_the_folder():
    package = Path(precond.__file__).parent
    named = {path.resolve() for path in jit.sources()}
    for path in (package / "compiled").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and any(alias.name.isupper() for alias in node.names):
                places = {1: path.parent, 2: package}
                if node.level in places and node.module:
                    assert places[node.level].joinpath(*node.module.split(".")).with_suffix(".py").resolve() in named


def test_another_numba_or_another_copy_of_the_program_must_compile(monkeypatch, tmp_path):
    monkeypatch.setattr(jit, "cache_folder", lambda: str(tmp_path))
    assert not jit.is_complete()
    jit.mark_complete()
    assert jit.is_complete()
    with monkeypatch.context() as patch:
        patch.setattr(jit.numba, "__version__", "1000")
        assert not jit.is_complete()
    (tmp_path / "copy.py").write_text("")
    monkeypatch.setattr(jit, "sources", lambda: [tmp_path / "copy.py"])
    assert not jit.is_complete()


def test_a_numba_that_cannot_be_imported_leaves_torch(monkeypatch):
    def refuse(name):
        raise ImportError("Numba needs NumPy 1.0 or less")

    monkeypatch.setattr(engine, "import_module", refuse)
    assert engine.chosen("torch", torch.device("cpu")) == ("torch", "")
    name, notice = engine.chosen("auto", torch.device("cpu"))
    assert name == "torch"
    assert "Numba needs NumPy" in notice
    with pytest.raises(ValueError, match="cannot be used: Numba needs"):
        engine.chosen("compiled", torch.device("cpu"))
    assert not engine.must_compile(torch.device("cpu"))
