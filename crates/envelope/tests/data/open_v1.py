"""Opens every envelope of envelope-v1.json with Python's standard library alone.

A second implementation of the format, written from its description and sharing no code with the first: it shows that
the vectors are right and not only repeatable. Slow, and not constant in time. Run: python3 open_v1.py
"""

import hashlib
import hmac
import json
import pathlib
import struct


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac_sha256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def rotate(word, by):
    return (word << by | word >> 32 - by) & 0xFFFFFFFF


def rounds(state):
    """The 20 rounds of ChaCha, RFC 8439 section 2.3."""
    s = list(state)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for a, b, c, d in (columns + diagonals) * 10:
        for to, add, mix, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[to] = (s[to] + s[add]) & 0xFFFFFFFF
            s[mix] = rotate(s[mix] ^ s[to], by)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def chacha20_block(key, counter, nonce):
    state = [*CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)))


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03 section 2.2."""
    s = rounds([*CONSTANTS, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)])
    return struct.pack("<8I", *s[:4], *s[12:])


def poly1305(key, message):
    """RFC 8439 section 2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def xchacha20_poly1305_open(key, nonce, aad, ciphertext, tag):
    key, nonce = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    filled = lambda data: data + bytes(-len(data) % 16)
    lengths = struct.pack("<2Q", len(aad), len(ciphertext))
    if poly1305(chacha20_block(key, 0, nonce)[:32], filled(aad) + filled(ciphertext) + lengths) != tag:
        return None
    blocks = range(1, 1 + -(-len(ciphertext) // 64))
    stream = b"".join(chacha20_block(key, counter, nonce) for counter in blocks)
    return bytes(a ^ b for a, b in zip(ciphertext, stream))


def context(line):
    fields = [bytes.fromhex(line[name]) for name in ("deployment", "project", "object")]
    fields += [line["kind"].encode("ascii"), struct.pack(">I", line["version"])]
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def open_v1(kek, ctx, envelope):
    """The plaintext, or None."""
    if len(envelope) < 128 or envelope[:4] != b"DJ\1\1" or envelope[4] > 1 or envelope[5:8] != bytes(3):
        return None
    salt, nonce, commitment = envelope[24:56], envelope[56:80], envelope[80:112]
    prk = hmac_sha256(salt, kek)
    info = b"\1" + sha256(ctx)
    if hmac_sha256(prk, b"donjon/env/1/com" + info + b"\1") != commitment:
        return None
    key = hmac_sha256(prk, b"donjon/env/1/enc" + info + b"\1")
    body = xchacha20_poly1305_open(key, nonce, envelope[:112] + ctx, envelope[112:-16], envelope[-16:])
    if body is None or not envelope[4]:
        return body
    if len(body) % 64 or not body:
        return None
    length = int.from_bytes(body[:4], "big")
    filling = body[4 + length :]
    if len(filling) >= 64 or 4 + length + len(filling) != len(body) or any(filling):
        return None
    return body[4 : 4 + length]


def main():
    counts = {"opens": 0, "refused": 0}
    for line in json.loads(pathlib.Path(__file__).with_name("envelope-v1.json").read_text()):
        envelope = bytes.fromhex(line["envelope"])
        plain = open_v1(bytes.fromhex(line["key"]), context(line), envelope)
        want = bytes.fromhex(line["plain"]) if line["outcome"] == "opens" else None
        assert plain == want, line["name"]
        if plain is not None:
            assert envelope[8:24].hex() == line["kek_id"], line["name"]
            assert envelope[24:80].hex() == line["random"], line["name"]
            assert envelope[4] == (line["padding"] == "blocks64"), line["name"]
        counts[line["outcome"]] += 1
    print(counts)


if __name__ == "__main__":
    main()
