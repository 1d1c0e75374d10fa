/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <claviger/client.h>
#include <claviger/wire.h>
#include "daemon/admin.h"
#include "daemon/cli_escrow.h"
#include "daemon/cli_rotate.h"
#include "daemon/rewrap.h"
#include "daemon/state.h"

struct backup {
	bool known;
	uint32_t generation; /* 0: there is none */
	char where[256];
	uint64_t age_s;
};

struct view { /* all that the screen shows */
	bool daemon;
	int result; /* of asking it */
	struct ctl_status st;
	struct clv_list *list; /* may be NULL */
	struct backup backup;
	struct coverage *coverage;    /* NULL: not known */
	struct cli_rotation rotation; /* of the active node */
	bool ready;
	bool member;
	struct clv_client_status own; /* of a member, when its daemon runs */
};

static const struct {
	const char *name;
	const char *what;
} roles[] = {
    [CTL_ROLE_OFF] = {"off", "the server role is switched off"},
    [CTL_ROLE_LOCKED] = {"locked", "not ready: it cannot serve"},
    [CTL_ROLE_STANDBY] = {"standby", "ready to take over"},
    [CTL_ROLE_PROMOTING] = {"promoting", "about to serve"},
    [CTL_ROLE_ACTIVE] = {"active", "serving"},
    [CTL_ROLE_AWAY] = {"away", "serving for decryption only"},
    [CTL_ROLE_DEMOTING] = {"demoting", "about to stop serving"},
};
#define ROLES (sizeof(roles) / sizeof(roles[0]))

static const char *
role_name(uint32_t role)
{
	return role < ROLES ? roles[role].name : "unknown";
}

static bool
flag(const struct view *v, unsigned f)
{
	return (v->st.flags & f) != 0;
}

/* -> u32 n, n x (u32 generation, str where, u64 age_s), newest first */
static void
ask_backup(struct cli *c, struct backup *b)
{
	struct clv_buf request;
	struct cli_answer a;
	struct clv_rd rd;
	uint32_t n;

	cli_answer_init(&a);
	cli_admin_begin(&request, ADMIN_BACKUPS);
	if (cli_admin_local(c, &request, &a) == CLV_OK && a.result == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		n = clv_rd_u32(&rd);
		if (n > 0) {
			b->generation = clv_rd_u32(&rd);
			clv_rd_str(&rd, b->where, sizeof(b->where));
			b->age_s = clv_rd_u64(&rd);
		}
		b->known = !rd.failed;
		cli_printable(b->where);
	}
	clv_buf_fini(&request);
	cli_answer_fini(&a);
}

static void
ask_rotation(struct cli *c, struct cli_rotation *s)
{
	struct clv_buf request;
	struct cli_answer a;

	cli_answer_init(&a);
	cli_admin_begin(&request, ADMIN_ROTATE_STATE);
	if (cli_admin_local(c, &request, &a) != CLV_OK || a.result != CLV_OK ||
	    cli_rotation_read(&a, s) != CLV_OK)
		memset(s, 0, sizeof(*s));
	clv_buf_fini(&request);
	cli_answer_fini(&a);
}

/* Without a daemon: what the files say. */
static void
from_disk(struct cli *c, struct view *v)
{
	struct state s;

	snprintf(v->st.node, sizeof(v->st.node), "%s", c->config.node);
	snprintf(
	    v->st.system_pk, sizeof(v->st.system_pk), "%s", c->config.system);
	snprintf(v->st.network_name, sizeof(v->st.network_name), "%s",
	    c->config.network_name);
	snprintf(v->st.address, sizeof(v->st.address), "%s", c->config.address);
	v->st.port = c->config.port;
	v->st.score = CTL_SCORE_NEVER;
	if (cli_become(c, &c->config) != CLV_OK)
		return;
	if (state_load(c->config.state_dir, &s) == CLV_OK) {
		v->st.epoch = s.epoch;
		v->st.list_version = s.list_version;
		v->st.current_generation = s.generation;
	}
	cli_unbecome();
}

static void
gather(struct cli *c, struct view *v)
{
	v->result = cli_ctl_status(c, &v->st);
	v->daemon = v->result == CLV_OK;
	if (c->config.system[0] != '\0' && config_is_server(&c->config) &&
	    cli_list_get(c, &v->list) != CLV_OK)
		v->list = NULL;
	if (!v->daemon) {
		from_disk(c, v);
		return;
	}
	ask_backup(c, &v->backup);
	if (cli_escrow_look(c, &v->coverage) != CLV_OK)
		v->coverage = NULL;
	ask_rotation(c, &v->rotation);
	v->ready =
	    v->st.role == CTL_ROLE_ACTIVE || v->st.role == CTL_ROLE_STANDBY;
}

