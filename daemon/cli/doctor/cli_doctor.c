/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/base/system_pin.h"

#define RESTORED \
	"find out who restored or changed the database; what was written " \
	"since is lost: see RESTORED DATABASE in claviger(1)"

#define RESOURCE (DOCTOR_CLUSTER | DOCTOR_CIB | DOCTOR_RESOURCE)
#define COROSYNC (DOCTOR_CLUSTER | DOCTOR_COROSYNC)

const struct doctor_check doctor_checks[] = {
    {"config", "the configuration file",
	"claviger init on the first server node, claviger join on every other "
	"host",
	DOCTOR_BOTH, doctor_config},
    {"files", "owners and modes of keys and passwords",
	"chown and chmod it; if somebody could read a key, have this host "
	"revoked, and join again",
	DOCTOR_SYSTEM, doctor_files},
    {"machine", "this host lives on the machine that it was made on",
	"if it was restored or moved, and runs nowhere else: claviger identity "
	"adopt; else stop clavigerd, remove its state folder, and have this "
	"machine join under a name of its own",
	DOCTOR_SYSTEM, doctor_machine},
    {"expiry", "this host's certificate does not end soon",
	"it goes on being trusted, for its thumbprint is pinned; to have a new "
	"one this host is revoked and joins again",
	DOCTOR_SYSTEM | DOCTOR_BOTH, doctor_expiry},
    {"seen", "what this host has seen, on its disk",
	"restore the file that is not older, or have this host join anew",
	DOCTOR_SYSTEM, doctor_seen},
    {"daemon", "clavigerd runs and can serve",
	"start the cluster's resource, or clavigerd: its log says more",
	DOCTOR_SYSTEM, doctor_daemon},
    {"memory", "memory for secrets is locked",
	"raise the limit of locked memory (LimitMEMLOCK=, ulimit -l)",
	DOCTOR_SYSTEM | DOCTOR_DAEMON, doctor_memory},
    {"keys", "the keys of this host are fresh",
	"claviger status on the server nodes", DOCTOR_SYSTEM | DOCTOR_DAEMON,
	doctor_keys},
    {"cluster", "the cluster drives clavigerd",
	"start it: pcs cluster start, crm cluster start, or systemctl start "
	"pacemaker",
	DOCTOR_SYSTEM | DOCTOR_SERVER | DOCTOR_CLUSTER, doctor_cluster},
    {"resource", "one node is promoted, all others stand by",
	"make it anew as claviger cluster commands prints it",
	DOCTOR_SYSTEM | DOCTOR_SERVER | RESOURCE, doctor_resource},
    {"operations", "its operations have the time that they need",
	"compare them with claviger cluster commands",
	DOCTOR_SYSTEM | DOCTOR_SERVER | RESOURCE, doctor_operations},
    {"constraints", "every node may be promoted, with the address",
	"claviger cluster commands makes one resource that needs no constraint",
	DOCTOR_SYSTEM | DOCTOR_SERVER | RESOURCE, doctor_constraints},
    {"fencing", "a node that fails is fenced",
	"see Fencing in Pacemaker Explained",
	DOCTOR_SYSTEM | DOCTOR_SERVER | DOCTOR_CLUSTER | DOCTOR_CIB,
	doctor_fencing},
    {"quorum", "quorum is as the number of nodes asks for",
	"section quorum of corosync.conf: see votequorum(5)",
	DOCTOR_SYSTEM | DOCTOR_SERVER | COROSYNC, doctor_quorum},
    {"token", "a dead node is noticed in good time",
	"section totem of corosync.conf: see corosync.conf(5)",
	DOCTOR_SYSTEM | DOCTOR_SERVER | COROSYNC, doctor_token},
    {"ring", "what the nodes say to each other is encrypted",
	"in section totem of corosync.conf on every node transport: knet, "
	"crypto_cipher: aes256 and crypto_hash: sha256, a key by "
	"corosync-keygen, and restart the cluster",
	DOCTOR_SYSTEM | DOCTOR_SERVER | COROSYNC, doctor_ring},
    {"database", "the database answers, with the right schema",
	"check that PostgreSQL runs there and lets this user in (pg_hba.conf, "
	"password file)",
	DOCTOR_SYSTEM, doctor_database},
    {"server", "which database server it is",
	"if the database has failed over, wait some seconds; else fence the "
	"old primary: two of them accept writes",
	DOCTOR_SYSTEM | DOCTOR_DAEMON | DOCTOR_DATABASE, doctor_server},
    {"epoch", "the epoch is not older than seen here", RESTORED,
	DOCTOR_SYSTEM | DOCTOR_DATABASE, doctor_epoch},
    {"version", "the signed list is not older than seen here", RESTORED,
	DOCTOR_SYSTEM | DOCTOR_DATABASE, doctor_version},
    {"list", "the signed list is the system's",
	"find out who changed the database; an unlocked server node holds the "
	"right one: see RESTORED DATABASE in claviger(1)",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_SERVER, doctor_list},
    {"generation", "the current master secret is here, and the newest",
	"claviger restore FILE on this node",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_LIST | DOCTOR_SERVER,
	doctor_generation},
    {"escrow", "every server node's sealed copy opens or is signed",
	"start clavigerd on that node, or claviger restore FILE there",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_LIST | DOCTOR_SERVER,
	doctor_escrow},
    {"recovery", "the recovery copy is the system's",
	"claviger recovery recipient",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_LIST | DOCTOR_SERVER,
	doctor_recovery},
    {"certificates", "the network name's key is in the database",
	"find out who changed the database, and restore that row",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_LIST | DOCTOR_SERVER,
	doctor_certificates},
    {"backups", "the current master secret is also outside of the nodes",
	"claviger backup FILE",
	DOCTOR_SYSTEM | DOCTOR_DATABASE | DOCTOR_LIST | DOCTOR_SERVER,
	doctor_backups},
    {"audit", "the audit trail is written, and is what was written",
	"claviger audit verify; find out who changed the database",
	DOCTOR_SYSTEM | DOCTOR_DAEMON | DOCTOR_SERVER, doctor_audit},
    {"applications", "every key and secret is what was written",
	"find out who changed the database; put back the rows from its "
	"backup, or put the secret anew",
	DOCTOR_SYSTEM | DOCTOR_DAEMON | DOCTOR_DATABASE, doctor_applications},
    {"name", "the network name resolves to its address",
	"enter it in the name service, or in /etc/hosts of this host",
	DOCTOR_SYSTEM | DOCTOR_PATH, doctor_name},
    {"connection", "TLS 1.3 to the server whose certificate is pinned",
	"claviger cert show on a server node", DOCTOR_SYSTEM | DOCTOR_PATH,
	doctor_connection},
    {"answer", "the system answers this host, with its keys",
	"claviger status on the server nodes", DOCTOR_SYSTEM | DOCTOR_PATH,
	doctor_answer},
    {NULL, NULL, NULL, 0, NULL},
};

