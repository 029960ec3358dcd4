"""Check digits of numbers that people and their money are known by: what makes a row of digits more than one.

Each takes what was written without its separators, and is compared with python-stdnum in its test.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""Twice a digit, and of that the sum of its digits."""
_VERHOEFF_PRODUCT: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_VERHOEFF_ORDER: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def luhn(digits: str) -> bool:
    """The sum of ISO/IEC 7812: cards, Swedish and Canadian numbers."""
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, digits[-1::-2])) + sum(map(int, doubled))) % 10 == 0


def weighted(digits: Sequence[str], weights: Sequence[int]) -> int:
    """The sum of digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def mod_97(text: str) -> bool:
    """ISO 7064 MOD 97-10 over an account number that begins with its country and check digits."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: German tax ids."""
    check = 10
    for digit in digits[:-1]:
        check = (int(digit) + check) % 10
        check = (check or 10) * 2 % 11
    return (11 - check) % 10 == int(digits[-1])


def verhoeff(digits: str) -> bool:
    """Verhoeff's check: Indian Aadhaar numbers."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_PRODUCT[check][_VERHOEFF_ORDER[place % 8][int(digit)]]
    return check == 0


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there was, or will be, such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_date_of_some_century(digits: str) -> bool:
    """Whether YYMMDD is a day of the last century or of this one."""
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return is_date(1900 + year, month, day) or is_date(2000 + year, month, day)
