import numpy as np
import pytest
from numba import njit

from som_kernels import _words

WORDS = [1, 2, 3, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFE, 0x00010000, 0xA5A5A5A0]


@njit
def about(word):
    return _words.population(word), _words.first_bit(word), _words.last_bit(word)


@njit
def whole_word(stack, start):
    return _words.full_word(stack, start)


@pytest.mark.parametrize("count", range(33))
def test_low_bits(count):
    assert _words.low_bits(count) == (1 << count) - 1


@pytest.mark.parametrize("word", [*WORDS, *(1 << bit for bit in range(0, 32, 5))])
def test_bits_of_a_word(word):
    bits = [i for i in range(32) if word >> i & 1]
    assert about(np.uint32(word)) == (len(bits), bits[0], bits[-1])
    bits = [i for i in range(64) if word << 20 >> i & 1]
    assert about(np.uint64(word << 20)) == (len(bits), bits[0], bits[-1])


def test_no_bits_are_counted_too():
    @njit
    def population(word):
        return _words.population(word)

    assert population(np.uint32(0)) == 0


@pytest.mark.parametrize("width", [1, 31, 32, 33, 64, 65, 95])
def test_words_of_bytes(width):
    stack = np.random.default_rng(width).choice(np.array([0, 1, 2, 128, 255], np.uint8), 3 * width)
    for start in (0, width, 2 * width):
        row = stack[start : start + width]
        words = [whole_word(stack, start + x) for x in range(0, width - 31, 32)]
        words.append(_words.last_word(stack, start, width))
        bits = "".join(f"{word:032b}"[::-1] for word in words)
        assert [bit == "1" for bit in bits[:width]] == row.astype(bool).tolist()
        assert "1" not in bits[width:]
