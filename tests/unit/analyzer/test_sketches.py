# ruff: noqa: S311 - seeded data, nothing secret
"""Hash, distinct count and quantile sketch, against their specifications and other implementations."""

import random

import pytest
from monitor_analyzer import hll, hll_bias, kll
from monitor_analyzer.xxh64 import SPARK_SEED, xxh64, xxh64_portable


def test_portable_hash_equals_the_library():
    """Any length from 0 to 100 bytes hashes as the xxhash package does."""
    xxhash = pytest.importorskip("xxhash")
    generator = random.Random(1)
    for length in range(101):
        data = generator.randbytes(length)
        for seed in (0, SPARK_SEED):
            assert xxh64_portable(data, seed) == xxhash.xxh64_intdigest(data, seed) == xxh64(data, seed)


def test_bias_table_is_the_published_one():
    """The table equals the one that the datasketch package carries for precision 9."""
    constants = pytest.importorskip("datasketch.hyperloglog_const")
    assert list(hll_bias.RAW_ESTIMATES) == [float(value) for value in constants._raw_estimate[5]]
    assert list(hll_bias.BIASES) == [float(value) for value in constants._bias[5]]


@pytest.mark.parametrize("distinct", [0, 1, 2, 54, 120, 500, 2000, 50_000])
def test_distinct_estimate_is_near(distinct):
    """The estimate stays within four standard deviations (5 %), exact for a handful of values."""
    registers = bytearray(hll.REGISTERS)
    for index in range(distinct):
        hll.add(registers, str(index).encode())
    estimate = hll.estimate(registers)
    assert abs(estimate - distinct) <= (0 if distinct <= 2 else 0.2 * distinct)


def test_registers_merge_by_maximum():
    """Two halves merged by maximum give the registers of the whole."""
    parts = [bytearray(hll.REGISTERS) for _ in range(3)]
    for index in range(5000):
        hll.add(parts[index % 2], str(index).encode())
        hll.add(parts[2], str(index).encode())
    assert bytearray(map(max, parts[0], parts[1])) == parts[2]


def one_by_one(values):
    """The container's update and condense, straight from their description."""
    levels, compactions, offsets = [[]], [0], [0]
    size = 0
    for value in values:
        levels[0].append(value)
        size += 1
        if size <= sum(kll.capacity(level) for level in range(len(levels))):
            continue
        level = next(index for index, items in enumerate(levels) if len(items) >= kll.capacity(index))
        if level == len(levels) - 1:
            levels.append([])
            compactions.append(0)
            offsets.append(0)
        even = len(levels[level]) // 2 * 2
        if compactions[level] % 2:
            offsets[level] = 1 - offsets[level]
        compactions[level] += 1
        promoted = sorted(levels[level][:even])[offsets[level] :: 2]
        levels[level] = levels[level][even:]
        levels[level + 1] += promoted
        size -= len(promoted)
    return levels


@pytest.mark.parametrize("count", [0, 1, 2050, 2051, 2333, 10_000, 23_432, 60_001])
def test_blocks_give_the_levels_of_single_updates(count):
    """Feeding blocks of any size gives, list for list, what feeding one by one gives."""
    generator = random.Random(count)
    values = [generator.gauss(0, 1) for _ in range(count)]
    sketch = kll.Sketch()
    position = 0
    while position < count:
        step = generator.randrange(1, 5000)
        sketch.extend(values[position : position + step])
        position += step
    assert sketch.levels == one_by_one(values)


def test_level_sizes_are_those_of_real_sketches():
    """2,333 and 23,432 values leave the level sizes seen in real output."""
    for count, sizes in ((2333, [283, 1025]), (23_432, [266, 1093, 2127, 1, 779])):
        sketch = kll.Sketch()
        sketch.extend([float(index) for index in range(count)])
        assert [len(level) for level in sketch.levels] == sizes


def test_weights_sum_to_the_number_of_values_and_ranks_are_near():
    """No value is lost, and the rank error of a 100,000-value sketch stays below 1 %."""
    generator = random.Random(3)
    values = [generator.random() for _ in range(100_000)]
    sketch = kll.Sketch()
    sketch.extend(values)
    ranks = kll.Ranks(sketch.levels)
    assert ranks.total == 100_000
    for quantile in (0.01, 0.1, 0.5, 0.9, 0.99):
        assert abs(ranks.up_to(quantile) / 100_000 - sum(v <= quantile for v in values) / 100_000) < 0.01


def test_constant_column_fills_the_last_bucket():
    """All values equal: nine empty buckets, and the last holds everything."""
    counts = [count for _, _, count in kll.buckets([[5.0] * 7], 5.0, 5.0)]
    assert counts == [0] * 9 + [7]
