/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <claviger/result.h>
#include "agents/address.h"
#include "agents/monitor_table.h"
#include "agents/score.h"
#include "agents/server.h"

/* A daemon answers within milliseconds; one that does not in this time is
 * stopped or stuck. */
#define SILENCE_MS 2000
#define GLANCE_MS 100
#define END_MS 3000
#define KILL_MS 3000
#define KILL_LATE_MS 500 /* when the time of the action is over */
/* A daemon that is just starting: until it listens. */
#define SETTLE_MS 1000
/* After a start: how long the proof may take before the start is over. */
#define PROOF_MS 2000
#define STEP_MS 50
/* What a promotion keeps back for the address. */
#define ADDRESS_MS 1000

struct mss {
	struct address address;
	struct server server;
};

static void
read_mss(const struct ocf *o, struct mss *m)
{
	address_read(o, &m->address);
	m->server.binary = ocf_get(o, "binary");
	m->server.config = ocf_get(o, "config");
	m->server.socket = ocf_get(o, "socket");
}

/* ---- checks ---- */

static int
refuse_promoted_max(const struct ocf *o)
{
	static const char *const names[] = {
	    "promoted_max", "promoted_node_max", "master_max"};
	/* While another node serves, a second promotion is no reason to stop
	 * that one, which 6 would do: 2 holds for this node alone. */
	int rc = strcmp(o->action->name, "promote") == 0 ? OCF_ERR_ARGS
							 : OCF_ERR_CONFIGURED;
	const char *s;
	size_t i;
	long n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		s = ocf_meta(names[i]);
		if (s != NULL && (!ocf_parse_int(s, 0, 100000, &n) || n != 1))
			return ocf_fail(o, rc,
			    "there is one active master secret server: "
			    "promoted-max must be 1, not %.20s",
			    s);
	}
	return OCF_SUCCESS;
}