/* One line each, and what to do on the next. */

static void
line(const struct doctor *d, const char *state, const char *text)
{
	if (d->row == NULL)
		printf("%-7s %-13s %s\n", state, d->check->id, text);
}

/* after NULL: it is as it was found. */
static void
tell(struct doctor *d, const char *subject, const char *text, const char *next,
    const char *before, const char *after)
{
	struct cli_json *o;
	char whole[800];

	if (d->row != NULL) {
		o = cli_json_push(d->row, "findings");
		cli_json_str(o, "subject", subject);
		cli_json_str(o, "text", text);
		cli_json_str(o, "next", next);
		cli_json_bool(o, "fixed", after != NULL);
		cli_json_str(o, "before", before);
		cli_json_str(o, "after", after != NULL ? after : "");
		return;
	}
	snprintf(whole, sizeof(whole), "%s%s%s", subject,
	    subject[0] != '\0' ? ": " : "", text);
	line(d, after != NULL ? "FIXED" : "FOUND", whole);
	printf("%-21s next: %s\n", "", next);
}

void
doctor_found(struct doctor *d, const char *subject, const char *next,
    const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->found++;
	tell(d, subject, text, next != NULL ? next : d->check->next, "", NULL);
}

void
doctor_fixed(struct doctor *d, const char *subject, const char *before,
    const char *after)
{
	char text[600];

	snprintf(text, sizeof(text), "its %s; it was set right: its %s", before,
	    after);
	d->fixed++;
	tell(d, subject, text, d->check->next, before, after);
}

void
doctor_note(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->note, sizeof(d->note), fmt, ap);
	va_end(ap);
}

/* Which checks are run. */

static const char *
lacks(struct doctor *d, unsigned needs)
{
	if ((needs & DOCTOR_SYSTEM) != 0 && d->c->config.system[0] == '\0')
		return "this host is of no system yet";
	if ((needs & DOCTOR_DAEMON) != 0 && d->daemon != CLV_OK)
		return "clavigerd does not run here";
	if ((needs & DOCTOR_DATABASE) != 0 && d->database != CLV_OK)
		return "the database cannot be used";
	if ((needs & DOCTOR_LIST) != 0 && d->list == NULL)
		return "the signed list in the database is not the system's";
	if ((needs & DOCTOR_PATH) != 0 && d->path_ends)
		return "what comes before it is wrong";
	if ((needs & DOCTOR_CLUSTER) != 0)
		return doctor_cluster_lacks(d, needs);
	return NULL;
}

