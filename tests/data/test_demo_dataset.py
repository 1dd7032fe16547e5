"""The bundled tape is what its command makes, and its README says so."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmquant.config import Config
from mmquant.data import synthetic
from mmquant.data.readers import read_tape
from mmquant.data.synthetic import column_digests, make_demo_tape

DATASETS = Path(__file__).parents[2] / "datasets"
TAPE = DATASETS / "demo" / "demo.parquet"
README = (DATASETS / "README.md").read_text()
DIGESTS = {
    "exch_ts": "03768b30d2b4566d5ec13fb9baea3cf4e2a94d59606f53274451d47b4c62e07a",
    "inst": "755915f94cf2a5f6fa22c20beb8f847cffcf180113cd78745c48e83648f06945",
    "kind": "41fbf62c9240213e0ae1964d0cda7a76fb3a45d070c2028511cbb7935b122bc6",
    "local_ts": "933e34ec16d7d3fc6665f6752de8606f8faaefb6eba7e1100df4949e5e208aee",
    "order_id": "5658f102f3e4aea9ba5f8b0258b90e81a153ffea4c5cbbc293fef50255771131",
    "seq": "b338e623848299d4c67348f49001a0ea7cdc52a7491c5748a375c9dbf54a4074",
    "side": "6b629c9bf7e43ebf9f0c72cc3182684cc8c189b39a713ef72208d7dc51455224",
    "size": "02398a6e8208f5d4376db9aba64c61b44712ac06cbe066adc4e9ed6f534ccc2f",
    "subtick": "9a0b00f269af41b8774a1abdfc1baa488bca11ec4a69207ffd181bc76ad92328",
    "tick": "b1eebc4f48c5e3dc9cdd71b6ab2d962a256107e79c59de7d0e5e6a607d6ccddc",
}


def command() -> list[str]:
    """Arguments of the README's command."""
    start = "    python -m mmquant.data.synthetic "
    (line,) = [line for line in README.splitlines() if line.startswith(start)]
    return shlex.split(line.removeprefix(start))


@pytest.fixture(scope="module")
def remade(tmp_path_factory) -> tuple[Path, str]:
    """The tape made anew by the README's command, and what the command printed."""
    import contextlib
    import io

    arguments = command()
    out = tmp_path_factory.mktemp("demo") / "demo.parquet"
    arguments[arguments.index("--out") + 1] = str(out)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert synthetic.main(arguments) == 0
    return out, printed.getvalue()


def test_the_command_makes_the_bundled_tape(remade):
    bundled = read_tape("parquet", TAPE)
    again = read_tape("parquet", remade[0])
    assert column_digests(again) == column_digests(bundled) == DIGESTS
    assert again.attrs == bundled.attrs
    assert column_digests(make_demo_tape()) == DIGESTS


def test_the_same_pyarrow_makes_the_same_file(remade):
    if pq.ParquetFile(TAPE).metadata.created_by != pq.ParquetFile(remade[0]).metadata.created_by:
        pytest.skip("the bundled file was written by another version of pyarrow")
    assert remade[0].read_bytes() == TAPE.read_bytes()


def test_the_readme_says_what_the_command_prints(remade):
    seen = json.loads(remade[1])
    assert f"| rows | {seen['rows']}:" in README
    assert f"{seen['trades']} trades" in README
    assert f"| size | {seen['bytes'] / 1e6:.2f} MB |" in README
    shares = [f"{100 * seen[f'spread_{n}_share']:.0f} %" for n in (1, 2, 3)]
    assert f"1 tick for {shares[0]} of the time, 2 ticks for {shares[1]}, 3 ticks for" in README
    assert f"3 ticks for {shares[2]} |" in README
    assert f"| {seen['best_bid_lots_mean']:.0f} on average; above" in README
    assert f"above {seen['best_bid_lots_p90']} in one tenth" in README
    prices = f"between {seen['mid_low'] / 100:.3f} and {seen['mid_high'] / 100:.3f}"
    assert f"{seen['mid_changes']}, {prices}" in README


def test_the_bundled_file_is_small():
    assert TAPE.stat().st_size < 1_500_000


def test_the_configuration_names_the_tape():
    config = Config.load(DATASETS / "demo" / "demo.yaml", env={})
    assert config.tape.format == "parquet"
    assert config.strategy.name == "skew"
    assert (DATASETS / "demo" / str(config.tape.path)) == TAPE
