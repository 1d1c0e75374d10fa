/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include "daemon/cli/cli_api.h"
#include "daemon/cli/cli_import.h"

/*
 * Every verb of the command. Dispatch, option parsing and help read this table
 * and nothing else; claviger(1) has the same order.
 */
#define JSON \
	{ \
		"json", NULL, "write JSON, for scripts", false \
	}
#define DATABASE(required) \
	{ \
		"database", "CONNINFO", "PostgreSQL, without a password", \
		    required \
	}
#define PASSFILE \
	{ \
		"database-passfile", "FILE", "password file (libpq's format)", \
		    false \
	}
#define ADMIN_DATABASE(required) \
	{"database-admin", "CONNINFO", \
	    "the same database as a role that may make schema and roles", \
	    required}, \
	{ \
		"database-admin-passfile", "FILE", "its password file", false \
	}
#define NODE \
	{ \
		"node", "NAME", "name of this host (its node name)", false \
	}
#define RESTORE_OPTS \
	{"dry-run", NULL, "only show what would change", false}, \
	    {"system", "PUBKEY", "bare machine: public key of the system", \
		false}, \
	    DATABASE(false), PASSFILE, NODE

static const struct cli_opt opts_none[] = {{NULL, NULL, NULL, false}};
static const struct cli_opt opts_json[] = {JSON, {NULL, NULL, NULL, false}};