static bool
matches(const char *pattern, size_t len, const char *id)
{
	char one[64];

	return len < sizeof(one) &&
	       snprintf(one, sizeof(one), "%.*s", (int)len, pattern) > 0 &&
	       fnmatch(one, id, 0) == 0;
}

static bool
is_wanted(const char *only, const char *id)
{
	size_t len;

	if (only == NULL)
		return true;
	for (;; only += len + 1) {
		len = strcspn(only, ",");
		if (matches(only, len, id))
			return true;
		if (only[len] == '\0')
			return false;
	}
}

static bool
is_asked_for(const struct cli *c, const struct doctor_check *check)
{
	bool path = (check->needs & DOCTOR_PATH) != 0;

	if (cli_opt(c, "connect") != NULL)
		path = !path && (check->needs & DOCTOR_BOTH) == 0;
	return !path && is_wanted(cli_opt(c, "only"), check->id);
}

/* What others need is found out, if it is not told. */
static bool
is_silent(const struct doctor *d, const struct doctor_check *check)
{
	return !is_asked_for(d->c, check) ||
	       ((check->needs & DOCTOR_SERVER) != 0 && !d->is_server);
}

static void
run_check(
    struct doctor *d, const struct doctor_check *check, struct cli_json *j)
{
	const char *why = lacks(d, check->needs), *state;

	d->check = check;
	d->found = d->fixed = 0;
	d->note[0] = '\0';
	d->row = NULL;
	if (j != NULL) {
		d->row = cli_json_push(j, "checks");
		cli_json_str(d->row, "id", check->id);
		cli_json_str(d->row, "what", check->what);
		cli_json_array(d->row, "findings");
	}
	if (why == NULL)
		check->run(d);
	state = why != NULL    ? "skipped"
		: d->found > 0 ? "found"
		: d->fixed > 0 ? "fixed"
			       : "ok";
	if (why != NULL)
		doctor_note(d, "%s", why);
	else if (d->note[0] == '\0')
		doctor_note(d, "%s", check->what);
	if (d->row != NULL) {
		cli_json_str(d->row, "state", state);
		cli_json_str(d->row, "note", d->note);
	} else if (d->found == 0 && d->fixed == 0) {
		line(d, state, d->note);
	}
	d->all += d->found;
	if ((check->needs & DOCTOR_PATH) != 0 && d->found > 0)
		d->path_ends = true;
}

static void
set_up(struct doctor *d)
{
	struct cli *c = d->c;
	char path[300];

	d->is_server = config_is_server(&c->config);
	d->daemon = d->database = CLV_E_NO_SERVER;
	if (c->config.system[0] == '\0')
		return;
	if (system_pin_load(&c->config, d->pk) == CLV_E_CONFIG)
		c->config.system[0] = '\0'; /* the first check says so */
	if (cli_become(c, &c->config) == CLV_OK) {
		(void)state_load(c->config.state_dir, &d->seen);
		cli_unbecome();
	}
	if (cli_opt(c, "connect") != NULL)
		return;
	d->daemon = cli_ctl_status(c, &d->st);
	snprintf(path, sizeof(path), "%s/api.sock", c->config.run_dir);
	if (d->daemon == CLV_OK)
		d->daemon = clv_client_open(path, &d->api);
	doctor_open(d);
}

static int
any_wanted(const struct cli *c)
{
	for (const struct doctor_check *k = doctor_checks; k->id != NULL; k++)
		if (is_asked_for(c, k))
			return CLV_OK;
	return cli_fail(c, CLV_E_USAGE,
	    "claviger doctor shows their names, claviger doctor --connect "
	    "those of the way to the server",
	    "there is no check '%s'", cli_opt(c, "only"));
}

int
cli_doctor(struct cli *c)
{
	struct cli_json *j = NULL;
	struct doctor d = {.c = c};
	int r = any_wanted(c);

	if (r != CLV_OK)
		return r;
	if (cli_opt(c, "json") != NULL)
		j = cli_json_new();
	set_up(&d);
	for (const struct doctor_check *k = doctor_checks; k->id != NULL; k++)
		if (!is_silent(&d, k))
			run_check(&d, k, j);
	doctor_path_close(&d);
	doctor_cluster_close(&d);
	doctor_close(&d);
	if (j != NULL) {
		cli_json_u64(j, "findings", d.all);
		cli_json_print(j);
	}
	return d.all == 0 ? CLV_OK : CLV_E_FINDINGS;
}
