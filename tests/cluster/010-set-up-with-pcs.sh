#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the first steps of the manual, and one pcs command"
lab_fresh
step "init on n1"
must "the system is created" system_init
expect "the backup is an age file for anybody's age" \
    on n1 grep -aq '^age-encryption.org/v1' $BACKUP
expect "only root reads the backup" \
    grep -Ex "root:[46]00" <<<"$(on n1 stat -c %U:%a $BACKUP)"
expect "the node's identity belongs to the keeper alone" test \
    "$(on n1 stat -c %U:%a /var/lib/claviger/identity)" = claviger:400
refute "no clavigerd is left behind by init" on n1 pgrep -x clavigerd
expect_exit 6 'holds a system already|belongs to system' \
    "a second init is refused" system_init
copy n1 $OWNER_PASSFILE n2
expect_exit 6 'holds a system already' "also from another node" system_init_on n2
refute "and left no backup there" on n2 test -e $BACKUP
refute "nor an identity" on n2 test -e /var/lib/claviger/identity

step "n2 and n3 join"
output=$(system_join n2)
fingerprint=$(fingerprint_in <<<"$output")
expect "join prints a fingerprint" test -n "$fingerprint"
wrong=${fingerprint//[0-7]/8}
expect_exit 4 'fingerprint' "a wrong fingerprint is refused" \
    cl n1 node approve n2 --fingerprint "$wrong"
expect "the right one is taken" cl n1 node approve n2 --fingerprint "$fingerprint"
must "n3 joins and is approved" join_and_approve n3
expect "node list shows three" \
    test "$(cl n1 node list | grep -c ' enrolled ')" = 3

step "one resource"
expect "pcs describes the agent" \
    on n1 pcs resource describe ocf:claviger:master-secret
must "pcs creates it" resource_pcs
expect_within 30 "one node serves, two stand by" all_ready
expect "the address is where the role is, and only there" serving
expect "status says so" cl "$(promoted)" status
expect "pcs status shows one promoted" on n1 bash -c \
    'pcs status | grep "Promoted: \[ n" >/dev/null'
must "a member is enrolled" member_enrol
expect "it obtains the current key" fetches
expect "the schema check of the CIB is content" on n1 crm_verify -LV
json_of() { # HOST VERB OPTION...: has it the keys that the manual lists?
	local host=$1 verb=$2
	shift 2
	on "$host" claviger "$verb" "$@" --json |
	    "$tests/json-keys" "$tests/../man/claviger.1" "$verb"
}
has_keys() { # HOST: as a member of the system it serves itself
	cl "$1" status --json | grep '"keys": *"fresh"' >/dev/null
}
expect_within 30 "the serving node has keys as a member, too" \
    has_keys "$(promoted)"
expect "status --json is as its manual says" json_of "$(promoted)" status
cert_json() {
	cl client cert show --json |
	    "$tests/json-keys" "$tests/../man/claviger.1" "cert show" \
		which acknowledged late away waits # while it is changed
}
expect "cert show --json is as its manual says" cert_json
thumbprint=$(sed -n 's/^server thumbprint  *//p' "$LAB_ROOT/$lab/transcript" |
    tail -n 1)
expect "the network name's certificate is the one that init made" \
    grep -qi "$thumbprint" <(cl client cert show)
expect "fetch --json is as its manual says" json_of client fetch --check

step "the resource as cluster commands prints it"
on n1 pcs resource delete $rsc >/dev/null 2>&1
all_gone() {
	daemon_absent n1 && daemon_absent n2 && daemon_absent n3 &&
	    address_nowhere
}
expect_within 30 "deleted: no daemon and no address is left" all_gone
refute "and nobody is served" fetches
must "the printed commands run as they are" \
    on n1 bash -ec 'eval "$(claviger cluster commands --pcs)"'
expect_within 30 "one node serves, two stand by" all_ready
expect "the member obtains the key again" fetches

step "the examples of README and claviger(1), as they stand"
node=$(promoted)
expect_within 30 "$node has keys, and the database" member_fresh "$node"
on "$node" groupadd --system shop
on "$node" install -d -o www-data -m 700 /var/lib/shop
on "$node" install -d -m 700 /var/backups
on "$node" install -m 755 /dev/stdin /usr/bin/shopd <<'END'
#!/bin/sh
[ "$1" = --password-fd ] && cat <&"$2" >/var/lib/shop/seen
END
echo 'an archive' | on "$node" tee /var/lib/shop/backup.tar >/dev/null
passphrase "$node"
on "$node" cp $PASS /root/backup.pass
run_as() { # USER COMMAND: as somebody types it there; what it said is $said
	said=$(on "$node" env -C /var/lib/shop setpriv --reuid "$1" --regid "$1" \
	    --init-groups sh -c "$2" </dev/null 2>&1)
}
says() { run_as "$1" "$2" && grep -q "$3" <<<"$said"; }
leaves() { run_as "$1" "$2" && on "$node" test -s "$3"; }
# Each by what it is there for; one that is not known here has no test.
example() {
	case $1 in
	"claviger app add shop"*) says root "$1" . && says root \
	    "claviger app show shop" www-data ;;
	"printf s3cret | claviger put"*) run_as www-data "$1" ;;
	"claviger get shop"*) run_as www-data "$1" && [ "$said" = s3cret ] ;;
	"claviger encrypt shop"*) leaves www-data "$1" /var/lib/shop/backup.sealed &&
	    says www-data "claviger decrypt shop backup.sealed" 'an archive' ;;
	"claviger run shop"*) run_as www-data "$1" && [ s3cret = \
	    "$(on "$node" cat /var/lib/shop/seen)" ] ;;
	"claviger status") says root "$1" 'active' ;;
	"claviger status --json "*) says root "$1" ready ;;
	"claviger metrics") says root "$1" '^claviger_' ;;
	"claviger doctor") run_as root "$1" || [ $? = 23 ] &&
	    grep -q '^ok  *keys' <<<"$said" ;;
	"claviger node list") says root "$1" '^n3 .*enrolled' ;;
	"pcs status") says root "$1" 'Promoted: \[ n' ;;
	"claviger cluster commands --pcs") says root "$1" \
	    'ocf:claviger:master-secret' ;;
	"claviger audit list") says root "$1" 'took-over' ;;
	"claviger cluster dns") run_as root "$1" ||
	    grep dns_server <<<"$said" ;;
	"claviger backup "*) leaves root "$1" \
	    "/var/backups/claviger-$(date +%F).age" ;;
	*) echo "no test runs it"; return 1 ;;
	esac || { echo "$said"; return 1; }
}
set_up='claviger (init|join|node approve) ' # this scenario begins with them
mapfile -t examples < <("$tests/examples" "$tests/../README" \
    "Secrets of applications"
    "$tests/examples" "$tests/../README" "Where to look"
    "$tests/examples" "$tests/../man/claviger.1" EXAMPLES | grep -vE "^$set_up")
expect "there are examples (${#examples[@]})" test ${#examples[@]} -ge 12
for command in "${examples[@]}"; do
	expect "$command" example "$command"
done