static int
check_paths(const struct ocf *o)
{
	static const char *const names[] = {"binary", "config", "socket"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (ocf_get(o, names[i])[0] != '/')
			return ocf_fail(o, OCF_ERR_CONFIGURED,
			    "%s: \"%.60s\" is not an absolute path", names[i],
			    ocf_get(o, names[i]));
	return OCF_SUCCESS;
}

static int
check(struct ocf *o)
{
	struct address a;
	int rc = refuse_promoted_max(o);

	if (rc == OCF_SUCCESS)
		rc = address_refuse_globally_unique(o);
	if (rc == OCF_SUCCESS)
		rc = check_paths(o);
	return rc == OCF_SUCCESS ? address_read(o, &a) : rc;
}

/* The one conversion of the control protocol's results. `st` may bring the
 * daemon's own words. */
static int
fail_by_result(
    const struct ocf *o, const char *what, int result, const char *reason)
{
	int rc = result == CLV_E_NO_SERVER ? OCF_NOT_RUNNING : OCF_ERR_GENERIC;

	return ocf_fail(o, rc, "%s: %s", what,
	    reason != NULL && *reason != '\0' ? reason
					      : clv_result_text(result));
}

/* The system has another address than this resource: nobody would find it. */
static bool
is_other_address(const struct address *a, const struct ctl_status *st)
{
	uint8_t ip[16];

	if (!a->carried || st->address[0] == '\0')
		return false;
	return inet_pton(a->family, st->address, ip) != 1 ||
	       memcmp(ip, a->ip, rtnl_ip_len(a->family)) != 0;
}

/* The address is the system's, and a standby could bring it up. */
static bool
has_use_for_address(const struct mss *m, enum mt_daemon daemon,
    enum address_state address, const struct ctl_status *st, char *why)
{
	if (is_other_address(&m->address, st)) {
		snprintf(why, OCF_REASON_MAX,
		    "ip is %s, but the system's address is %s", m->address.text,
		    st->address);
		return false;
	}
	return daemon != MT_STANDBY || address != ADDRESS_ABSENT ||
	       address_can_start(&m->address, why);
}

/* Another resource drives this daemon: then it, its role and its address are
 * nothing to us, whatever our parameters say. Called by hand, without a name,
 * we are that one. */
static bool
is_driven_by_other(const struct ctl_status *st)
{
	const char *us = getenv("OCF_RESOURCE_INSTANCE");
	size_t len = us != NULL ? strcspn(us, ":") : 0;

	return len > 0 && st->role != CTL_ROLE_OFF && st->resource[0] != '\0' &&
	       (strlen(st->resource) != len ||
		   strncmp(st->resource, us, len) != 0);
}

static int
refuse_other(const struct ocf *o, const struct ctl_status *st)
{
	return ocf_fail(o, OCF_ERR_CONFIGURED,
	    "clavigerd is driven by the resource %.40s: delete one of the two",
	    st->resource);
}

/* ---- start ---- */

/* By the time the start is over a node that can serve should be promotable:
 * the next monitor would come only seconds later. */
static void
wait_for_proof(
    const struct ocf *o, struct server_conn *c, struct ctl_status *st)
{
	int64_t end_ms = ocf_now_ms() + ocf_left_ms(o, PROOF_MS);

	while (st->role == CTL_ROLE_LOCKED && ocf_now_ms() < end_ms) {
		poll(NULL, 0, STEP_MS);
		if (server_ask(c, CTL_STATUS, NULL, 0, SILENCE_MS, st) !=
		    CLV_OK)
			return;
	}
}

static int
switch_on(const struct ocf *o, const struct mss *m, struct server_conn *c,
    bool spawned)
{
	struct ctl_start request = {.by_agent = spawned};
	char why[OCF_REASON_MAX];
	struct ctl_status st;
	int result, rc;

	result = server_ask(c, CTL_STATUS, NULL, 0, ocf_left_ms(o, 5000), &st);
	if (result != CLV_OK)
		return fail_by_result(o, "clavigerd", result, NULL);
	if (is_driven_by_other(&st))
		return refuse_other(o, &st);
	if (monitor_daemon(&st) != MT_ACTIVE &&
	    monitor_daemon(&st) != MT_LIMITED) {
		/* A standby has no address, whatever was left here. */
		rc = address_stop(o, &m->address);
		if (rc != OCF_SUCCESS)
			return rc;
	}
	snprintf(request.resource, sizeof(request.resource), "%.*s",
	    (int)strcspn(o->instance, ":"), o->instance);
	request.by_agent |= (st.flags & CTL_FLAG_BY_AGENT) != 0;
	result = server_ask(c, CTL_START, &request, sizeof(request),
	    ocf_left_ms(o, INT32_MAX), &st);
	if (result == CLV_E_EXISTS)
		return refuse_other(o, &st);
	/* Not being ready is no failure of a start: the monitor shows why, and
	 * the score keeps the role away. */
	if (st.role == CTL_ROLE_OFF)
		return fail_by_result(o, "start",
		    result == CLV_OK ? CLV_E_PROTOCOL : result, st.reason);
	wait_for_proof(o, c, &st);
	if (!has_use_for_address(
		m, monitor_daemon(&st), ADDRESS_ABSENT, &st, why)) {
		st.score = CTL_SCORE_NEVER;
		ocf_log(LOG_WARNING, "started, but not ready: %s", why);
	}
	if (st.reason[0] != '\0')
		ocf_log(LOG_WARNING, "started, but not ready: %s", st.reason);
	score_write(
	    o, st.role == CTL_ROLE_OFF ? CTL_SCORE_NEVER : st.score, true);
	return OCF_SUCCESS;
}

static int
on_start(struct ocf *o)
{
	struct server_conn c;
	struct mss m;
	bool spawned = false;
	int result, rc;

	read_mss(o, &m);
	result = server_open(
	    &m.server, ocf_left_ms(o, 5000), ocf_left_ms(o, 5000), &c);
	if (result == CLV_E_NO_SERVER) {
		spawned = true;
		rc = server_spawn(o, &m.server);
		if (rc != OCF_SUCCESS)
			goto out;
		result = server_open(&m.server, ocf_left_ms(o, 5000), 0, &c);
	}
	if (result == CLV_OK)
		rc = switch_on(o, &m, &c, spawned);
	else
		rc = fail_by_result(o, m.server.socket,
		    result == CLV_E_NO_SERVER ? CLV_E_PROTOCOL : result, NULL);
	server_close(&c);
out:
	/* It may not know yet that an agent started it: a stop would leave it
	 * running. */
	if (rc != OCF_SUCCESS && spawned)
		server_kill(&m.server, KILL_LATE_MS);
	return rc;
}

/* ---- stop ---- */

/* A process that is about to end has no program any more, and cannot be found
 * by it, a moment before its sockets are closed. */
static bool
is_socket_free(const struct ocf *o, const struct mss *m)
{
	int64_t end_ms = ocf_now_ms() + ocf_left_ms(o, KILL_MS);
	struct server_conn c;
	int result;

	for (;;) {
		result =
		    ctl_connect(m->server.socket, SILENCE_MS, &c.fd, &c.pid);
		if (result == CLV_OK)
			server_close(&c);
		if (result == CLV_E_NO_SERVER)
			return true;
		if (ocf_now_ms() >= end_ms)
			return false;
		poll(NULL, 0, STEP_MS);
	}
}

static int
kill_server(const struct ocf *o, const struct mss *m)
{
	int result;

	ocf_log(LOG_WARNING, "clavigerd does not answer: it is killed");
	result = server_kill(&m->server, ocf_left_ms(o, KILL_MS));
	if (result != CLV_OK)
		return fail_by_result(
		    o, "a process of clavigerd cannot be ended", result, NULL);
	/* Somebody else's socket is not ours to end, nor can it be left. */
	if (!is_socket_free(o, m))
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "%s is held by a process that does not run %s",
		    m->server.socket, m->server.binary);
	return OCF_SUCCESS;
}

