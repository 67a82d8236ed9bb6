"""xxHash64 over bytes, as Spark hashes a string: `xxhash` when it is installed, otherwise written out here.

Specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (section XXH64).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

MASK = (1 << 64) - 1
PRIME_1 = 11400714785074694791
PRIME_2 = 14029467366897019727
PRIME_3 = 1609587929392839161
PRIME_4 = 9650029242287828579
PRIME_5 = 2870177450012600261
SPARK_SEED = 42


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & MASK


def _round(accumulator: int, lane: int) -> int:
    return (_rotate((accumulator + lane * PRIME_2) & MASK, 31) * PRIME_1) & MASK


def xxh64_portable(data: bytes, seed: int = SPARK_SEED) -> int:
    """Return the 64-bit hash of `data` as an unsigned integer, in plain Python."""
    length, position = len(data), 0
    if length >= 32:
        lanes = [
            (seed + PRIME_1 + PRIME_2) & MASK,
            (seed + PRIME_2) & MASK,
            seed & MASK,
            (seed - PRIME_1) & MASK,
        ]
        while position + 32 <= length:
            for index in range(4):
                word = int.from_bytes(data[position : position + 8], "little")
                lanes[index] = _round(lanes[index], word)
                position += 8
        value = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * PRIME_1 + PRIME_4) & MASK
    else:
        value = (seed + PRIME_5) & MASK
    value = (value + length) & MASK
    while position + 8 <= length:
        value ^= _round(0, int.from_bytes(data[position : position + 8], "little"))
        value = (_rotate(value, 27) * PRIME_1 + PRIME_4) & MASK
        position += 8
    if position + 4 <= length:
        value ^= (int.from_bytes(data[position : position + 4], "little") * PRIME_1) & MASK
        value = (_rotate(value, 23) * PRIME_2 + PRIME_3) & MASK
        position += 4
    for byte in data[position:]:
        value = (_rotate(value ^ (byte * PRIME_5) & MASK, 11) * PRIME_1) & MASK
    value = ((value ^ (value >> 33)) * PRIME_2) & MASK
    value = ((value ^ (value >> 29)) * PRIME_3) & MASK
    return value ^ (value >> 32)


def _find() -> Callable[[bytes, int], int]:
    try:
        return import_module("xxhash").xxh64_intdigest
    except ImportError:  # the job's image does not carry it: same values, a little slower
        return xxh64_portable


xxh64: Callable[[bytes, int], int] = _find()
