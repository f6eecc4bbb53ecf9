"""Check numbers of people: what their own check digits and plans say of them.

In      the bytes of a candidate, separators and all
Out     bool
Source  ISO/IEC 7812 (cards); ISO 13616 (IBAN); ITU-T E.164 (telephone); each country's rules, by python-stdnum
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from types import ModuleType

import phonenumbers
import stdnum.luhn
from stdnum import iban
from stdnum.ar import cuit
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.de import idnr as steuer_id
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.il import idnr as teudat_zehut
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ssn
from stdnum.za import idnr as za_id

# (first number, last number, digits that are compared, lengths) of the issuers that cards come from
_ISSUERS = (
    (4, 4, 1, (13, 16, 19)),
    (51, 55, 2, (16,)),
    (2221, 2720, 4, (16,)),
    (34, 34, 2, (15,)),
    (37, 37, 2, (15,)),
    (300, 305, 3, (14,)),
    (309, 309, 3, (14,)),
    (36, 36, 2, (14,)),
    (38, 39, 2, (14,)),
    (6011, 6011, 4, (16, 19)),
    (644, 649, 3, (16, 19)),
    (65, 65, 2, (16, 19)),
    (3528, 3589, 4, (16, 17, 18, 19)),
    (62, 62, 2, (16, 17, 18, 19)),
    (2200, 2204, 4, (16, 17, 18, 19)),
    (5018, 5018, 4, (16,)),
    (5020, 5020, 4, (16,)),
    (5038, 5038, 4, (16,)),
    (6304, 6304, 4, (16,)),
    (6759, 6759, 4, (16,)),
    (6761, 6763, 4, (16,)),
)


def _stdnum(module: ModuleType) -> Callable[[bytes], bool]:
    def is_valid(value: bytes) -> bool:
        try:
            return bool(module.is_valid(value.decode("ascii", "replace")))
        except (ArithmeticError, LookupError, ValueError):  # it throws for some numbers that are none
            return False

    return is_valid


def is_card(value: bytes) -> bool:
    """Say whether this is the number of a payment card: an issuer's, of its length, with a sound check digit."""
    digits = bytes(byte for byte in value if 48 <= byte <= 57).decode()
    if len(set(digits)) < 2 or not _separated_alike(value):
        return False
    issued = any(
        low <= int(digits[:width]) <= high and len(digits) in lengths
        for low, high, width, lengths in _ISSUERS
    )
    return issued and bool(stdnum.luhn.is_valid(digits))


def _separated_alike(value: bytes) -> bool:
    """Say whether the digits are grouped as on a card: by one sign, in fours or as 4-6-5 and 4-6-4."""
    signs = {byte for byte in value if not 48 <= byte <= 57}
    if not signs:
        return True
    groups = [len(group) for group in value.split(bytes([min(signs)]))]
    fours = all(size == 4 for size in groups[:-1]) and 1 <= groups[-1] <= 4 and len(groups) >= 4
    return len(signs) == 1 and (fours or groups in ([4, 6, 5], [4, 6, 4]))


def is_iban(value: bytes) -> bool:
    """Say whether this is an IBAN of a country that has them, of its length, with sound check digits."""
    text = value.decode("ascii", "replace").replace("-", " ")
    return bool(iban.is_valid(text, check_country=False))


def is_phone(value: bytes) -> bool:
    """Say whether this is a telephone number in international form."""
    text = value.decode("ascii", "replace").strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    digits = sum(char.isdigit() for char in text)
    if not 8 <= digits <= 15 or len({char for char in text if char.isdigit()}) < 3:
        return False
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    if phonenumbers.is_valid_number(number):
        return True
    grouped = sum(char in " -.()" for char in text) >= 2
    return grouped and bool(phonenumbers.is_possible_number(number))


def is_named_phone(value: bytes) -> bool:
    """Say whether what follows `phone:` is a number of 7 to 15 digits."""
    digits = [byte for byte in value if 48 <= byte <= 57]
    return 7 <= len(digits) <= 15 and len(set(digits)) >= 3


def is_address(value: bytes) -> bool:
    """Say whether this is an IP address that tells of a host: neither loopback nor unspecified."""
    try:
        address = ipaddress.ip_address(value.decode("ascii", "replace"))
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def is_snils(value: bytes) -> bool:
    """Say whether this is a Russian pension number, by its two check digits."""
    digits = [byte - 48 for byte in value if 48 <= byte <= 57]
    total = sum(digit * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=False)) % 101
    return len(digits) == 11 and total % 100 == digits[9] * 10 + digits[10]


def is_nric(value: bytes) -> bool:
    """Say whether this is a Singapore identity number, by its check letter."""
    text = value.decode("ascii", "replace")
    total = sum(int(digit) * weight for digit, weight in zip(text[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {
        "S": "JZIHGFEDCBA",
        "T": "JZIHGFEDCBA",
        "F": "XWUTRQPNMLK",
        "G": "XWUTRQPNMLK",
        "M": "KLJNPQRTUWX",
    }
    index = total % 11 if text[0] != "M" else 10 - total % 11
    return letters[text[0]][index] == text[8]


is_argentinian = _stdnum(cuit)
is_brazilian_person = _stdnum(cpf)
is_brazilian_company = _stdnum(cnpj)
is_canadian = _stdnum(sin)
is_swiss = _stdnum(ahv)
is_chilean = _stdnum(rut)
is_chinese = _stdnum(ric)
is_german = _stdnum(steuer_id)
is_danish = _stdnum(cpr)
is_spaniard = _stdnum(dni)
is_foreigner_in_spain = _stdnum(nie)
is_finnish = _stdnum(hetu)
is_french = _stdnum(nir)
is_british_patient = _stdnum(nhs)
is_israeli = _stdnum(teudat_zehut)
is_aadhaar = _stdnum(aadhaar)
is_indian_taxpayer = _stdnum(pan)
is_italian = _stdnum(codicefiscale)
is_japanese = _stdnum(my_number)
is_korean = _stdnum(rrn)
is_mexican = _stdnum(curp)
is_dutch = _stdnum(bsn)
is_norwegian = _stdnum(fodselsnummer)
is_polish = _stdnum(pesel)
is_russian_taxpayer = _stdnum(inn)
is_swedish = _stdnum(personnummer)
is_turkish = _stdnum(tckimlik)
is_american = _stdnum(ssn)
is_south_african = _stdnum(za_id)