static int
stop_server(const struct ocf *o, const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	int result, rc = OCF_SUCCESS;

	result = server_open(&m->server, SILENCE_MS, SETTLE_MS, &c);
	if (result == CLV_E_NO_SERVER)
		return OCF_SUCCESS;
	if (result == CLV_OK)
		result = server_ask(&c, CTL_STOP, NULL, 0, SILENCE_MS, &st);
	if (result != CLV_OK || st.role != CTL_ROLE_OFF) {
		rc = kill_server(o, m);
	} else if (st.flags & CTL_FLAG_BY_AGENT) {
		result = server_end(&m->server, &c, END_MS);
		if (result != CLV_OK)
			rc = fail_by_result(
			    o, "clavigerd does not end", result, NULL);
	}
	server_close(&c);
	return rc;
}

/* A daemon that is well says so at once; the address does not wait for one that
 * is not. */
static bool
is_for_other(const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	bool other = false;

	if (server_open(&m->server, GLANCE_MS, 0, &c) != CLV_OK)
		return false;
	if (server_ask(&c, CTL_STATUS, NULL, 0, GLANCE_MS, &st) == CLV_OK)
		other = is_driven_by_other(&st);
	server_close(&c);
	return other;
}

static int
on_stop(struct ocf *o)
{
	struct mss m;
	int rc, address_rc;

	read_mss(o, &m);
	if (is_for_other(&m))
		return OCF_SUCCESS;
	address_rc = address_stop(o, &m.address);
	rc = stop_server(o, &m);
	score_write(o, CTL_SCORE_NEVER, false);
	/* An address that is left: the node must be fenced. */
	return address_rc != OCF_SUCCESS ? address_rc : rc;
}

/* ---- promote, demote ---- */

