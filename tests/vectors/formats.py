#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent reader of claviger-formats(7), in Python's standard library.

    format-tool | formats.py      opens and verifies what the library made
    formats.py --vectors          prints the known answers of check_envelope.c
                                  and check_index.c, from fixed inputs

It shares no code with the library, nor its libsodium: RFC 8439, the XChaCha
draft and the manual page are all that it knows. Slow, and not constant time.
"""
import hashlib
import hmac
import struct
import sys

WORD = 0xffffffff


# --- XChaCha20-Poly1305: RFC 8439, draft-irtf-cfrg-xchacha-03

def rotate(v, n):
    return (v << n | v >> (32 - n)) & WORD


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8),
                       (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & WORD
        s[z] = rotate(s[z] ^ s[x], n)


def rounds(state):
    s = list(state)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


def initial(key, tail):
    return struct.unpack("<16I", b"expand 32-byte k" + key + tail)


def hchacha20(key, nonce16):
    s = rounds(initial(key, nonce16))
    return struct.pack("<8I", *(s[:4] + s[12:]))


def chacha20(key, counter, nonce12, data):
    out = bytearray()
    for at in range(0, len(data), 64):
        first = initial(key, struct.pack("<I", counter + at // 64) + nonce12)
        block = struct.pack("<16I", *((a + b) & WORD for a, b in
                                      zip(first, rounds(first))))
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], block))
    return bytes(out)


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    acc = 0
    for at in range(0, len(data), 16):
        acc += int.from_bytes(data[at:at + 16] + b"\1", "little")
        acc = acc * r % ((1 << 130) - 5)
    acc += int.from_bytes(key[16:], "little")
    return (acc & ((1 << 128) - 1)).to_bytes(16, "little")


class Refused(Exception):
    pass


def padded(data):
    return data + bytes(-len(data) % 16)


def subkey(key, nonce):
    """Key and nonce of the ChaCha20 inside."""
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]


def tag_of(key, nonce, aad, ciphertext):
    sub, short = subkey(key, nonce)
    return poly1305(chacha20(sub, 0, short, bytes(32)),
                    padded(aad) + padded(ciphertext) +
                    struct.pack("<QQ", len(aad), len(ciphertext)))


def aead_open(key, nonce, aad, sealed):
    ciphertext, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(tag_of(key, nonce, aad, ciphertext), tag):
        raise Refused("tag")
    sub, short = subkey(key, nonce)
    return chacha20(sub, 1, short, ciphertext)


def aead_seal(key, nonce, aad, plain):
    sub, short = subkey(key, nonce)
    ciphertext = chacha20(sub, 1, short, plain)
    return ciphertext + tag_of(key, nonce, aad, ciphertext)


# --- claviger-formats(7)

def u8(v):
    return struct.pack(">B", v)


def u32(v):
    return struct.pack(">I", v)


def u64(v):
    return struct.pack(">Q", v)


def string(v):
    return u32(len(v)) + v


def keyed(key, personal, data):
    return hashlib.blake2b(data, key=key, person=personal,
                           digest_size=32).digest()


def application_key(distribution, system, app):
    return keyed(distribution, b"claviger-app-key", system + string(app))


def datakey_identity(system, app, version, generation):
    return (b"claviger-datakey" + u8(1) + system + string(app) +
            u32(version) + u32(generation))


def unwrap(app_key, identity, wrapped):
    if len(wrapped) != 73 or wrapped[0] != 1:
        raise Refused("format")
    return aead_open(app_key, wrapped[1:25], identity, wrapped[25:])


def wrap(app_key, identity, nonce, key):
    return u8(1) + nonce + aead_seal(app_key, nonce, identity, key)


def record_identity(kind, system, app, name, version, key_version):
    return (u8(1) + u8(kind) + system + string(app) + string(name) +
            u64(version) + u32(key_version))


def derive(data_key, nonce):
    okm = hashlib.blake2b(key=data_key, salt=nonce[:16],
                          person=b"claviger-record1").digest()
    return okm[:32], okm[32:]


def open_record(data_keys, kind, system, app, name, version, record):
    if len(record) < 77 or record[0] != 1:
        raise Refused("format")
    key_version, = struct.unpack(">I", record[1:5])
    nonce = record[5:29]
    key, commitment = derive(data_keys[key_version], nonce)
    if not hmac.compare_digest(commitment, record[29:61]):
        raise Refused("commitment")
    return aead_open(key, nonce,
                     record_identity(kind, system, app, name, version,
                                     key_version), record[61:])


def seal_record(data_key, key_version, kind, system, app, name, version, nonce,
                plain):
    key, commitment = derive(data_key, nonce)
    return (u8(1) + u32(key_version) + nonce + commitment +
            aead_seal(key, nonce, record_identity(kind, system, app, name,
                                                  version, key_version),
                      plain))


def record_hash(record):
    return hashlib.blake2b(record, digest_size=32).digest()


def manifest_mac(index_key, system, app, counter, rows, version, data_key,
                 links):
    """rows: (name, version, deleted, hash of the record); version and key of
    the newest data key; links of the counters before"""
    total = sum(int.from_bytes(
        keyed(index_key, b"claviger-index01",
              string(name) + u64(version) + u8(deleted) + digest), "little")
        for name, version, deleted, digest in rows)
    newest = u32(version) + keyed(data_key, b"claviger-newest1", b"")
    return newest + keyed(index_key, b"claviger-manifst",
                          system + string(app) + u64(counter) +
                          u64(len(rows)) +
                          (total % (1 << 256)).to_bytes(32, "little") +
                          newest + links) + links


def links_after(manifest):
    """Those of the counter behind that of this manifest."""
    return (manifest[36:44] + manifest[68:])[:120 * 8]


# --- what format-tool writes: a word, then fields, numbers or hexadecimal

class Reader:
    def __init__(self):
        self.keys, self.rows, self.opened = {}, [], 0
        self.verified, self.before = False, None
        self.words = {"distribution": self.distribution, "key": self.key,
                      "record": self.record, "tombstone": self.tombstone,
                      "manifest": self.manifest}

    def read(self, line):
        word, *fields = line.split(" ")
        self.words[word](*fields)

    def distribution(self, key, system, app):
        self.system, self.app = (bytes.fromhex(v) for v in (system, app))
        self.app_key = application_key(bytes.fromhex(key), self.system,
                                       self.app)

    def key(self, version, generation, wrapped):
        identity = datakey_identity(self.system, self.app, int(version),
                                    int(generation))
        self.keys[int(version)] = unwrap(self.app_key, identity,
                                         bytes.fromhex(wrapped))

    def record(self, kind, name, version, record, plain):
        record, name = bytes.fromhex(record), bytes.fromhex(name)
        if open_record(self.keys, int(kind), self.system, self.app, name,
                       int(version), record) != bytes.fromhex(plain):
            raise Refused("other plaintext")
        self.opened += 1
        if int(kind) == 1:
            self.rows.append((name, int(version), 0, record_hash(record)))

    def tombstone(self, name, version):
        self.rows.append((bytes.fromhex(name), int(version), 1, bytes(32)))

    def manifest(self, counter, mac):
        newest, mac = max(self.keys), bytes.fromhex(mac)
        links = links_after(self.before) if self.before else mac[68:]
        if manifest_mac(self.keys[0], self.system, self.app, int(counter),
                        self.rows, newest, self.keys[newest], links) != mac:
            raise Refused("manifest")
        self.verified, self.before = True, mac


def vectors():
    key = bytes(range(32))
    other = bytes(range(32, 64))
    nonce = bytes(range(100, 124))
    system = bytes(range(200, 216))

    def show(what, data):
        print(what, data.hex())
    app_key = application_key(key, system, b"crm")
    show("application key", app_key)
    show("wrapped", wrap(app_key, datakey_identity(system, b"crm", 3, 2),
                         nonce, other))

    def seal(kind, name, version, plain):
        return seal_record(other, 3, kind, system, b"crm", name, version,
                           nonce, plain)
    show("secret", seal(1, b"db/password", 7, b"correct horse"))
    show("empty", seal(1, b"x", 1 << 40, b""))
    show("hash of sealed",
         record_hash(seal(2, b"", 0, bytes(range(256)) * 2)))
    rows = [(b"a", 1, 0, bytes([1]) * 32),
            (b"b/c", 1 << 33, 0, bytes([0xff]) * 32),
            (b"gone", 9, 1, bytes(32))]
    first = manifest_mac(key, system, b"crm", 257, [], 1, other,
                         bytes(120 * 8))
    show("manifest, empty", first)
    show("manifest", manifest_mac(key, system, b"crm", 258, rows, 3, other,
                                  links_after(first)))


def flipped(field, at):
    data = bytearray.fromhex(field)
    data[at] ^= 1
    return data.hex()


def higher(field, _):
    return str(int(field) + 1)


# Where a line may be changed: its word, the field, the byte, and how.
CHANGES = [("key", 1, 0, higher), ("key", 2, 0, higher),
           ("key", 3, 1, flipped), ("key", 3, -1, flipped),
           ("record", 2, 0, flipped), ("record", 3, 0, higher),
           ("record", 4, 5, flipped), ("record", 4, 30, flipped),
           ("record", 4, -1, flipped), ("tombstone", 1, 0, flipped),
           ("tombstone", 2, 0, higher), ("manifest", 1, 0, higher),
           ("manifest", 2, 3, flipped), ("manifest", 2, 4, flipped),
           ("manifest", 2, 40, flipped), ("manifest", 2, 68, flipped),
           ("manifest", 2, -1, flipped)]


def refusals(lines):
    """How many changes of a line were refused, each; a reader that said yes
    to everything would prove nothing."""
    n = 0
    for word, field, at, change in CHANGES:
        i = next(i for i, line in enumerate(lines) if line.startswith(word))
        fields = lines[i].split(" ")
        fields[field] = change(fields[field], at)
        try:
            read(lines[:i] + [" ".join(fields)] + lines[i + 1:])
        except (Refused, KeyError):
            n += 1
        else:
            sys.exit("accepted: field %d of a %s, changed" % (field, word))
    return n


def read(lines):
    reader = Reader()
    for line in lines:
        reader.read(line)
    if not reader.opened or not reader.verified:
        sys.exit("nothing was opened and verified")
    return reader


def main():
    if sys.argv[1:] == ["--vectors"]:
        return vectors()
    lines = [line.rstrip("\n") for line in sys.stdin]
    reader = read(lines)
    print("%d records opened, a manifest of %d entries verified, "
          "%d changes refused" %
          (reader.opened, len(reader.rows), refusals(lines)))


if __name__ == "__main__":
    sys.exit(main())
