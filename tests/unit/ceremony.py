#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ceremony.py WORDLIST CLAVIGER...: recovery create and combine as people do
them, at a terminal of their own. Ends with "N passed, N failed"."""
import os
import pty
import re
import select
import signal
import sys
import tempfile
import termios
import time

WORDS = open(sys.argv[1], encoding="ascii").read().split()
CLAVIGER = sys.argv[2:]
passed = failed = 0


def check(what, good, seen=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {what}\n{seen}")


class Terminal:
    """A command, what it has printed, and an answer to each prompt."""

    def __init__(self, *args):
        self.seen = ""
        self.all = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(CLAVIGER[0], CLAVIGER + list(args))

    def read(self):
        if not select.select([self.fd], [], [], 60)[0]:
            os.kill(self.pid, signal.SIGKILL)
            return False
        try:
            got = os.read(self.fd, 65536).decode()
        except OSError:
            return False
        self.seen += got
        self.all += got
        return got != ""

    def until(self, pattern):
        """What was printed up to pattern, or None when it ends before."""
        while not (m := re.search(pattern, self.seen)):
            if not self.read():
                return None
        before, self.seen = self.seen[:m.end()], self.seen[m.end():]
        return before

    def answer(self, text):
        """What is typed before the echo is off is flushed."""
        deadline = time.monotonic() + 30
        while termios.tcgetattr(self.fd)[3] & termios.ECHO and \
                time.monotonic() < deadline:
            select.select([], [], [], 0.005)
        os.write(self.fd, text.encode() + b"\n")

    def end(self):
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def rs1024(text, values):
    generator = (0xE0E040, 0x1C1C080, 0x3838100, 0x7070200, 0xE0E0009,
                 0x1C0C2412, 0x38086C24, 0x3090FC48, 0x21B1F890, 0x3F3F120)
    sum_ = 1
    for v in list(text.encode()) + values:
        top = sum_ >> 20
        sum_ = (sum_ & 0xFFFFF) << 10 ^ v
        for i, g in enumerate(generator):
            sum_ ^= g if top >> i & 1 else 0
    return sum_


def forge(share):
    """Another value, and a checksum that fits."""
    values = [WORDS.index(w) for w in share.split()][:-3]
    values[10] ^= 1
    sum_ = rs1024("shamir_extendable", values + [0, 0, 0]) ^ 1
    return " ".join(WORDS[v] for v in values + [
        sum_ >> 20 & 1023, sum_ >> 10 & 1023, sum_ & 1023])


def with_word(share, at, word):
    words = share.split()
    words[at - 1] = word
    return " ".join(words)


def mistype(share, at):
    acid = share.split()[at - 1] == "acid"
    return with_word(share, at, "zebra" if acid else "acid")


def screen(t):
    """The share of one screen."""
    seen = t.until("when that is done: ")
    if seen is None:
        return ""
    words = dict(re.findall(r"(\d+)  ([a-z]+)", seen.split("\033[3J")[-1]))
    t.answer("")
    return " ".join(words[str(i)] for i in range(1, len(words) + 1))


def type_back(t, n, share, wrong=False):
    for _ in range(3):
        seen = t.until(rf"Share {n}, word \d+: ")
        at = int(re.findall(r"word (\d+): $", seen or "word 1: ")[0])
        t.answer("wrong" if wrong else share.split()[at - 1])
        if wrong:
            return


def create():
    t = Terminal("recovery", "create", "--shares", "2/3")
    first = screen(t)
    type_back(t, 1, first, wrong=True)
    check("a word that was not noted shows the share again",
          screen(t) == first and "not what was shown" in t.all, t.all)
    type_back(t, 1, first)
    shares = [first]
    for n in (2, 3):
        shares.append(screen(t))
        type_back(t, n, shares[-1])
    check("the ceremony ends well", t.end() == 0 and "age1" in t.all, t.all)
    check("33 words each", all(len(s.split()) == 33 for s in shares), t.all)
    check("no answer is echoed", "wrong" not in t.all, t.all)
    return shares


def remind(path):
    """A backup as people make it, and what its passphrase is asked with."""
    t = Terminal("backup", path)
    t.until("make one of six words.*: ")
    t.answer("the sea was angry that day")
    t.until("The same again: ")
    t.answer("the sea was angry that day")
    t.until("A reminder of it.*: ")
    os.write(t.fd, b"an old man and his soup\n")
    check("a backup at a terminal", t.end() == 0 and
          "the reminder is in the database" in t.all, t.all)
    check("no passphrase is echoed", "angry" not in t.all, t.all)
    t = Terminal("backup", "verify", path)
    seen = t.until("Passphrase of the backup: ")
    check("the reminder comes before the question",
          seen and "passphrase: an old man and his soup" in seen, t.all)
    t.answer("the sea was angry that day")
    check("then it opens", t.end() == 0, t.all)


def create_whole():
    t = Terminal("recovery", "create", "--shares", "2/2", "--verify", "whole")
    shares = []
    for n in (1, 2):
        shares.append(screen(t))
        t.until(rf"Share {n}, all its words: ")
        t.answer(shares[-1].upper())
    check("whole shares typed back", t.end() == 0, t.all)
    return shares


def give_up():
    t = Terminal("recovery", "create", "--shares", "2/3")
    for _ in range(3):
        type_back(t, 1, screen(t), wrong=True)
    screen(t)
    check("three times wrong ends it", t.end() == 19, t.all)
    check("and says that the shares are void", "of no use" in t.all, t.all)


def combine(shares):
    t = Terminal("recovery", "combine")
    talk = (
        (1, "  " + shares[2].upper().replace(" ", "  ") + " ", None),
        (2, mistype(shares[0], 5), "word 5"),
        (2, with_word(shares[0], 2, "zebras"), "word 2 is"),
        (2, shares[2], "given already"),
        (2, forge(shares[0]), "type one more"),
        (3, shares[1], "share 2 is wrong"),
    )
    for n, text, said in talk:
        t.until(f"Share {n}: ")
        t.answer(text)
        if said is not None:
            check(f"it says: {said}", t.until(said) is not None, t.all)
    check("the shares recover", t.end() == 0 and "generation" in t.all, t.all)
    check("no share is echoed", shares[1] not in t.all, t.all)


def strangers(old, new):
    t = Terminal("recovery", "combine")
    t.until("Share 1: ")
    t.answer(new[0])
    t.until("Share 2: ")
    t.answer(old[0])
    check("a share of another set is told", t.until("another set") is not None,
          t.all)
    t.until("Share 2: ")
    t.answer(new[1])
    check("and the right one goes on", t.end() == 0, t.all)


with tempfile.TemporaryDirectory() as aside:
    remind(os.path.join(aside, "typed.age"))
give_up()
first = create()
combine(first)
strangers(first, create_whole())
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