static int
promote(const struct ocf *o, const struct mss *m, struct server_conn *c)
{
	struct ctl_status st;
	int left = ocf_left_ms(o, INT32_MAX), result, rc = OCF_SUCCESS;

	if (left > 2 * ADDRESS_MS)
		left -= ADDRESS_MS;
	result = server_ask(c, CTL_PROMOTE, NULL, 0, left, &st);
	if (result != CLV_OK)
		return fail_by_result(o, "not promoted", result, st.reason);
	if (is_other_address(&m->address, &st))
		rc = ocf_fail(o, OCF_ERR_GENERIC,
		    "ip is %s, but the system's address is %s: claviger "
		    "settings set address",
		    m->address.text, st.address);
	else if (m->address.carried)
		rc = address_start(o, &m->address);
	if (rc == OCF_SUCCESS) {
		score_write(o, st.score, false);
		return OCF_SUCCESS;
	}
	/* Not half: without its address nobody reaches the server. */
	address_stop(o, &m->address);
	server_ask(c, CTL_DEMOTE, NULL, 0, SILENCE_MS, &st);
	return rc;
}

static int
on_promote(struct ocf *o)
{
	struct server_conn c;
	struct mss m;
	int result, rc;

	read_mss(o, &m);
	result = server_open(&m.server, ocf_left_ms(o, 5000), 0, &c);
	if (result == CLV_OK) {
		rc = promote(o, &m, &c);
		server_close(&c);
	} else {
		rc = fail_by_result(o, "clavigerd", result, NULL);
	}
	if (rc != OCF_SUCCESS) {
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, true);
	}
	return rc;
}

static int
demote_server(const struct ocf *o, const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	int result;

	result = server_open(&m->server, SILENCE_MS, SILENCE_MS, &c);
	if (result == CLV_E_NO_SERVER) {
		/* It died, and the address is away: nothing serves. The next
		 * monitor reports it; a failure here would only keep the peer
		 * waiting until this node has started again. */
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, true);
		return OCF_SUCCESS;
	}
	if (result != CLV_OK)
		return fail_by_result(o, "clavigerd", result, NULL);
	result = server_ask(&c, CTL_DEMOTE, NULL, 0, SILENCE_MS, &st);
	server_close(&c);
	if (result != CLV_OK)
		return fail_by_result(o, "demote", result, st.reason);
	if (monitor_daemon(&st) == MT_ABSENT)
		return fail_by_result(o, "demote", CLV_E_NO_SERVER, NULL);
	score_write(o, st.score, false);
	return OCF_SUCCESS;
}

static int
on_demote(struct ocf *o)
{
	struct mss m;
	int rc, address_rc;

	read_mss(o, &m);
	address_rc = address_stop(o, &m.address);
	rc = demote_server(o, &m);
	if (address_rc != OCF_SUCCESS)
		rc = address_rc;
	if (rc != OCF_SUCCESS) {
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, false);
	}
	return rc;
}

/* ---- monitor ---- */

static enum mt_daemon
look_at_daemon(
    const struct ocf *o, const struct mss *m, struct ctl_status *st, char *why)
{
	struct server_conn c;
	int left = ocf_left_ms(o, INT32_MAX), result;

	memset(st, 0, sizeof(*st));
	result = server_open(
	    &m->server, left, left < SETTLE_MS ? left : SETTLE_MS, &c);
	if (result == CLV_E_NO_SERVER)
		return MT_ABSENT;
	if (result == CLV_OK) {
		result = server_ask(
		    &c, CTL_STATUS, NULL, 0, ocf_left_ms(o, INT32_MAX), st);
		server_close(&c);
	}
	if (result == CLV_OK)
		return monitor_daemon(st);
	snprintf(why, OCF_REASON_MAX, "%s", clv_result_text(result));
	return MT_NO_ANSWER;
}

/* Reasons that the daemon itself cannot know: a node without a place for the
 * address cannot serve, so it is not to be promoted. */
static enum mt_daemon
look_further(const struct mss *m, enum mt_daemon daemon,
    enum address_state address, struct ctl_status *st, char *why)
{
	if (daemon == MT_ABSENT || daemon == MT_NO_ANSWER)
		return daemon;
	if (st->reason[0] != '\0') {
		snprintf(why, OCF_REASON_MAX, "%s", st->reason);
		return daemon;
	}
	if (!has_use_for_address(m, daemon, address, st, why)) {
		if (daemon == MT_ACTIVE)
			return MT_LIMITED;
		st->score = CTL_SCORE_NEVER;
		return MT_LOCKED;
	}
	return daemon;
}