static const char *
active_name(const struct view *v)
{
	const struct clv_list_node *n;

	if (v->st.role == CTL_ROLE_ACTIVE || v->st.role == CTL_ROLE_AWAY)
		return v->st.node;
	if (v->st.active_number == 0)
		return NULL;
	if (v->list == NULL)
		return "a node that is not in the list known here";
	n = clv_list_node_by_number(v->list, v->st.active_number);
	return n != NULL ? n->party.name
			 : "a node that is not in the list known here";
}

static const char *
reason(const struct view *v)
{
	if (v->member)
		return v->ready ? "" : "no key was ever obtained";
	if (v->result == CLV_E_NO_SERVER)
		return "clavigerd does not run on this host";
	if (!v->daemon)
		return clv_result_text(v->result);
	if (v->st.reason[0] == '\0' && !v->ready && v->st.role < ROLES)
		return roles[v->st.role].what;
	return v->st.reason;
}

static void
json_backup(struct cli_json *j, const struct backup *b)
{
	struct cli_json *o;

	cli_json_array(j, "newest_backup"); /* none or one */
	if (!b->known || b->generation == 0)
		return;
	o = cli_json_push(j, "newest_backup");
	cli_json_u64(o, "generation", b->generation);
	cli_json_str(o, "where", b->where);
	cli_json_u64(o, "age_s", b->age_s);
}

