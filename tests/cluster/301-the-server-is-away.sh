#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "what a member does while the server is away"
lab_system
log_allow 'pacemaker|stonith|fence|attrd|database|score'
must "the client runs the daemon" member_daemon client
active=$(promoted)
cl "$active" app show away >/dev/null ||
    must "an application" cl "$active" app add away --users nobody
expect_within 15 "the member knows of it" sees_app client away
secret=$(secret_new)
must "it has a secret" put_secret client away token "$secret"
echo plain | on client tee /root/plain >/dev/null
must "and sealed data" cl client encrypt away /root/plain --output /root/s

reads() { [ "$(on client claviger get away token)" = "$secret" ]; }
opens() { [ "$(on client claviger decrypt away /root/s)" = plain ]; }
keys_are() { [ "$(member_field client keys)" = "$1" ]; }

step "a failover: reading and writing go on"
probe_start reads claviger decrypt away /root/s
lab power-off "$active"
expect_within 40 "a standby serves" serving
expect_within 20 "the member is fresh again" keys_are fresh
# ... as soon as the new server knows that the old one serves nobody.
expect_within 20 "and writes" put_secret client away token "$secret"
outage=$(probe_stop)
expect "nothing that it opened was refused ($outage s at most between two)" \
    at_most "$outage" 2
lab power-on "$active"
expect_within 60 "all in order" all_ready

step "the whole service stops"
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Stopped
expect_within 30 "no address is left" address_nowhere
expect_within 40 "the member says that the server is away" keys_are away
expect "reading goes on" reads
expect "and opening" opens
expect_exit 8 'cannot be reached since' "nothing is written" \
    eval 'echo x | on client claviger put away token'
expect_exit 8 'cannot be reached since' "nor sealed" \
    cl client encrypt away /root/plain --output /root/s2
step "the member restarts meanwhile"
must "restarted" member_restart client
expect_exit '3|8|20' '.' "without a sealed cache it has no keys" \
    cl client get away token
step "the server is back"
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Started
expect_within 40 "the service runs" all_ready
expect_within 20 "the member is fresh by itself" keys_are fresh
expect "it reads" reads
expect "and writes" put_secret client away token "$secret"

step "with a sealed cache"
on client sed -i '$acache = sealed' /etc/claviger/claviger.conf
must "restarted" member_restart client
expect_within 20 "fresh" keys_are fresh
expect "the cache is there" on client test -s /var/lib/claviger/cache.age
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Stopped
expect_within 30 "the service stops" address_nowhere
must "restarted while it is away" member_restart client
expect_within 10 "it has keys" keys_are away
expect "it reads" reads
expect "and opens" opens
expect_exit 8 'cannot be reached since' "and writes nothing" \
    eval 'echo x | on client claviger put away token'
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Started
expect_within 40 "the service runs" all_ready
expect_within 20 "the member is fresh" keys_are fresh
on client sed -i '/^cache = /d' /etc/claviger/claviger.conf
must "switched off" member_restart client
expect_within 20 "fresh" keys_are fresh
refute "the cache is gone" on client test -e /var/lib/claviger/cache.age

step "PostgreSQL is away"
expect "it reads" reads
on db lab-db stop immediate
expect_within 10 "what was read before it still reads" reads
expect "with a warning" eval 'on client claviger get away token 2>&1 |
    grep "read last" >/dev/null'
expect "and opens" opens
on db lab-db start
expect_within 60 "all in order" all_ready
expect_within 30 "it writes again" put_secret client away token "$secret"
must "the application goes" cl "$(promoted)" app remove away --yes
canary_note "$secret"
