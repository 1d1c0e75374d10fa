#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "after all that happened no secret lies outside of its place"
lab_system
active=$(promoted)
passphrase "$active"
must "rotate" cl "$active" rotate --backup /root/claviger-2.age \
    --passphrase-file $PASS
must "back up" cl "$active" backup /root/claviger-3.age --passphrase-file $PASS
on "$active" mkdir -m 700 /root/shares
must "a recovery identity in shares" cl "$active" recovery create \
    --shares 2/2 --directory /root/shares
must "and back from them" cl "$active" recovery combine \
    --share-file /root/shares/share-2-of-2.txt,/root/shares/share-1-of-2.txt
for i in 1 2; do
	canary_note "$(on "$active" cut -d ' ' -f 6-8 \
	    /root/shares/share-$i-of-2.txt)"
done
on "$active" rm -r /root/shares
fetches >/dev/null
copy "$active" /root/claviger-3.age n1 /root/newest.age
step "kill -11 of keeper and front: a core dump would hold everything"
on "$active" pkill -SEGV -x clavigerd
expect_within 30 "a peer serves" promoted_other "$active"
log_allow 'clavigerd.*(died|killed|ended|signal|lost)|core'
log_allow 'the address is up, but no server runs|the (front|supervisor) is gone'
fetches >/dev/null

step "the keys, from the newest backup by age and by nothing of ours"
list=$LAB_ROOT/$lab/secrets
words=$(on n1 cat $PASS)
hex() { od -An -tx1 -v | tr -d ' \n'; }
{
	echo "passphrase $(printf %s "$words" | hex)"
	on n1 python3 -I - <<-'END'
	import pty, os, sys
	# age asks for the passphrase on a terminal only.
	words = open("/root/passphrase").read().strip()
	pid, fd = pty.fork()
	if pid == 0:
	    os.execvp("age", ["age", "-d", "-o", "/dev/shm/opened",
	                      "/root/newest.age"])
	os.read(fd, 1024)
	os.write(fd, words.encode() + b"\n")
	try:
	    while os.read(fd, 1024):
	        pass
	except OSError:
	    pass
	os.waitpid(pid, 0)
	import base64, re
	text = open("/dev/shm/opened").read()
	os.unlink("/dev/shm/opened")
	for number, line in enumerate(text.splitlines()):
	    words = line.split()
	    for word in words[1:]:
	        try:
	            key = base64.b64decode(word, validate=True)
	        except Exception:
	            continue
	        if len(key) in (32, 64):
	            print("%s-%d" % (words[0], number), key[:32].hex())
	END
} >"$list"
# and what applications stored
cat "$LAB_ROOT/$lab/canary-values" >>"$list" 2>/dev/null
cut -c1-40 "$list"
expect "the list has two generations and the signing key" \
    test "$(wc -l <"$list")" -ge 4
on n1 rm -f $PASS
on "$active" rm -f $PASS
output=$("$tests/cluster/canary" "$lab" "$list" 2>&1)
echo "$output" | tail -n 1
refute "none in logs, CIB, processes, PostgreSQL, shared memory" \
    grep ' in ' <<<"$output"
step "a control: the same scan finds the signing key where it is put"
awk '/^signing/ { print $2 }' "$list" | python3 -Ic 'import base64, sys
print(base64.b64encode(bytes.fromhex(sys.stdin.read().strip())).decode())' |
    on n1 tee /dev/shm/control >/dev/null
expect "found" grep -q '^signing-.* in n1:/dev/shm/control$' \
    <<<"$("$tests/cluster/canary" "$lab" "$list" 2>/dev/null)"
on n1 rm -f /dev/shm/control
core_dumps() {
	find "$LAB_ROOT/$lab/nodes" -name 'core*' -type f -size +0 \
	    -path '*/var/*' | grep .
}
refute "no core dump was written" core_dumps
