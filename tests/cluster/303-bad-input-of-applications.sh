#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "bad input of applications: names, sizes, hostile messages, a full disk"
lab_system
log_allow 'credentials socket was refused|No space left|cannot be written'
must "the client runs the daemon" member_daemon client
active=$(promoted)
must "an application" cl "$active" app add limits --users nobody
expect_within 15 "the member knows of it" sees_app client limits

step "names"
for name in ../shadow /etc/passwd -x '' 'a b' .hidden \
    "$(printf 'n%.0s' {1..129})" $'a\nb'; do
	expect_exit 2 'name|argument' "the secret '${name:0:20}'" \
	    cl client get limits -- "$name"
done
for name in ../limits no/app -x "$(printf 'n%.0s' {1..65})"; do
	expect_exit 2 'name' "the application '${name:0:20}'" \
	    cl client get -- "$name" token
done
expect_exit 2 'name' "an application that is to be called all" \
    cl "$active" app add all
expect_exit 5 'no application none' "an unknown application" \
    cl client get none token
expect_exit 5 'no secret none' "an unknown secret" cl client get limits none

step "sizes"
# sized BYTES: a secret of that size, and on every host the same
sized() {
	local host sum
	on client sh -c "head -c $1 /dev/urandom >/root/value"
	sum=$(on client sha256sum </dev/null /root/value | cut -c1-64)
	cl client put limits "of/$1" --file /root/value || return 1
	for host in client n1 n2 n3; do
		[ "$(on $host claviger get limits "of/$1" | sha256sum |
		    cut -c1-64)" = "$sum" ] || return 1
	done
}
for size in 0 1 61440; do
	expect "$size bytes" sized $size
done
on client sh -c 'head -c 61441 /dev/zero >/root/value'
expect_exit 1 'at most 61440 bytes' "one more" \
    cl client put limits big --file /root/value
expect_exit 5 'no secret big' "and nothing of it is there" \
    cl client get limits big
expect_exit 1 'cannot be written' "a full disk behind the output" eval \
    'on client sh -c "claviger get limits of/61440 >/dev/full"'

step "hostile messages, slow callers, and more than there is room for"
secret=$(secret_new)
must "a secret" put_secret client limits token "$secret"
cat <<'END' | on client tee /root/hostile >/dev/null
import os, socket, struct, sys, time
os.setgid(65534); os.setuid(65534)
def dial():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect("/run/claviger/api.sock")
    s.settimeout(5)
    return s
def header(magic, op, length):
    return struct.pack("=IHHiIQ", magic, op, 0, 0, length, 1)
def told(data, *more):
    s = dial()
    s.sendmsg([data], *more)
    for i in range(2):
        try:
            return s.recv(65536)[24:]
        except ConnectionResetError: # what was said is still there
            pass
MAGIC = 0x434c4131
try:
    socket.socket(socket.AF_UNIX).connect("/run/claviger/credentials.sock")
    sys.exit("anybody may ask for credentials")
except PermissionError:
    pass
held = [dial() for i in range(190)] # and they say nothing
pipe = os.pipe()
for want, data, more in (
        (b"65536 bytes", header(MAGIC, 1, 70000) + bytes(70000), ()),
        (b"no message", b"x", ()),
        (b"no message", header(MAGIC, 1, 9), ()),
        (b"no message", header(MAGIC ^ 1, 1, 0), ()),
        (b"no message", os.urandom(5000), ()),
        (b"does not know", header(MAGIC, 99, 0), ()),
        (b"malformed", header(MAGIC, 2, 0), ()),
        (b"no descriptors", header(MAGIC, 1, 0),
         ([(socket.SOL_SOCKET, socket.SCM_RIGHTS,
            struct.pack("i", pipe[1]))],))):
    if want not in told(data, *more):
        sys.exit("%r: %r" % (want, told(data, *more)))
while True:
    s = dial()
    held.append(s)
    s.settimeout(0.2)
    try:
        if b"too many connections" in s.recv(65536):
            break
        sys.exit("what was that?")
    except TimeoutError:
        pass
print("held", flush=True)
end = time.monotonic() + 120 # nothing is read, and all the same sent
for s in held:
    s.setblocking(False)
while time.monotonic() < end:
    for s in held:
        try:
            s.send(header(MAGIC, 1, 0))
        except OSError:
            pass
    time.sleep(0.01)
END
on client sh -c 'python3 -I /root/hostile >/root/held 2>&1 &'
held() {
	on client grep -qx held /root/held ||
	    { on client cat /root/held && return 1; }
}
expect_within 30 "each is told what is wrong, and the last that there is no room" held
others() {
	local i
	for i in 1 2 3 4 5; do
		put_secret client limits "of/others$i" "$secret" &&
		    [ "$(on client claviger get limits token)" = "$secret" ] ||
		    return 1
	done
}
expect "others read and write" others
expect_exit 3 'too many connections' "he himself does not" \
    on client setpriv --reuid nobody --regid nogroup --clear-groups \
    claviger get limits token
on client pkill -f /root/hostile
expect_within 10 "when he is gone he may, too" as_user nobody client limits token
on client python3 -Ic 'import socket
for i in range(200):
    s = socket.socket(socket.AF_UNIX)
    s.connect("/run/claviger/credentials.sock")
    s.close()'
must "a unit is let in" cl "$active" app grant limits unit:shop.service
gets_it() { [ "$(credential_of shop.service token)" = "$secret" ]; }
expect_within 15 "after rubbish at the other socket it gets its secret" gets_it

step "the member's disk is full"
on client pkill -o -x clavigerd
must "its daemon ends" wait_until 15 member_gone client
on client sh -c 'cp -a /var/lib/claviger /root/state &&
    mount -t tmpfs -o size=1m,mode=0700 tmpfs /var/lib/claviger &&
    cp -a /root/state/. /var/lib/claviger &&
    clavigerd </dev/null >/dev/null 2>&1 &'
expect_within 20 "and begins on a small disk" member_fresh client
on client sh -c 'cat /dev/zero >/var/lib/claviger/fill' 2>/dev/null
expect "it reads" test "$(on client claviger get limits token)" = "$secret"
expect "and writes" put_secret client limits full "$secret"
must "the list is changed" cl "$active" app grant limits user:games
said_why() { log_lines client | grep 'state cannot be written: No space left' >/dev/null; }
expect_within 20 "it says why it does not follow" said_why
expect "it reads on" test "$(on client claviger get limits token)" = "$secret"
expect_exit 8 'No space left' "and writes nothing" \
    eval 'echo x | on client claviger put limits token'
on client rm /var/lib/claviger/fill
expect_within 20 "with room it follows by itself" member_fresh client
expect "it writes" put_secret client limits token "$secret"
expect "nothing that was acknowledged is lost" same_on_all limits full "$secret"
on client pkill -o -x clavigerd
must "its daemon ends" wait_until 15 member_gone client
on client sh -c 'rm -r /root/state && cp -a /var/lib/claviger /root/state &&
    umount /var/lib/claviger && cp -a /root/state/. /var/lib/claviger &&
    rm -r /root/state; clavigerd </dev/null >/dev/null 2>&1 &'
expect_within 20 "as it was" member_fresh client
must "the application goes" cl "$(promoted)" app remove limits --yes
canary_note "$secret"
