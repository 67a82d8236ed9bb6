# ruff: noqa: ANN001, ANN201, ANN202, C901, PLR0911, PLR0912, PLR0915, PLR0917, PLR1714, SIM109 - numba infers the types, and a kernel is one loop
"""Compiled kernels: tokenising CSV bytes, classifying, hashing and parsing fields, moments and sketch.

Self-contained and imported from a cache folder of its own (see `compiled.py`), so it imports nothing of this package.
They give, to the last bit, what `profile.py` gives; where they cannot (a damaged file, a number that needs
arbitrary precision) they say so and the caller lets Python decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

u64 = np.uint64

# What the tokeniser found.
OK, MORE, ODD = 0, 1, 2
COMMA, QUOTE, LF, CR, SPACE = 44, 34, 10, 13, 32

# Columns of the integer state.
INTEGRAL, FRACTIONAL, BOOLEAN, STRING, MISSING, ENTRIES, ARENA, INCOMPLETE, COUNTING, LEVELS, SIZE, COUNT = range(12)
INTS = 12
TOTAL, MEAN, M2, MINIMUM, MAXIMUM = range(5)
FLOATS = 5

SLOTS = 16384
MEMO = 8192
PADDING = 64
MAX_LEVELS = 40
LEVEL_ROOM = 8192
SHORTEST_POWER, LONGEST_POWER = -60, 40

P1, P2, P3 = u64(11400714785074694791), u64(14029467366897019727), u64(1609587929392839161)
P4, P5 = u64(9650029242287828579), u64(2870177450012600261)
SEED = u64(42)
LOW_HALF = u64(0xFFFFFFFF)


def _powers() -> np.ndarray:
    """Return 128-bit truncated powers of five as (high, low) words (Lemire 2021, Number Parsing at a Gigabyte...)."""
    rows = []
    for exponent in range(SHORTEST_POWER, LONGEST_POWER + 1):
        if exponent >= 0:
            value = 5**exponent
            shift = value.bit_length() - 128
            value = value << -shift if shift < 0 else value >> shift
        else:
            power = 5**-exponent
            bits = (power - 1).bit_length()
            value = (1 << (bits + 127 if exponent >= -27 else 2 * bits + 128)) // power + 1
            while value >= 1 << 128:
                value >>= 1
        rows.append((value >> 64, value & ((1 << 64) - 1)))
    return np.array(rows, dtype=np.uint64)


POWERS = _powers()
EXACT_POWERS = np.array([10.0**exponent for exponent in range(23)])
TENS = np.array([10**exponent for exponent in range(9)], dtype=np.uint64)

# A byte repeated over a word: tests on eight bytes at once (Lemire 2021; Mycroft's test for bytes below a bound).
ONES, HIGHS, ZEROS = u64(0x0101010101010101), u64(0x8080808080808080), u64(0x3030303030303030)
BELOW_MINUS = u64(0x2D2D2D2D2D2D2D2D)
TO_HIGH_BIT = u64(0x7676767676767676)
PAIRS = u64(0x000000FF000000FF)
EVEN, ODDS = u64(0x000F424000000064), u64(0x0000271000000001)


# Texts are known by their address: an array handed to a function is counted in and out, which takes longer than all
# that is done with a text.
@intrinsic
def _byte(_typing: Any, _at: Any):
    """Load the byte at an address."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))

    return types.uint8(types.intp), build


@intrinsic
def _word(_typing: Any, _at: Any):
    """Load the eight bytes at an address as a little-endian word; the caller knows that they are there."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return types.uint64(types.intp), build


@intrinsic
def _double(_typing: Any, _bits: Any):
    """Take the bits of a double for the double."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), build


@intrinsic
def _high(_typing: Any, _a: Any, _b: Any):
    """Multiply two words and return the high word of the product."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        wide = ir.IntType(128)
        first, second = (builder.zext(argument, wide) for argument in arguments)
        product = builder.mul(first, second)
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build


@intrinsic
def _leading_zeros(_typing: Any, _word: Any):
    """Count the zero bits above the highest one; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


