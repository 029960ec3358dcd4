"""Our check digits and python-stdnum's: the same on numbers drawn at random and on ones that are made right."""

import random
from collections.abc import Callable
from typing import Final

import pytest
from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer

from proxy.policy.findings import Finder, FindingsSettings, Said, checksums, national

FINDER: Final = Finder(FindingsSettings())
DRAWN: Final = 3000
"""Of each; one in ten to one in a hundred is right."""


def digits(count: int, first: str = "0123456789") -> Callable[[random.Random], str]:
    return lambda draw: draw.choice(first) + "".join(draw.choice("0123456789") for _ in range(count - 1))


def dated(after: int) -> Callable[[random.Random], str]:
    def draw_one(draw: random.Random) -> str:
        day = f"{draw.randrange(100):02}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"
        return day + digits(after)(draw)

    return draw_one


def tax_code(draw: random.Random) -> str:
    letters = "".join(draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(9))
    return f"{letters[:6]}83S18{letters[6]}{draw.randrange(1000):03}{letters[7]}"


def day_first(draw: random.Random) -> str:
    day = dated(0)(draw)[:6]
    return day[4:6] + day[2:4] + day[:2]


ORACLES: Final[dict[str, tuple[Callable[[str], bool], Callable[[str], bool], Callable[[random.Random], str]]]] = {
    "luhn": (checksums.luhn, luhn.is_valid, digits(16)),
    "verhoeff": (lambda text: national._in_aadhaar(text), aadhaar.is_valid, digits(12, "23456789")),
    "de_tax_id": (national._de_tax_id, idnr.is_valid, digits(11)),
    "gb_nhs": (national._gb_nhs, nhs.is_valid, digits(10)),
    "nl_bsn": (national._nl_bsn, bsn.is_valid, digits(9, "123456789")),
    "ca_sin": (national._ca_sin, sin.is_valid, digits(9, "123456")),
    "br_cpf": (national._br_cpf, cpf.is_valid, digits(11)),
    "ch_ahv": (national._ch_ahv, ahv.is_valid, lambda draw: "756" + digits(10)(draw)),
    "pl_pesel": (national._pl_pesel, pesel.is_valid, dated(5)),
    "es_dni": (national._es_dni, dni.is_valid, lambda draw: digits(8)(draw) + draw.choice("TRWAGMYFPDXBNJZSQVHLCKE")),
    "es_nie": (
        national._es_dni,
        nie.is_valid,
        lambda draw: draw.choice("XYZ") + digits(7)(draw) + draw.choice("TRWAGMYFPDXBNJZSQVHLCKE"),
    ),
    "it_tax_code": (
        national._it_tax_code,
        codicefiscale.is_valid,
        lambda draw: tax_code(draw)[:15] + draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_ours_and_stdnums_agree(name: str) -> None:
    ours, theirs, draw_one = ORACLES[name]
    draw = random.Random(4)
    seen = set()
    for _ in range(DRAWN):
        text = draw_one(draw)
        assert ours(text) == theirs(text), text
        seen.add(ours(text))
    assert seen == {True, False}


def made(name: str, draw: random.Random) -> str:
    """A number that is right, in the form that is looked for."""
    if name == "fr_nir":
        month = f"{draw.choice('12')}{draw.randrange(100):02}{draw.randrange(1, 13):02}"
        number = f"{month}{draw.randrange(1, 96):02}{digits(6)(draw)}"
        return number + f"{97 - int(number) % 97:02}"
    if name == "se_personal_id":
        day = dated(3)(draw)
        return f"{day[:6]}-{day[6:]}{luhn.calc_check_digit(day)}"
    if name == "be_national_id":
        day = dated(3)(draw)
        return f"{day[:2]}.{day[2:4]}.{day[4:6]}-{day[6:]}.{97 - int(day) % 97:02}"
    if name == "fi_personal_id":
        day, number = day_first(draw), f"{draw.randrange(2, 900):03}"
        return f"{day}-{number}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(day + number) % 31]}"
    while True:
        number = day_first(draw) + digits(5)(draw)
        if fodselsnummer.is_valid(number):
            return number


RIGHT: Final = {
    "fr_nir": nir.is_valid,
    "se_personal_id": personnummer.is_valid,
    "be_national_id": nn.is_valid,
    "fi_personal_id": hetu.is_valid,
    "no_personal_id": fodselsnummer.is_valid,
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_stdnum_takes_is_found(name: str) -> None:
    draw = random.Random(5)
    for _ in range(100):
        number = made(name, draw)
        if RIGHT[name](number):  # of the last century's last days, stdnum minds those to come
            found = FINDER.look([Said("user", 0, f"It is {number}.")]).findings
            assert name in {finding.kind for finding in found}, number


def test_accounts_by_their_countrys_length_and_check() -> None:
    draw = random.Random(6)
    for country, length in (("DE", 18), ("ES", 20), ("BE", 12), ("AT", 16), ("DK", 14), ("PT", 21), ("CH", 17)):
        for _ in range(40):
            number = f"{country}00{digits(length)(draw)}"
            account = f"{country}{iban.calc_check_digits(number)}{number[4:]}"
            wrong = account[:-1] + str((int(account[-1]) + 1) % 10)
            for text, count in ((account, 1), (wrong, 0), (account + "0", 0), (account[:-1], 0)):
                found = FINDER.look([Said("user", 0, f"to {text} now")]).findings
                assert sum(finding.count for finding in found if finding.kind == "iban") == count, text
