#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Files pass between the library and the age command, in both directions.
for need in age age-keygen python3; do
	if ! command -v $need >/dev/null; then
		echo "skipped: no $need here"
		exit 77
	fi
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
passed=0

# with_tty PASSPHRASE COMMAND...: answer every prompt on a terminal of its own.
# stdin and stdout of the command stay ours.
with_tty() {
	python3 -c '
import os, pty, select, sys
secret = sys.argv[1].encode() + b"\n"
inp, out = os.dup(0), os.dup(1)
pid, fd = pty.fork()
if pid == 0:
    os.dup2(inp, 0)
    os.dup2(out, 1)
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    if not select.select([fd], [], [], 30)[0]:
        sys.exit("no prompt: " + repr(seen))
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    if seen.rstrip().endswith(b":"):
        os.write(fd, secret)
        seen = b""
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 0:
    sys.stderr.write(seen.decode(errors="replace"))
sys.exit(status)
' "$@"
}

check() {
	if cmp -s "$2" "$dir/out"; then
		passed=$((passed + 1))
	else
		echo "FAILED: $1"
		failed=$((failed + 1))
	fi
	rm -f "$dir/out" "$dir/age"
}

age-keygen -o "$dir/theirs" 2>/dev/null
grep '^AGE-SECRET-KEY-1' "$dir/theirs" >"$dir/theirs.line"
theirs=$(age-keygen -y "$dir/theirs")
./age-tool keygen >"$dir/ours" || exit 1
ours=$(sed -n 2p "$dir/ours")
sed -i 2d "$dir/ours"
echo "six-words-from-the-large-list-here" >"$dir/pass"
pass=$(cat "$dir/pass")

if [ "$(age-keygen -y "$dir/ours")" != "$ours" ]; then
	echo "FAILED: age-keygen finds another recipient for our identity"
	failed=$((failed + 1))
fi

for len in 0 1 65535 65536 65537 200000; do
	in=$dir/in.$len
	head -c $len /dev/urandom >"$in"
	./age-tool seal -r "$theirs" "$ours" <"$in" |
	    age -d -i "$dir/theirs" >"$dir/out"
	check "age opens our binary file of $len bytes" "$in"
	./age-tool armor -r "$ours" "$theirs" <"$in" |
	    age -d -i "$dir/ours" >"$dir/out"
	check "age opens our armored file of $len bytes" "$in"
	age -r "$ours" -r "$theirs" <"$in" |
	    ./age-tool open -i "$dir/ours" >"$dir/out"
	check "we open a binary file of age of $len bytes" "$in"
	age -a -r "$ours" -r "$theirs" <"$in" |
	    ./age-tool open -i "$dir/theirs.line" >"$dir/out"
	check "we open an armored file of age of $len bytes" "$in"
done

in=$dir/in.200000
./age-tool seal -p "$dir/pass" <"$in" >"$dir/age"
with_tty "$pass" age -d -o "$dir/out" "$dir/age"
check "age opens our file with a passphrase" "$in"
./age-tool armor -p "$dir/pass" <"$in" >"$dir/age"
with_tty "$pass" age -d -o "$dir/out" "$dir/age"
check "age opens our armored file with a passphrase" "$in"
with_tty "$pass" age -p -o "$dir/age" "$in"
./age-tool open -p "$dir/pass" <"$dir/age" >"$dir/out"
check "we open a file of age with a passphrase" "$in"
with_tty "$pass" age -p -a -o "$dir/age" "$in"
./age-tool open -p "$dir/pass" <"$dir/age" >"$dir/out"
check "we open an armored file of age with a passphrase" "$in"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