static const struct cli_opt opts_status[] = {
    {"watch", NULL, "again and again, every SECONDS (2)", false},
    {"output-as", "text|json|xml|html", "the form of it (text)", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_metrics[] = {
    {"output", "FILE", "replace this file (standard output)", false},
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_doctor[] = {
    {"connect", NULL, "walk the way to the server, and check that", false},
    {"only", "CHECK[,CHECK]", "these checks alone; * and ? match", false},
    {"fix", NULL, "set right what is safe: owners and modes of our files",
	false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_init[] = {
    DATABASE(true),
    PASSFILE,
    ADMIN_DATABASE(false),
    {"network-name", "NAME", "host name of the service", true},
    {"ip", "ADDR", "its floating address", true},
    {"port", "P", "TCP port of the service (8391)", false},
    {"backup", "FILE", "write the first backup here", true},
    CLI_PASS_OPTS,
    {"escrow-policy", "auto|manual[,…]",
	"whether an approved node gets the keyring at once (auto)", false},
    {"certificate", "p256|ed25519",
	"key of the network name's certificate (p256)", false},
    NODE,
    {"no-resolve-check", NULL,
	"do not insist that NAME resolves to ADDR already", false},
    {"force-address", NULL, "do not insist that ADDR is free", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_join[] = {
    {"server", NULL, "join as a server node", false},
    {"member", NULL, "join as a member", false},
    {"token-file", "FILE",
	"as a member, by the join token in this file; - is standard input",
	false},
    {"system", "PUBKEY", "public key of the system, as init printed it", false},
    DATABASE(false),
    PASSFILE,
    {"server-thumbprint", "HEX",
	"member: SHA-256 of the network name's certificate", false},
    {"network-name", "NAME", "member: host name of the service", false},
    {"ip", "ADDR", "member: its address, when the name does not resolve",
	false},
    {"port", "P", "member: TCP port of the service (8391)", false},
    NODE,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_rotate[] = {
    {"backup", "FILE", "write the backup of the new keyring here", false},
    {"reencrypt", NULL, "with new data keys, and every record under these",
	false},
    {"signing-key", NULL, "with a new signing key, which all hosts follow",
	false},
    CLI_PASS_OPTS,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_recovery_create[] = {
    {"shares", "K/N", "make N shares, any K of which recover (2 to 16)", true},
    {"directory", "DIR", "one file a share here, not one screen", false},
    {"verify", "words|whole", "what is typed back of each share", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_recipient[] = {
    {"remove", NULL, "have none any more", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_recovery_combine[] = {
    {"share-file", "FILE[,FILE]", "shares, one a line; - is standard input",
	false},
    {"identity", "FILE", "only write the recovery identity, for age", false},
    {"backup", "FILE", "only write a passphrase backup", false},
    CLI_PASS_OPTS,
    RESTORE_OPTS,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_backup[] = {
    CLI_PASS_OPTS,
    {"reminder", "TEXT", "of the passphrase; kept in the database", false},
    {"scheduled", NULL, "those that are due, by the configuration", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_backup_verify[] = {
    CLI_PASS_OPTS,
    {"identity", "FILE", "open it with this identity", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_restore[] = {
    CLI_PASS_OPTS,
    {"identity", "FILE",
	"open it with this identity: of the recovery recipient, or of a node",
	false},
    RESTORE_OPTS,
    {"accept-rollback", NULL,
	"go on with a database that was restored to an older day", false},
    {"older", NULL, "give up what is newer than this copy, and go on with it",
	false},
    {"backup", "FILE", "with --older: backup of the new generation", false},
    {"yes", NULL, "do not ask", false},
    JSON,
    {NULL, NULL, NULL, false},
};

#define REPORT \
	{"report", "FILE", "write the report into this new file", false}, \
	{ \
		"output-as", "text|json|html", \
		    "what the report is written as (text)", false \
	}

static const struct cli_opt opts_drill_failover[] = {
    {"power-off", NULL, "fence the active node instead, and see who takes over",
	false},
    {"yes", NULL, "do not ask before that", false},
    REPORT,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_drill_restore[] = {
    CLI_PASS_OPTS,
    {"identity", "FILE",
	"also what this identity opens: the recovery's, or another node's",
	false},
    {"shares", NULL, "also the recovery copy: the shares are asked for", false},
    {"share-file", "FILE[,FILE]",
	"likewise, with shares in files, one a line; - is standard input",
	false},
    REPORT,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_designate[] = {
    {"address-command", "CMD",
	"moves the address: a shell runs it with add or del, the address "
	"and the network name as $1, $2, $3",
	false},
    {"force-address", NULL, "do not insist that the address is free", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_yes[] = {
    {"yes", NULL, "do not ask", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_approve[] = {
    {"fingerprint", "F", "what claviger join printed on that node", true},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_member_add[] = {
    {"certificate", "FILE", "the member's certificate, PEM or DER", true},
    {"recipient", "AGE1…", "the member's public X25519 key", true},
    {"sign-key", "KEY", "the member's public Ed25519 key, base64", true},
    {"scope", "all|APP[,APP]", "which keys it gets", true},
    JSON,
    {NULL, NULL, NULL, false},
};

#define SERVER_CERTIFICATE \
	{"server", NULL, "the certificate of the network name", false}, \
	    {"now", NULL, \
		"wait for nobody, and refuse the one before at once", false}, \
	{ \
		"yes", NULL, "with --now: do not ask", false \
	}

static const struct cli_opt opts_cert_rotate[] = {
    SERVER_CERTIFICATE,
    {"member", NULL, "this host's own certificate, or that of HOST", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_cert_use[] = {
    SERVER_CERTIFICATE,
    {"cert", "FILE", "the certificate, PEM or DER; a chain may follow", true},
    {"key", "FILE", "its private key, PEM or DER", true},
    JSON,
    {NULL, NULL, NULL, false},
};

#define REPLACE \
	{"rotate", NULL, "and replace the keys that it has held", false}, \
	    {"backup", "FILE", \
		"with --rotate: write the backup of the new keyring here", \
		false}, \
	    CLI_PASS_OPTS

static const struct cli_opt opts_member_revoke[] = {
    REPLACE,
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_node_revoke[] = {
    REPLACE,
    {"now", NULL, "with --rotate: refuse the former certificate at once",
	false},
    {"yes", NULL, "with --now: do not ask", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_member_token[] = {
    {"name", "HOST", "the host that may join by it, once", false},
    {"scope", "all|APP[,APP]", "which keys that host gets", false},
    {"ttl", "TIME", "how long it is good: 30m, 2h, 1d (1h)", false},
    {"list", NULL, "those that were not used yet", false},
    {"revoke", "HOST", "withdraw the one for that host", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_seal[] = {
    {"with-key", "tpm2|host|host+tpm2", "what opens it again (tpm2)", false},
    {"tpm2-pcrs", "LIST",
	"only while these registers are as now, as in 7+11 (16)", false},
    {"yes", NULL, "do not ask", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_fetch[] = {
    {"check", NULL, "prove that the key is there; print no key", true},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_upgrade[] = {
    ADMIN_DATABASE(true), JSON, {NULL, NULL, NULL, false}};

static const struct cli_opt opts_import[] = {
    {"dry-run", NULL, "only show what would change", false},
    {"yes", NULL, "do not ask", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_password[] = {
    {"rotate", NULL, "log in with a new one from now on", false},
    {"shared", NULL, "other hosts with this login have the new one", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_app_add[] = {
    {"admins", "SUBJECT[,…]", "who administers it (root, or you)", false},
    {"users", "SUBJECT[,…]", "who uses its secrets", false},
    {"keep", "N", "versions kept of each secret, 0 for all (0)", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_grant[] = {
    {"admin", NULL, "as an administrator of it, not as a user", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_put[] = {
    {"file", "FILE", "read the value from this file (standard input)", false},
    {"keep", "N", "keep so many versions, 0 for all", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_get[] = {
    {"version", "N", "an older version", false},
    {"cached", NULL, "a value that was read before is good enough", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_crypt[] = {
    {"context", "TEXT", "where it belongs; it opens with the same only", false},
    {"output", "FILE", "write to this file (standard output)", false},
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_run[] = {
    {"fd", "N=NAME[,N=NAME]", "a secret behind descriptor N", false},
    {"files", "NAME[,NAME]", "secrets as files in $CLAVIGER_SECRETS", false},
    {"env", "VAR=NAME[,VAR=NAME]", "a secret in the environment", false},
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_audit_list[] = {
    {"since", "TIME", "from then on: 2026-11-29, 2026-11-29T13:00, or 2h ago",
	false},
    {"until", "TIME", "and until then", false},
    {"operation", "NAME", "this operation alone", false},
    {"who", "NAME", "what this one did, or was refused", false},
    {"last", "N", "the newest N of them, 0 for all (100)", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_audit_verify[] = {
    {"from", "N", "begin with row N", false},
    JSON,
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_cluster[] = {
    {"pcs", NULL, "as pcs commands", false},
    {"crm", NULL, "as crmsh commands", false},
    {"resource", "NAME", "name of the resource (mss)", false},
    {"nic", "NIC", "interface that carries the address", false},
    {"cidr", "N", "prefix length of the address", false},
    {NULL, NULL, NULL, false},
};

static const struct cli_opt opts_cluster_dns[] = {
    {"register", NULL, "register it anew", false},
    {"resource", "NAME", "of this resource alone", false},
    {NULL, NULL, NULL, false},
};

#define ROOT CLI_NEED_ROOT
#define SYSTEM (CLI_NEED_ROOT | CLI_NEED_CONFIG | CLI_NEED_SYSTEM)
#define SERVER (SYSTEM | CLI_NEED_SERVER)
#define ADMIN CLI_NEED_ADMIN

const struct cli_verb cli_verbs[] = {
    {"init", "", "create a new system, with its first backup", opts_init, 0, 0,
	ROOT, cli_init},
    {"join", "[-]", "join a system, or ask to be approved or added", opts_join,
	0, UINT_MAX, ROOT, cli_join},
    {"status", "[SECONDS]", "is this node ready, and if not, why", opts_status,
	0, 1, CLI_NEED_ROOT | CLI_NEED_CONFIG, cli_status},
    {"doctor", "", "check this host and what it depends on", opts_doctor, 0, 0,
	CLI_NEED_ROOT, cli_doctor},
    {"metrics", "", "what status knows, for Prometheus", opts_metrics, 0, 0,
	CLI_NEED_ROOT | CLI_NEED_CONFIG, cli_metrics},
    {"backup", "[FILE]", "write a passphrase backup and open it again",
	opts_backup, 0, 1, SERVER, cli_backup},
    {"backup verify", "FILE", "whose backup is it, and is it current",
	opts_backup_verify, 1, 1, 0, cli_backup_verify},
    {"restore", "[FILE]", "give this node the master secret from a copy",
	opts_restore, 0, 1, ROOT, cli_restore},
    {"recovery create", "", "make a recovery identity, in shares",
	opts_recovery_create, 0, 0, SERVER, cli_recovery_create},
    {"recovery recipient", "[RECIPIENT]",
	"set a recovery identity made elsewhere", opts_recipient, 0, 1, SERVER,
	cli_recovery_recipient},
    {"recovery combine", "[FILE]", "restore this node by shares",
	opts_recovery_combine, 0, 1, 0, cli_recovery_combine},
    {"escrow list", "", "who can open each generation, tested when", opts_json,
	0, 0, SERVER, cli_escrow_list},
    {"escrow verify", "", "prove it now: each node opens its copy", opts_json,
	0, 0, SERVER, cli_escrow_verify},
    {"drill failover", "", "move the role to each node and back, and report",
	opts_drill_failover, 0, 0, SERVER, cli_drill_failover},
    {"drill restore", "[FILE…]",
	"recover from every copy at hand, aside, and report",
	opts_drill_restore, 0, UINT_MAX, SERVER, cli_drill_restore},
    {"rotate", "", "make a new generation of the master secret", opts_rotate, 0,
	0, SERVER, cli_rotate},
    {"generation list", "", "generations, and what refers to each", opts_json,
	0, 0, SERVER, cli_generation_list},
    {"generation destroy", "N", "destroy a generation that nothing needs",
	opts_yes, 1, 1, SERVER, cli_generation_destroy},
    {"node list", "", "server nodes, and requests to join", opts_json, 0, 0,
	SERVER, cli_node_list},
    {"node approve", "NODE", "accept a server node", opts_approve, 1, 1, SERVER,
	cli_node_approve},
    {"node revoke", "NODE", "cut a server node off", opts_node_revoke, 1, 1,
	SERVER, cli_node_revoke},
    {"designate", "NODE", "take or give the active role, without Pacemaker",
	opts_designate, 1, 1, SERVER, cli_designate},
    {"member add", "HOST", "enrol a member", opts_member_add, 1, 1, SERVER,
	cli_member_add},
    {"member token", "", "let a host join as a member by itself",
	opts_member_token, 0, 0, SERVER, cli_member_token},
    {"member list", "", "members and their scopes", opts_json, 0, 0, SERVER,
	cli_member_list},
    {"member scope", "HOST SCOPE", "change which keys a member gets", opts_json,
	2, 2, SERVER, cli_member_scope},
    {"member revoke", "HOST", "cut a member off", opts_member_revoke, 1, 1,
	SERVER, cli_member_revoke},
    {"cert show", "", "this host's certificate and the network name's",
	opts_json, 0, 0, SYSTEM, cli_cert_show},
    {"cert rotate", "[HOST]", "change a certificate for a new one",
	opts_cert_rotate, 0, 1, SYSTEM, cli_cert_rotate},
    {"cert use", "", "change it for an existing one", opts_cert_use, 0, 0,
	SERVER, cli_cert_use},
    {"identity seal", "",
	"have this host's identity open on this machine alone", opts_seal, 0, 0,
	SYSTEM, cli_identity_seal},
    {"identity unseal", "", "keep it in a plain file again", opts_json, 0, 0,
	SYSTEM, cli_identity_unseal},
    {"identity adopt", "",
	"say that this machine is no copy, but where this host now lives",
	opts_json, 0, 0, SYSTEM, cli_identity_adopt},
    {"fetch", "", "prove that this host gets the current key", opts_fetch, 0, 0,
	SYSTEM, cli_fetch},
    {"settings show", "", "what this host and the system are set to", opts_json,
	0, 0, SYSTEM, cli_settings_show},
    {"settings check", "[FILE]", "is there anything wrong with a configuration",
	opts_json, 0, 1, 0, cli_settings_check},
    {"settings reload", "", "have the running clavigerd read it again",
	opts_json, 0, 0, SYSTEM, cli_settings_reload},
    {"settings pin", "PUBKEY", "believe this key of the system from now on",
	opts_json, 1, 1, SYSTEM, cli_settings_pin},
    {"settings set", "KEY VALUE", "change a setting of the system", opts_json,
	2, 2, ADMIN, cli_settings_set},
    {"settings upgrade", "", "bring the database schema forward", opts_upgrade,
	0, 0, SERVER, cli_settings_upgrade},
    {"settings database-password", "", "renew this host's database password",
	opts_password, 0, 0, SYSTEM, cli_settings_password},
    {"import", "FILE.xml", "take over files of Enterprise Single Sign-On",
	opts_import, 1, 1, SERVER, cli_import},
    {"app add", "APP", "make an application, with its keys", opts_app_add, 1, 1,
	ADMIN, cli_app_add},
    {"app list", "", "applications, and who may use them", opts_json, 0, 0,
	ADMIN, cli_app_list},
    {"app show", "APP", "one application, and how much is in it", opts_json, 1,
	1, ADMIN, cli_app_show},
    {"app grant", "APP SUBJECT", "let somebody use it", opts_grant, 2, 2, ADMIN,
	cli_app_grant},
    {"app revoke", "APP SUBJECT", "let somebody use it no more", opts_grant, 2,
	2, ADMIN, cli_app_revoke},
    {"app remove", "APP", "delete an application and all its secrets", opts_yes,
	1, 1, ADMIN, cli_app_remove},
    {"audit list", "", "who has done what, or was refused it", opts_audit_list,
	0, 0, SERVER, cli_audit_list},
    {"audit verify", "", "is the audit trail whole, and as it was written",
	opts_audit_verify, 0, 0, SERVER, cli_audit_verify},
    {"put", "APP NAME", "store a secret", opts_put, 2, 2, 0, cli_put},
    {"get", "APP NAME", "print a secret", opts_get, 2, 2, 0, cli_get},
    {"list", "[APP]", "names of secrets, or applications", opts_json, 0, 1, 0,
	cli_list},
    {"history", "APP NAME", "versions of a secret", opts_json, 2, 2, 0,
	cli_history},
    {"delete", "APP NAME", "delete a secret", opts_json, 2, 2, 0, cli_delete},
    {"encrypt", "APP [FILE]", "seal data of any size", opts_crypt, 1, 2, 0,
	cli_encrypt},
    {"decrypt", "APP [FILE]", "open what encrypt has sealed", opts_crypt, 1, 2,
	0, cli_decrypt},
    {"run", "APP -- CMD [ARG…]", "run a command with secrets", opts_run, 2,
	UINT_MAX, 0, cli_run},
    {"cluster commands", "", "print the cluster's resource commands",
	opts_cluster, 0, 0, SERVER, cli_cluster_commands},
    {"cluster dns", "", "what DNS says of the network name", opts_cluster_dns,
	0, 0, ROOT, cli_cluster_dns},
    {"complete", "-- WORD...", "what a shell may suggest for the last word",
	opts_none, 1, UINT_MAX, 0, cli_complete},
    {NULL, NULL, NULL, NULL, 0, 0, 0, NULL},
};