/* What is seen, beside the row's own words. */
static void
explain(const struct ocf *o, int rc, const char *row, const char *detail)
{
	if (monitor_is_failure(rc) && rc != OCF_NOT_RUNNING)
		ocf_fail(
		    o, rc, "%s%s%s", row, *detail != '\0' ? ": " : "", detail);
	else if (rc == OCF_DEGRADED || rc == OCF_DEGRADED_PROMOTED)
		ocf_reason("%s", *detail != '\0' ? detail : row);
}

static int
on_monitor(struct ocf *o)
{
	char seen[OCF_REASON_MAX] = "", said[OCF_REASON_MAX] = "";
	const struct mt_row *row;
	struct ctl_status st;
	enum mt_daemon daemon;
	struct mss m;
	int state, rc;

	read_mss(o, &m);
	state = address_look(&m.address, seen);
	if (state < 0) { /* then say nothing that gives the address away */
		score_write(o, CTL_SCORE_NEVER, false);
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look at the addresses of this host: %s",
		    strerror(-state));
	}
	daemon = look_at_daemon(o, &m, &st, said);
	if (is_driven_by_other(&st))
		return OCF_NOT_RUNNING;
	daemon = look_further(&m, daemon, (enum address_state)state, &st, said);
	row = monitor_answer(daemon, (enum address_state)state);
	rc = o->is_probe ? row->probe : row->rc;
	/* The score goes first: by the time Pacemaker hears of a failure it
	 * must already prefer the peer. */
	if (monitor_is_failure(rc) && !o->is_probe)
		score_fell(o);
	score_write(
	    o, monitor_is_failure(rc) ? CTL_SCORE_NEVER : st.score, false);
	explain(o, rc, row->why, seen[0] != '\0' ? seen : said);
	return rc;
}

/* ---- the rest ---- */

static int
on_validate(struct ocf *o)
{
	struct mss m;

	if (o->level < 10)
		return OCF_SUCCESS;
	read_mss(o, &m);
	if (!server_is_installed(o, &m.server))
		return OCF_ERR_INSTALLED;
	return address_validate(o, &m.address);
}

static int
on_nothing(struct ocf *o)
{
	return OCF_SUCCESS;
}

static const struct ocf_param params[] = {
    ADDRESS_PARAMS(false,
	"The floating address that the active server is reached under, for "
	"example 192.0.2.10 or 2001:db8::10. With it this one resource is the "
	"whole set-up. Without it the agent carries no address: then a "
	"resource of ocf:claviger:network-name stands beside this one, with "
	"the promoted role."),
    {.name = "network_name",
	.type = OCF_STRING,
	.reloadable = true,
	.shortdesc = "Host name of the address",
	.longdesc = "The name by which members know the server. It is for "
		    "people to read: the agent does not register it."},
    {.name = "binary",
	.type = OCF_STRING,
	.def = CLV_SBINDIR "/clavigerd",
	.shortdesc = "The daemon",
	.longdesc = "Path of clavigerd."},
    {.name = "config",
	.type = OCF_STRING,
	.def = CLV_SYSCONFDIR "/claviger/claviger.conf",
	.shortdesc = "Configuration file",
	.longdesc = "Path of the daemon's configuration file, which claviger "
		    "init or claviger join writes."},
    {.name = "socket",
	.type = OCF_STRING,
	.def = CTL_SOCKET,
	.group = "socket",
	.shortdesc = "Control socket",
	.longdesc = "Path of the daemon's control socket: control.sock in its "
		    "run_dir."},
};