@intrinsic
def _trailing_zeros(_typing: Any, _word: Any):
    """Count the zero bits below the lowest one; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


@njit(nogil=True, cache=True)
def tokenise(buffer, position, end, final, width, starts, lengths):
    """Find the fields of whole rows in buffer[position:end].

    Writes start and length by (column, row); a length below zero is -1 - length of a quoted field with doubled quotes.
    Returns (rows, position of the first row not taken, OK | MORE | ODD). ODD: Python must look at this file.
    """
    room = starts.shape[1]
    base = np.intp(buffer.ctypes.data)
    row = 0
    i = position
    while i < end and row < room:
        begin = i
        column = 0
        ended = False
        only_start, only_length = 0, 0
        while True:
            if i < end and buffer[i] == QUOTE:
                start = i + 1
                i = start
                doubled = False
                closed = False
                while i < end:
                    if buffer[i] == QUOTE:
                        if i + 1 < end and buffer[i + 1] == QUOTE:
                            doubled = True
                            i += 2
                            continue
                        closed = True
                        break
                    i += 1
                if not closed or (i + 1 >= end and not final):
                    return row, begin, (ODD if final else MORE)
                length = i - start
                i += 1
                if i < end and buffer[i] != COMMA and buffer[i] != LF and buffer[i] != CR:
                    return row, begin, ODD
                if doubled:
                    length = -1 - length
            else:
                start = i
                # The three ends of a field are bytes below "-", and hardly anything else in numbers is.
                while i < end:
                    word = _word(base + i)
                    marks = (word - BELOW_MINUS) & ~word & HIGHS
                    if not marks:
                        i += 8
                        continue
                    i += np.int64(_trailing_zeros(marks) >> u64(3))
                    if i >= end:
                        break
                    c = buffer[i]
                    if c == COMMA or c == LF or c == CR:
                        break
                    i += 1
                i = min(i, end)
                length = i - start
            if length > 1048576 or length < -1048576:
                return row, begin, ODD
            if column < width:
                starts[column, row] = start
                lengths[column, row] = length
            if column == 0:
                only_start, only_length = start, length
            column += 1
            if i >= end:
                if not final:
                    return row, begin, MORE
                ended = True
            elif buffer[i] == COMMA:
                i += 1
                if i >= end and final:
                    # A comma at the very end opens one more, empty field.
                    if column < width:
                        starts[column, row] = i
                        lengths[column, row] = 0
                    column += 1
                    ended = True
                elif i >= end:
                    return row, begin, MORE
            elif buffer[i] == LF:
                i += 1
                ended = True
            else:
                if i + 1 >= end and not final:
                    return row, begin, MORE
                i += 2 if i + 1 < end and buffer[i + 1] == LF else 1
                ended = True
            if ended:
                break
        if column == 1:
            blank = only_length >= 0
            for k in range(only_start, only_start + max(only_length, 0)):
                c = buffer[k]
                if c >= 128:
                    return row, begin, ODD
                if not (c == SPACE or 9 <= c <= 13 or 28 <= c <= 31):
                    blank = False
                    break
            if blank:
                continue
        if column != width:
            return row, begin, ODD
        row += 1
    return row, i, OK


@njit(nogil=True, cache=True, inline="always")
def _rotate(value, bits):
    return (value << u64(bits)) | (value >> u64(64 - bits))


@njit(nogil=True, cache=True, inline="always")
def _round(accumulator, lane):
    return _rotate(accumulator + lane * P2, 31) * P1


@njit(nogil=True, cache=True)
def hash64(at, length):
    """Return xxHash64 with seed 42 of the `length` bytes at an address."""
    end = at + length
    if length >= 32:
        a, b, c, d = SEED + P1 + P2, SEED + P2, SEED, SEED - P1
        while at + 32 <= end:
            a = _round(a, _word(at))
            b = _round(b, _word(at + 8))
            c = _round(c, _word(at + 16))
            d = _round(d, _word(at + 24))
            at += 32
        value = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
        value = (value ^ _round(u64(0), a)) * P1 + P4
        value = (value ^ _round(u64(0), b)) * P1 + P4
        value = (value ^ _round(u64(0), c)) * P1 + P4
        value = (value ^ _round(u64(0), d)) * P1 + P4
    else:
        value = SEED + P5
    value += u64(length)
    while at + 8 <= end:
        value = _rotate(value ^ _round(u64(0), _word(at)), 27) * P1 + P4
        at += 8
    if at + 4 <= end:
        value = _rotate(value ^ ((_word(at) & LOW_HALF) * P1), 23) * P2 + P3
        at += 4
    while at < end:
        value = _rotate(value ^ (u64(_byte(at)) * P5), 11) * P1
        at += 1
    value = (value ^ (value >> u64(33))) * P2
    value = (value ^ (value >> u64(29))) * P3
    return value ^ (value >> u64(32))


@njit(nogil=True, cache=True)
def nearest(digits, power):
    """Return (whether it is certain, the double nearest to digits * 10**power).

    Eisel and Lemire's algorithm (Lemire 2021) for normal numbers and powers of the table.
    """
    if power < SHORTEST_POWER or power > LONGEST_POWER:
        return False, 0.0
    zeros = np.int64(_leading_zeros(digits))
    digits <<= u64(zeros)
    index = power - SHORTEST_POWER
    high, low = _high(digits, POWERS[index, 0]), digits * POWERS[index, 0]
    if high & u64(0x1FF) == u64(0x1FF):
        carry = _high(digits, POWERS[index, 1])
        low += carry
        if low < carry:
            high += u64(1)
    if low == u64(0xFFFFFFFFFFFFFFFF) and not -27 <= power <= 55:
        return False, 0.0
    top = np.int64(high >> u64(63))
    shift = u64(top + 9)
    mantissa = high >> shift
    exponent = ((217706 * power) >> 16) + 63 + top - zeros + 1023
    if exponent <= 0 or exponent >= 2046:
        return False, 0.0
    if low <= u64(1) and -4 <= power <= 23 and mantissa & u64(3) == u64(1) and mantissa << shift == high:
        mantissa &= ~u64(1)
    mantissa = (mantissa + (mantissa & u64(1))) >> u64(1)
    if mantissa >= u64(1 << 53):
        mantissa = u64(1 << 52)
        exponent += 1
    return True, _double((mantissa & ~u64(1 << 52)) | u64(exponent) << u64(52))


@njit(nogil=True, cache=True, inline="always")
def _other_than_digits(word):
    """Return a word whose lowest set bit lies in the first byte that was no digit before ZEROS were taken off."""
    return ((word + TO_HIGH_BIT) | word) & HIGHS


@njit(nogil=True, cache=True, inline="always")
def _up(word, count):
    """Move the first `count` (0 to 8) bytes of a word to its upper end; a shift by 64 is not defined."""
    half = u64(32 - 4 * count)
    return (word << half) << half


@njit(nogil=True, cache=True, inline="always")
def _first_digits(word, count):
    """Return the number that the first `count` (0 to 8) digits of a word make; what follows them is shifted out."""
    word = _up(word, count)
    word = word * u64(10) + (word >> u64(8))
    return ((word & PAIRS) * EVEN + ((word >> u64(16)) & PAIRS) * ODDS) >> u64(32)


@njit(nogil=True, cache=True)
def _digits(i, end, digits):
    """Read decimal digits between addresses onto `digits`; return (digits, address of the first that is none)."""
    while i < end:
        word = _word(i) ^ ZEROS
        count = min(np.int64(_trailing_zeros(_other_than_digits(word)) >> u64(3)), end - i)
        digits = digits * TENS[count] + _first_digits(word, count)
        i += count
        if count < 8:
            break
    return digits, i


@njit(nogil=True, cache=True, inline="always")
def _fraction(point, size, digits):
    """Read the `size` (1 to 24) digits after a point onto `digits`; return (whether they are digits, digits)."""
    count = min(size, 8)
    word = _word(point) ^ ZEROS
    others = _up(_other_than_digits(word), count)
    digits = digits * TENS[count] + _first_digits(word, count)
    if size > 8:
        # Two more words whatever the size: no branch to guess wrong among 15, 16 and 17 digits.
        count = min(size - 8, 8)
        word = _word(point + 8) ^ ZEROS
        others |= _up(_other_than_digits(word), count)
        digits = digits * TENS[count] + _first_digits(word, count)
        count = max(size - 16, 0)
        word = _word(point + 16) ^ ZEROS
        others |= _up(_other_than_digits(word), count)
        digits = digits * TENS[count] + _first_digits(word, count)
    return others == u64(0), digits


@njit(nogil=True, cache=True)
def _significant(first, end):
    """Return (first 19 significant digits as a number, how many there are) between addresses, up to an exponent."""
    digits, significant = u64(0), 0
    for i in range(first, end):
        digit = u64(_byte(i)) - u64(48)
        if digit <= u64(9):
            if significant or digit:
                significant += 1
                if significant <= 19:
                    digits = digits * u64(10) + digit
        elif _byte(i) != 46:
            break
    return digits, significant


@njit(nogil=True, cache=True)
def parse(start, length):
    """Classify the text at an address; return (kind, whether its number is certain, the number).

    Thirty-two bytes must be readable from every place in the text, whatever follows it.
    """
    end = start + length
    c = _byte(start)
    negative = c == 45
    first = start + np.int64(negative or c == 43 or c == SPACE)
    kind = -1
    # The shape of most numbers, digits with a point among the first eight; everything else is read in the long way.
    word = _word(first) ^ ZEROS
    whole = np.int64(_trailing_zeros(_other_than_digits(word)) >> u64(3))
    size = end - first - whole - 1
    count = whole + size
    power = -size
    digits = u64(0)
    if 0 < whole < 8 and 0 < size <= 24 and _byte(first + whole) == 46:
        fine, digits = _fraction(first + whole + 1, size, _first_digits(word, whole))
        if fine:
            kind = FRACTIONAL
    if kind < 0:
        digits, i = _digits(first, end, u64(0))
        count = i - first
        power = 0
        if count > 0:
            if i == end:
                kind = INTEGRAL
            else:
                if _byte(i) == 46:
                    point = i + 1
                    digits, i = _digits(point, end, digits)
                    power = point - i
                    count -= power
                    if i > point and i == end:
                        kind = FRACTIONAL
                    elif i == point:
                        i = end + 1
                if i < end and (_byte(i) == 101 or _byte(i) == 69):
                    i += 1
                    down = False
                    if i < end and (_byte(i) == 45 or _byte(i) == 43):
                        down = _byte(i) == 45
                        i += 1
                    mark = i
                    exponent = 0
                    while i < end and 48 <= _byte(i) <= 57:
                        if exponent < 100000:
                            exponent = exponent * 10 + _byte(i) - 48
                        i += 1
                    if i > mark and i == end:
                        kind = FRACTIONAL
                        power += -exponent if down else exponent
    if kind < 0:
        is_true = length == 4 and _byte(start) == 116 and _byte(start + 1) == 114 and _byte(start + 2) == 117
        if is_true and _byte(start + 3) == 101:
            return BOOLEAN, True, 0.0
        is_false = length == 5 and _byte(start) == 102 and _byte(start + 1) == 97 and _byte(start + 2) == 108
        if is_false and _byte(start + 3) == 115 and _byte(start + 4) == 101:
            return BOOLEAN, True, 0.0
        return STRING, True, 0.0
    if count > 19:
        digits, significant = _significant(first, end)
        if significant > 19:
            return kind, False, 0.0
    if digits == u64(0):
        return kind, True, -0.0 if negative else 0.0
    if digits <= u64(9007199254740992) and -22 <= power <= 22:
        value = float(digits)
        value = value * EXACT_POWERS[power] if power >= 0 else value / EXACT_POWERS[-power]
        return kind, True, -value if negative else value
    certain, value = nearest(digits, power)
    return kind, certain, -value if negative else value


@njit(nogil=True, cache=True)
def absorb(
    buffer, starts, lengths, first, rows, ints, registers, keys, slots, counts, offsets, sizes, kinds, numbers,
    memo_keys, memo_numbers, memo_entries, memo_kinds, arena, scratch, out, uncertain, limit,
):  # fmt: skip
    """Count one column's fields of rows [first, rows): types, missing, distinct texts, categories, numbers.

    Puts the numbers into out, in row order and without gaps. Short texts that were met before are known by their bytes
    alone (the memo), without hashing and parsing. Returns (how many numbers, how many of them need arbitrary
    precision); for the latter, uncertain holds pairs of position in out and row.
    """
    mask = SLOTS - 1
    base = np.intp(buffer.ctypes.data)
    doubtful = 0
    found = 0
    for row in range(first, rows):
        start, length = starts[row], lengths[row]
        if length == 0:
            ints[MISSING] += 1
            continue
        memo = u64(0)
        key = u64(0)
        if 0 < length < 8:
            # The buffer is padded: eight bytes can be read from any field.
            unused = u64(64 - 8 * length)
            key = ((_word(base + start) << unused) >> unused) | u64(length) << u64(56)
            memo = (key * P1) >> u64(51)
            if memo_keys[memo] == key:
                kind = memo_kinds[memo]
                ints[kind] += 1
                entry = memo_entries[memo]
                if entry >= 0:
                    counts[entry] += 1
                if kind <= FRACTIONAL:
                    out[found] = memo_numbers[memo]
                    found += 1
                continue
        at = base + start
        if length < 0:
            written = 0
            i = start
            end = start - 1 - length
            while i < end:
                scratch[written] = buffer[i]
                written += 1
                i += 2 if buffer[i] == QUOTE else 1
            at, length = np.intp(scratch.ctypes.data), written
        digest = hash64(at, length)
        slot = -1
        entry = -1
        if ints[COUNTING]:
            slot = np.int64(digest & u64(mask))
            while slots[slot] >= 0 and not (keys[slot] == digest and sizes[slots[slot]] == length):
                slot = (slot + 1) & mask
            entry = slots[slot]
        if entry >= 0:
            counts[entry] += 1
        kind = -1
        certain = True
        if entry >= 0 and kinds[entry] >= 0:
            kind = kinds[entry]
            if kind <= FRACTIONAL:
                out[found] = numbers[entry]
        else:
            kind, certain, number = parse(at, length)
            out[found] = number
            tail = digest << u64(9) | u64(256)
            bucket = digest >> u64(55)
            register = registers[bucket]
            # Most texts cannot raise their register: only then is the run of zeros counted.
            if register == 0 or not tail >> u64(64 - register):
                run = 1
                while not tail >> u64(63):
                    tail <<= u64(1)
                    run += 1
                if run > register:
                    registers[bucket] = run
            if entry >= 0:
                if certain:  # a watched text met for the first time
                    kinds[entry] = kind
                    numbers[entry] = out[found]
            elif slot >= 0:
                if not ints[INCOMPLETE] and ints[ENTRIES] < limit and ints[ARENA] + length <= arena.shape[0]:
                    entry = ints[ENTRIES]
                    place = ints[ARENA]
                    for k in range(length):
                        arena[place + k] = _byte(at + k)
                    keys[slot] = digest
                    slots[slot] = entry
                    counts[entry] = 1
                    offsets[entry] = place
                    sizes[entry] = length
                    kinds[entry] = kind if certain else -1
                    if kind <= FRACTIONAL:
                        numbers[entry] = out[found]
                    ints[ENTRIES] += 1
                    ints[ARENA] += length
                else:
                    ints[INCOMPLETE] = 1
                    if ints[COUNTING] == 1:  # 2: a constraint watches this column's texts
                        ints[COUNTING] = 0
        ints[kind] += 1
        if key and certain:
            memo_keys[memo] = key
            memo_kinds[memo] = kind
            memo_entries[memo] = entry
            if kind <= FRACTIONAL:
                memo_numbers[memo] = out[found]
        if kind <= FRACTIONAL:
            if not certain:
                uncertain[2 * doubtful] = found
                uncertain[2 * doubtful + 1] = row
                doubtful += 1
            found += 1
    return found, doubtful


@njit(nogil=True, cache=True)
def merge_sort(items, size, spare):
    """Sort items[:size] stably."""
    width = 1
    source, target = items, spare
    while width < size:
        left = 0
        while left < size:
            middle, right = min(left + width, size), min(left + 2 * width, size)
            i, j, k = left, middle, left
            while i < middle and j < right:
                if source[j] < source[i]:
                    target[k] = source[j]
                    j += 1
                else:
                    target[k] = source[i]
                    i += 1
                k += 1
            while i < middle:
                target[k] = source[i]
                i += 1
                k += 1
            while j < right:
                target[k] = source[j]
                j += 1
                k += 1
            left += 2 * width
        source, target = target, source
        width *= 2
    if width > 1:
        for k in range(size):
            items[k] = source[k]


@njit(nogil=True, cache=True)
def spread_sort(items, size, spare, places, where):
    """Sort items[:size] stably: spread over as many buckets as items, then insertion; merge sort when skewed."""
    low, high = items[0], items[0]
    for k in range(1, size):
        value = items[k]
        low = min(low, value)
        high = max(high, value)
    if low == high:
        return  # zeros of both signs keep their order
    scale = (size - 1) / (high - low)
    if not 0.0 < scale < 1e300 or not (high - low) < 1e300:
        merge_sort(items, size, spare)
        return
    for k in range(size + 1):
        places[k] = 0
    for k in range(size):
        bucket = np.uint16(np.int32((items[k] - low) * scale))
        where[k] = bucket
        places[u64(bucket) + u64(1)] += np.uint32(1)
    before = np.uint32(0)
    for k in range(size):
        before += places[k]
        places[k] = before
    for k in range(size):
        bucket = where[k]
        at = places[bucket]
        spare[at] = items[k]
        places[bucket] = at + np.uint32(1)
    budget = 8 * size
    last = spare[0]
    items[0] = last
    for k in range(1, size):
        value = spare[k]
        if value >= last:
            items[k] = value
            last = value
            continue
        j = k
        while j > 0 and value < items[j - 1]:
            items[j] = items[j - 1]
            j -= 1
        items[j] = value
        budget -= k - j
        if budget < 0:
            for rest in range(k + 1, size):
                items[rest] = spare[rest]
            merge_sort(items, size, spare)
            return


@njit(nogil=True, cache=True)
def accumulate(values, found, ints, floats, levels, lengths, compactions, flips, capacities, spare, places, where):
    """Add a column's next numbers, values[:found], to moments and sketch, in order."""
    count, size, top = ints[COUNT], ints[SIZE], ints[LEVELS]
    total, mean, m2 = floats[TOTAL], floats[MEAN], floats[M2]
    minimum, maximum = floats[MINIMUM], floats[MAXIMUM]
    room = 0
    for level in range(top):
        room += capacities[level]
    lowest = levels[0]
    position = 0
    while position < found:
        # Up to the first item too many nothing condenses.
        until = min(found, position + room - size + 1)
        at = lengths[0]
        for k in range(position, until):
            value = values[k]
            count += 1
            total += value
            delta = value - mean
            step = delta / count
            mean += step
            m2 += delta * (delta - step)
            minimum = min(minimum, value)
            maximum = max(maximum, value)
            lowest[at] = value
            at += 1
        lengths[0] = at
        size += until - position
        position = until
        if size <= room:
            continue
        level = 0
        while lengths[level] < capacities[level]:
            level += 1
        if level == top - 1:
            room += capacities[top]
            top += 1
        items = levels[level]
        even = lengths[level] - lengths[level] % 2
        if compactions[level] % 2:
            flips[level] = 1 - flips[level]
        compactions[level] += 1
        spread_sort(items, even, spare, places, where)
        above = levels[level + 1]
        at = lengths[level + 1]
        k = flips[level]
        while k < even:
            above[at] = items[k]
            at += 1
            k += 2
        lengths[level + 1] = at
        if lengths[level] % 2:
            items[0] = items[even]
        lengths[level] -= even
        size -= even // 2
    ints[COUNT], ints[SIZE], ints[LEVELS] = count, size, top
    floats[TOTAL], floats[MEAN], floats[M2] = total, mean, m2
    floats[MINIMUM], floats[MAXIMUM] = minimum, maximum
