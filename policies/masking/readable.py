"""Tell what of a file can be read by eye, and so by detectors: not what is compressed, encrypted or packed.

In      a file's first bytes; blocks of it
Out     the name of a format that hides its content; whether a block looks random, or is no text
Source  file(1), magic(5); RFC 1952, RFC 8878, RFC 9580; PKWARE APPNOTE; ISO 32000; age-encryption.org/v1
"""

from __future__ import annotations

SAMPLE_BYTES = 512
SAMPLES = 8
# Of 512 random bytes 221 are different, give or take 5; of machine code about 150, of text 60.
DISTINCT = 195
CONTROLS_SHARE = 0.03  # of text that is coloured, struck over and so on, less are controls

_CONTROLS = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"]\x00\x00", "lzma"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
    (b"\x89LZO", "lzop"),
    (b"LZIP", "lzip"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF", "cab"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
    (b"%PDF-", "pdf"),
    (b"age-encryption.org/", "age"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
    (b"-----BEGIN PGP MESSAGE-----", "openpgp"),
    (b"Salted__", "openssl"),
    (b"LUKS\xba\xbe", "luks"),
    (b"PAR1", "parquet"),
    (b"Obj\x01", "avro"),
    (b"\x89PNG\r\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"\x00\x00\x00\x20ftyp", "media"),
    (b"OggS", "media"),
    (b"KDBX", "keepass"),
    (b"\x03\xd9\xa2\x9a", "keepass"),
)
# The first packet of an OpenPGP message: encrypted to a key, by a password, or compressed (RFC 9580 section 4.2).
_OPENPGP = frozenset({0x84, 0x85, 0x86, 0x8C, 0xA3, 0xC1, 0xC3, 0xC8, 0xD2})


def hiding_format(begin: bytes) -> str:
    """Return the name of the format by which a file that begins so hides its content; empty if it has none."""
    for magic, name in _FORMATS:
        if begin.startswith(magic):
            return name
    if len(begin) > 3 and begin[0] in _OPENPGP and _is_openpgp(begin):
        return "openpgp"
    return ""


def is_random(block: bytes) -> bool:
    """Say whether all of a block looks drawn, as what is compressed or encrypted does."""
    if len(block) < SAMPLE_BYTES:
        return False  # of so little it cannot be told
    step = max(1, (len(block) - SAMPLE_BYTES) // (SAMPLES - 1))
    places = range(0, len(block) - SAMPLE_BYTES + 1, step)
    return all(len(set(block[at : at + SAMPLE_BYTES])) >= DISTINCT for at in places)


def is_binary(block: bytes) -> bool:
    """Say whether a block is no text: what a terminal would show of it matters to nobody."""
    return len(block) - len(block.translate(None, _CONTROLS)) > CONTROLS_SHARE * len(block)


def _is_openpgp(begin: bytes) -> bool:
    """Say whether the body of the first packet begins as an encrypted message's does: with its version."""
    old = begin[0] < 0xC0
    if begin[0] in (0xA3, 0xC8):
        return not old or begin[1] in (1, 2, 3)  # the algorithm of what is compressed
    at = 1 + (1 << (begin[0] & 3) if old else 1 if begin[1] < 192 else 2 if begin[1] < 255 else 5)
    return begin[at : at + 1] in (b"\x01", b"\x03", b"\x04", b"\x05", b"\x06")