static const struct ocf_action actions[] = {
    {.name = "start",
	.timeout_s = 30,
	.handler = on_start,
	.strict = true,
	.root = true},
    {.name = "stop", .timeout_s = 30, .handler = on_stop, .root = true},
    {.name = "promote",
	.timeout_s = 30,
	.handler = on_promote,
	.strict = true,
	.root = true},
    {.name = "demote", .timeout_s = 20, .handler = on_demote, .root = true},
    {.name = "monitor",
	.timeout_s = 20,
	.interval_s = 5,
	.role = "Promoted",
	.handler = on_monitor},
    {.name = "monitor",
	.timeout_s = 20,
	.interval_s = 10,
	.role = "Unpromoted",
	.handler = on_monitor},
    {.name = "reload-agent",
	.timeout_s = 20,
	.handler = on_nothing,
	.strict = true},
    {.name = "validate-all",
	.timeout_s = 20,
	.handler = on_validate,
	.strict = true},
    {.name = "meta-data", .timeout_s = 5},
    {.name = "notify", .handler = on_nothing, .hidden = true},
};

static const struct ocf_section sections[] = {
    {"EXIT STATUS",
	".Bl -tag -width Ds\n"
	".It 0\nstarted, stopped; standby and ready.\n"
	".It 1\nfailed, or the daemon does not answer; the exit reason says\n"
	"why.\n"
	".It 2\npromoted-max is not 1 (promote: another node may serve, and is "
	"not\nto be stopped for that).\n"
	".It 4\nnot root.\n"
	".It 5\nthe daemon or its configuration is missing on this node\n"
	"(start).\n"
	".It 6\na parameter is wrong, promoted-max is not 1, or the clone is\n"
	"globally unique (start, promote and validate-all, never a monitor, "
	"and\n"
	"for promoted-max not promote).\n"
	".It 7\nnot running, and no address is left.\n"
	".It 8\nactive.\n"
	".It 9\nthe address and the server do not fit together.\n"
	".It 190\nstandby, but not ready; the exit reason says why, and\n"
	".Cm pcs status\nshows it.\n"
	".It 191\nactive with limits, for example decryption only.\n"
	".El\n"},
    {"EXAMPLES",
	".Bd -literal\n"
	"pcs resource create mss ocf:claviger:master-secret "
	"ip=192.0.2.10 \\e\n"
	"    cidr_netmask=24 nic=eth0 network_name=secrets.example \\e\n"
	"    promotable\n"
	"crm configure primitive mss ocf:claviger:master-secret \\e\n"
	"    params ip=192.0.2.10 cidr_netmask=24 nic=eth0 \\e\n"
	"    op start timeout=30s op stop timeout=30s \\e\n"
	"    op promote timeout=30s op demote timeout=20s \\e\n"
	"    op monitor interval=5s role=Promoted timeout=20s \\e\n"
	"    op monitor interval=10s role=Unpromoted timeout=20s\n"
	"crm configure clone mss-clone mss meta promotable=true\n"
	".Ed\n"},
    {"PROMOTION",
	"The agent writes the node attribute\n.Cm master-NAME :\n"
	"100 active, 50 standby and proven, and \\-INFINITY in every other\n"
	"case, always.\nNo migration-threshold and no constraint is needed.\n"},
    {"SEE ALSO", ".Xr claviger 1 ,\n.Xr ocf_claviger_network-name 7 ,\n"
		 ".Xr clavigerd 8\n"},
};

static const struct ocf_agent agent = {
    .name = "master-secret",
    .version = PACKAGE_VERSION,
    .shortdesc = "Master secret server, with its floating address",
    .longdesc =
	"Drives the server role of clavigerd as a promotable clone: each "
	"instance is a warm standby, the promoted one is the active master "
	"secret server. With ip set the active one has the floating address "
	"too.\n\n"
	"A start starts clavigerd if it does not run; a stop ends it only if "
	"the agent had started it. A node that cannot serve is never "
	"promoted: its monitor shows why.",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
    .check = check,
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(sections[0]),
};

int
main(int argc, char **argv)
{
	return ocf_main(&agent, argc, argv);
}
