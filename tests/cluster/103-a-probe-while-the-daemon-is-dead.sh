#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "a refresh while the daemon is dead and its address is still up"
lab_system
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'the address is up, but no server runs|the front is gone'
active=$(promoted)
# Nobody is told: the resource is unmanaged for that moment.
on n1 crm_resource -r $rsc-clone --meta -p is-managed -v false >/dev/null 2>&1
on "$active" pkill -KILL -x clavigerd
expect "the daemon is dead" daemon_absent "$active"
expect "its address is still up" address_is "$active"
on n1 crm_resource --refresh -r $rsc >/dev/null 2>&1
wait_until 20 settled
probe_failed() {
	on n1 crm_mon -1 | grep -E "$rsc"'(_monitor|.*FAILED)' |
	    grep "$active" >/dev/null
}
expect "the probe does not call the node clean" probe_failed
on n1 crm_resource -r $rsc-clone --meta -d is-managed >/dev/null 2>&1
expect_within 30 "one node serves" serving
holds 3 "the address is on one node only" serving
expect "the member obtains the key" fetches
forget_failures
expect_within 30 "in order" all_ready