static void
json_state(struct cli_json *j, const struct view *v)
{
	static const struct {
		unsigned flag;
		const char *key;
	} flags[] = {{CTL_FLAG_DATABASE, "database"},
	    {CTL_FLAG_CLUSTER, "cluster"}, {CTL_FLAG_QUORATE, "quorate"},
	    {CTL_FLAG_ENCRYPT, "encrypt"}, {CTL_FLAG_UNLOCKED, "unlocked"},
	    {CTL_FLAG_PROVEN, "proven"}, {CTL_FLAG_READONLY, "readonly"},
	    {CTL_FLAG_LISTENING, "listening"},
	    {CTL_FLAG_SECRETMEM, "secretmem"}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		cli_json_bool(j, flags[i].key, flag(v, flags[i].flag));
	cli_json_u64(j, "epoch", v->st.epoch);
	cli_json_u64(j, "generation", v->st.generation);
	cli_json_u64(j, "current_generation", v->st.current_generation);
	cli_json_u64(j, "list_version", v->st.list_version);
	cli_json_u64(j, "lease_left_ms", v->st.lease_left_ms);
	cli_json_u64(j, "locked_kib", v->st.locked_kib);
	cli_json_str(j, "network_name", v->st.network_name);
	cli_json_str(j, "address", v->st.address);
	cli_json_u64(j, "port", v->st.port);
}

/* None or one: a rotation that the active server goes on with. */
static void
json_rotation(struct cli_json *j, const struct cli_rotation *s)
{
	struct cli_json *o;

	cli_json_array(j, "rewrapping");
	if (!cli_rotation_goes_on(s))
		return;
	o = cli_json_push(j, "rewrapping");
	cli_json_u64(o, "generation", s->generation);
	cli_json_bool(o, "published", s->state == REWRAP_IS_TO_COME);
	cli_json_str(o, "state", cli_rotation_state(s));
	cli_json_u64(o, "keys", s->total);
	cli_json_u64(o, "left", s->left);
	cli_json_str(o, "why_waiting", s->why);
}

static const char *
member_state(enum clv_member_state state)
{
	switch (state) {
	case CLV_MEMBER_NONE: return "none";
	case CLV_MEMBER_FRESH: return "fresh";
	case CLV_MEMBER_AWAY: return "away";
	case CLV_MEMBER_EXPIRED: return "expired";
	}
	return "?";
}

static void
json_member(struct cli_json *j, const struct view *v)
{
	cli_json_str(j, "keys", member_state(v->own.state));
	if (v->own.age_ms != UINT64_MAX)
		cli_json_u64(j, "keys_age_ms", v->own.age_ms);
	cli_json_bool(j, "may_write", v->own.may_encrypt);
	cli_json_str(j, "why_not", v->own.why);
	cli_json_bool(j, "database_up", v->own.database_up);
}

static int
print_json(const struct view *v)
{
	struct cli_json *j = cli_json_new();
	const char *active = active_name(v);

	cli_json_bool(j, "daemon", v->daemon);
	cli_json_bool(j, "ready", v->ready);
	cli_json_str(j, "role",
	    v->member	? "member"
	    : v->daemon ? role_name(v->st.role)
			: "stopped");
	cli_json_bool(j, "never", v->st.score == CTL_SCORE_NEVER);
	cli_json_str(j, "reason", reason(v));
	cli_json_str(j, "node", v->st.node);
	cli_json_u64(j, "node_number", v->st.node_number);
	cli_json_str(j, "system", v->st.system_pk);
	cli_json_str(j, "active_node", active != NULL ? active : "");
	json_state(j, v);
	json_backup(j, &v->backup);
	cli_escrow_json(j, v->coverage);
	json_rotation(j, &v->rotation);
	cli_json_u64(
	    j, "reencrypting_since", v->list != NULL ? v->list->reencrypt : 0);
	if (v->member && v->daemon)
		json_member(j, v);
	return cli_json_print(j);
}

static void line(const char *key, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
line(const char *key, const char *fmt, ...)
{
	va_list ap;

	printf("%-13s ", key);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void
print_role(const struct view *v)
{
	const char *active = active_name(v);

	if (!v->daemon)
		line("this node", "%s: NOT READY: %s", v->st.node, reason(v));
	else
		line("this node", "%s: %s: %s", v->st.node,
		    role_name(v->st.role),
		    v->st.role < ROLES ? roles[v->st.role].what : "");
	if (v->st.reason[0] != '\0')
		line("reason", "%s", v->st.reason);
	line("active node", "%s",
	    active != NULL ? active
	    : v->daemon	   ? "none"
			   : "not known here");
	if (v->daemon)
		line("failover here",
		    v->st.role == CTL_ROLE_ACTIVE || v->st.role == CTL_ROLE_AWAY
			? "this node serves already"
		    : v->ready ? "would work: the secret is open and proven"
			       : "would be refused");
}

static void
print_database(const struct view *v)
{
	if (!v->daemon)
		return;
	line("database", "%s",
	    flag(v, CTL_FLAG_DATABASE) ? "connected"
				       : "AWAY: nothing can be changed");
	if (!flag(v, CTL_FLAG_CLUSTER))
		line("cluster", "none configured on this host");
	else
		line("cluster", "%s",
		    flag(v, CTL_FLAG_QUORATE)
			? "quorate"
			: "NO QUORUM: nothing can be changed");
	if (flag(v, CTL_FLAG_READONLY))
		line("ALARM", "somebody has seen newer state than this node "
			      "holds: read-only");
	if (v->st.role == CTL_ROLE_ACTIVE)
		line("lease", "%" PRIu64 " s left", v->st.lease_left_ms / 1000);
	if (v->st.role == CTL_ROLE_ACTIVE && v->st.reason[0] == '\0' &&
	    !flag(v, CTL_FLAG_ENCRYPT))
		line("encryption", "waits for the end of another server's "
				   "lease: 15 s at most");
	line("memory", "%u KiB locked (%s)", v->st.locked_kib,
	    flag(v, CTL_FLAG_SECRETMEM) ? "memfd_secret" : "mlock");
}

static void
print_backup(const struct view *v)
{
	const struct backup *b = &v->backup;
	char age[32];

	if (!v->daemon)
		return;
	if (!b->known)
		line("backup", "not known here (ask on the active node)");
	else if (b->generation == 0)
		line("backup", "NONE: claviger backup FILE");
	else
		line("backup", "generation %u, %s old, at %s", b->generation,
		    cli_age_text(b->age_s, age, sizeof(age)), b->where);
	if (b->known && b->generation != 0 &&
	    b->generation < v->st.current_generation)
		line("", "OLDER than the current generation: claviger backup "
			 "FILE");
}

static void
print_rotation(const struct cli_rotation *s)
{
	if (s->state == REWRAP_IS_TO_COME)
		line("published", "generation %u%s%s", s->generation,
		    s->why[0] != '\0' ? ": " : "", s->why);
	if (s->state == REWRAP_IS_RUNNING && s->total > 0)
		line("rewrapping",
		    "%" PRIu64 " of %" PRIu64 " keys left under generations "
		    "before %u%s%s",
		    s->left, s->total, s->generation,
		    s->why[0] != '\0' ? ": " : "", s->why);
	if (s->state == REWRAP_IS_MAKING_KEYS ||
	    s->state == REWRAP_IS_REENCRYPTING)
		line(cli_rotation_state(s), "%" PRIu64 " of %" PRIu64 " %s%s%s",
		    s->left, s->total,
		    s->state == REWRAP_IS_MAKING_KEYS
			? "applications left without a new data key"
			: "secrets left",
		    s->why[0] != '\0' ? ": " : "", s->why);
	if (s->damaged > 0)
		line("DAMAGED",
		    "%" PRIu64 " keys in the database are not rewrapped: "
		    "claviger doctor",
		    s->damaged);
	if (s->not_reencrypted > 0)
		line("DAMAGED",
		    "%" PRIu64 " records or applications are not "
		    "re-encrypted: claviger doctor",
		    s->not_reencrypted);
}

/* What the list asks for, also where nobody can tell how far it is. */
static void
print_reencryption(const struct view *v)
{
	if (v->list != NULL && v->list->reencrypt != 0 &&
	    !cli_rotation_goes_on(&v->rotation))
		line("re-encryption",
		    "asked for with generation %u, and not through",
		    v->list->reencrypt);
}

static void
print_member(const struct view *v)
{
	char age[32];

	line("this host", "%s: a member", v->st.node);
	line("network name", "%s%s%s port %u", v->st.network_name,
	    v->st.address[0] != '\0' ? " at " : "", v->st.address, v->st.port);
	line("system", "%s", v->st.system_pk);
	if (v->daemon) {
		line("keys", "%s, since %s", member_state(v->own.state),
		    v->own.age_ms == UINT64_MAX
			? "never"
			: cli_age_text(v->own.age_ms / 1000, age, sizeof(age)));
		line("writing", "%s", v->own.may_encrypt ? "yes" : v->own.why);
		line("database", "%s",
		    v->own.database_up ? "connected" : "away");
	} else {
		line("keys", "clavigerd does not run: claviger fetch --check");
	}
	if (v->st.epoch == 0)
		line("accepted", "nothing yet: claviger fetch --check");
	else
		line("accepted",
		    "generation %u, epoch %" PRIu64 ", list version %" PRIu64,
		    v->st.current_generation, v->st.epoch, v->st.list_version);
}

static void
print_text(const struct view *v)
{
	print_role(v);
	line("network name", "%s (%s port %u)", v->st.network_name,
	    v->st.address, v->st.port);
	line("system", "%s", v->st.system_pk);
	line("generation", "%u here, %u current", v->st.generation,
	    v->st.current_generation);
	line("epoch", "%" PRIu64 " (take-over %" PRIu64 " by node %u)",
	    v->st.epoch, v->st.epoch >> 8, (unsigned)(v->st.epoch & 0xff));
	line("signed list", "version %" PRIu64, v->st.list_version);
	print_database(v);
	print_backup(v);
	cli_escrow_status(v->coverage);
	print_rotation(&v->rotation);
	print_reencryption(v);
}

/* What the daemon says, or when none runs what is on disk. */
static void
ask_member(struct cli *c, struct view *v)
{
	struct clv_client *api = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/api.sock", c->config.run_dir);
	if (clv_client_open(path, &api) == CLV_OK)
		v->daemon = clv_client_get_status(api, &v->own) == CLV_OK;
	clv_client_close(&api);
}

static int
member_status(struct cli *c, struct view *v)
{
	from_disk(c, v);
	ask_member(c, v);
	v->member = true;
	v->ready =
	    v->daemon ? v->own.state == CLV_MEMBER_FRESH : v->st.epoch != 0;
	if (cli_opt(c, "json") != NULL)
		print_json(v);
	else
		print_member(v);
	if (v->ready)
		return CLV_OK;
	if (v->daemon)
		return cli_fail(c, CLV_E_AWAY,
		    "claviger status on the server nodes", "%s", v->own.why);
	return cli_fail(c, CLV_E_NOT_READY, "claviger fetch --check",
	    "this host has never obtained a key");
}

int
cli_status(struct cli *c)
{
	struct view v;
	int r;

	memset(&v, 0, sizeof(v));
	if (c->config.system[0] != '\0' && !config_is_server(&c->config))
		return member_status(c, &v);
	gather(c, &v);
	if (cli_opt(c, "json") != NULL)
		print_json(&v);
	else
		print_text(&v);
	r = v.ready ? CLV_OK : v.daemon ? CLV_E_NOT_READY : v.result;
	if (r == CLV_OK && v.coverage != NULL &&
	    coverage_judge(v.coverage, NULL, NULL) > 0)
		r = CLV_E_FINDINGS;
	if (r != CLV_OK && r != CLV_E_FINDINGS && cli_opt(c, "json") == NULL)
		cli_fail(c, r,
		    v.daemon ? "do what the reason says; the daemon's log says "
			       "more"
			     : "start the cluster's resource, or clavigerd by "
			       "hand",
		    "this node is not ready: %s", reason(&v));
	clv_list_free(&v.list);
	coverage_free(&v.coverage);
	return r;
}
