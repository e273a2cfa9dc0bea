"""--export: the fields of the last frame."""

import numpy as np
import pytest

from app.__main__ import main


@pytest.mark.parametrize("suffix", [".npz", ".vti"])
def test_fields_of_the_last_frame_are_exported(tmp_path, suffix, capsys):
    path = tmp_path / f"fields{suffix}"
    argv = ["--headless", "--grid", "16x24", "--frames", "2", "--precond", "jacobi", "--threads", "1"]
    assert main([*argv, "--export", str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().out
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as fields:
            assert fields["density"].shape == (16, 24)
            assert fields["time"] == pytest.approx(2 / 60)
    else:
        assert 'Name="density"' in path.read_text()


def test_an_export_of_another_kind_or_of_a_comparison_is_refused(tmp_path, capsys):
    for more in (["--export", "a.txt"], ["--export", str(tmp_path / "a.npz"), "--compare", "jacobi,dilu"]):
        assert main(["--headless", "--grid", "16x16", "--frames", "1", *more]) == 2
        assert "--export" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("estuary ")
