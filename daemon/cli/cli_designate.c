/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "daemon/cli/cli.h"

/*
 * claviger designate: the role by hand, where nobody else moves it. The daemon
 * does what it does for the agent: it proves that it can serve, takes the
 * epoch, and answers when it serves. What an agent would see to besides is seen
 * to here: that no other server is alive, and where the address is.
 */
#define LEASE_STEP_MS 250

struct designate {
	struct ctl_status st;
	struct clv_list *list;
	char was[CLV_NAME_MAX]; /* who was active last, "": nobody known */
	bool active;		/* this node is already */
	bool moved;		/* the address, by --address-command */
};

/* ---- may it be done by hand? ---- */

static int
refuse_managed(struct cli *c, const struct designate *d)
{
	if (d->st.resource[0] != '\0')
		return cli_fail(c, CLV_E_PERMISSION,
		    "pcs resource move, or pcs node standby; crm has the same",
		    "Pacemaker manages the role here, by the resource %s, and "
		    "would take it back",
		    d->st.resource);
	if ((d->st.flags & CTL_FLAG_CLUSTER) == 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_PERMISSION,
	    "make a resource of it: claviger cluster commands; or, without "
	    "Pacemaker, set cluster = no on every server node",
	    "this host is a node of a cluster: Pacemaker manages the role");
}

static int
look(struct cli *c, struct designate *d, const char *name)
{
	const struct clv_list_node *n;
	int r = cli_ctl_status(c, &d->st);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    "start clavigerd here: the role lasts as long as it runs",
		    "the role is clavigerd's, which cannot be asked: %s",
		    clv_result_text(r));
	r = refuse_managed(c, d);
	if (r == CLV_OK)
		r = cli_list_need(c, &d->list);
	if (r != CLV_OK)
		return r;
	n = clv_list_node_by_name(d->list, name);
	if (n != NULL && !n->revoked)
		return CLV_OK;
	return cli_fail(c, n != NULL ? CLV_E_REVOKED : CLV_E_NOT_FOUND,
	    "claviger node list", "there is no server node %s%s", name,
	    n != NULL ? " any more: it was revoked" : "");
}

static int
check_ready(struct cli *c, const struct designate *d)
{
	if ((d->st.flags & CTL_FLAG_PROVEN) == 0)
		return cli_fail(c, CLV_E_NOT_READY, "claviger status",
		    "this node cannot open the secret: %s", d->st.reason);
	if ((d->st.flags & CTL_FLAG_DATABASE) != 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_NOT_READY,
	    "wait until the database is back: claviger status",
	    "the database cannot be asked whether another server is active");
}

/* ---- is the other one dead? ---- */

static void
pause_ms(unsigned ms)
{
	const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static int
is_alive(struct cli *c, const struct designate *d)
{
	char next[256];

	snprintf(next, sizeof(next),
	    "claviger designate %s, on %s: it gives the role up; or end its "
	    "clavigerd",
	    d->st.node, d->was);
	return cli_fail(
	    c, CLV_E_BUSY, next, "%s is active: it renews its lease", d->was);
}

/* Who holds the lease, by its name; false when no other node does. */
static bool
note_holder(struct designate *d, struct clv_store *db)
{
	uint8_t holder = (uint8_t)clv_store_get_u64(db, 0, 3);
	const struct clv_list_node *n =
	    clv_list_node_by_number(d->list, holder);

	if (holder == 0 || holder == d->st.node_number)
		return false;
	if (n != NULL)
		snprintf(d->was, sizeof(d->was), "%s", n->party.name);
	else
		snprintf(d->was, sizeof(d->was), "node %u", holder);
	return clv_store_get_u64(db, 0, 5) > 0;
}

/* Who is alive renews it; of a dead one's nothing is left after a while. */
static int
wait_for_lease(struct cli *c, struct designate *d, struct clv_store *db)
{
	uint64_t left_ms, last_ms = 0;
	int r;

	while ((r = cli_db_hello(c, db)) == CLV_OK && note_holder(d, db)) {
		left_ms = clv_store_get_u64(db, 0, 5);
		if (last_ms == 0)
			cli_progress("waiting whether %s is alive", d->was);
		else if (left_ms > last_ms)
			return is_alive(c, d);
		last_ms = left_ms;
		pause_ms(LEASE_STEP_MS);
	}
	return r;
}

static int
others_are_gone(struct cli *c, struct designate *d)
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	int r = cli_db_open(c, c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);

	if (r == CLV_OK)
		r = wait_for_lease(c, d, db);
	clv_store_free(&db);
	return r;
}

/* ---- the address ---- */

/* What has the command say belongs to stderr: results are ours. */
static int
run_command(const char *command, const char *verb, const struct ctl_status *st)
{
	char *const envp[] = {
	    (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			_exit(126);
		execle("/bin/sh", "sh", "-c", command, "claviger", verb,
		    st->address, st->network_name, (char *)NULL, envp);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

/* A command that finds the address where it should be says that it failed. */
static int
move_address(struct cli *c, const struct designate *d, bool up)
{
	const char *command = cli_opt(c, "address-command");
	const char *verb = up ? "add" : "del";
	int status;

	if (command == NULL)
		return CLV_OK;
	status = run_command(command, verb, &d->st);
	if (status == 0)
		return CLV_OK;
	if (cli_net_is_local(d->st.address) == up) {
		cli_warn(c,
		    "the command for the address ended with status %d, but %s "
		    "is %s",
		    status, d->st.address, up ? "up" : "down");
		return CLV_OK;
	}
	return cli_fail(c, CLV_E_SYSTEM, "look at what it said",
	    "the command for the address ended with status %d (%s %s)", status,
	    verb, d->st.address);
}

/* A host whose daemon is dead may have it still. */
static int
address_is_free(struct cli *c, const struct designate *d)
{
	struct cli_failure f = {.text = ""};
	int r;

	if (cli_opt(c, "force-address") != NULL ||
	    cli_net_is_local(d->st.address))
		return CLV_OK;
	c->kept = &f;
	r = cli_net_free(c, d->st.address);
	c->kept = NULL;
	return r == CLV_OK ? r
			   : cli_fail(c, r,
				 "take it down there first, or "
				 "give --force-address",
				 "%s", f.text);
}

/* ---- the role ---- */

static int
tell(struct cli *c, struct designate *d, enum ctl_op op, const void *body,
    size_t len)
{
	struct cli_reply reply;
	int r = cli_ctl(c, op, body, len, &reply, CLI_ADMIN_TIMEOUT_MS);

	if (reply.len == sizeof(d->st))
		memcpy(&d->st, reply.body, sizeof(d->st));
	d->st.reason[sizeof(d->st.reason) - 1] = '\0';
	return r;
}

static int
promote(struct cli *c, struct designate *d)
{
	const struct ctl_start start = {.resource = ""};
	struct designate after = *d; /* its answer brings the reason */
	int r = tell(c, d, CTL_START, &start, sizeof(start));

	if (r == CLV_OK)
		r = tell(c, d, CTL_PROMOTE, NULL, 0);
	if (r == CLV_OK)
		return r;
	(void)tell(c, &after, CTL_STOP, NULL, 0);
	return cli_fail(c, r, "claviger status; the daemon's log says more",
	    "%s did not take the role: %s", d->st.node,
	    d->st.reason[0] != '\0' ? d->st.reason : clv_result_text(r));
}

static void
print(struct cli *c, const struct designate *d, const char *role,
    const char *text, const char *next)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("%s\nnext: %s\n", text, next);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, "node", d->st.node);
	cli_json_str(j, "role", role);
	cli_json_u64(j, "epoch", d->st.epoch);
	cli_json_str(j, "address", d->st.address);
	cli_json_bool(j, "address_moved", d->moved);
	cli_json_str(j, "message", text);
	cli_json_str(j, "next", next);
	cli_json_print(j);
}

static void
print_taken(struct cli *c, const struct designate *d)
{
	char text[512], next[512];
	const char *other = d->was[0] != '\0' ? d->was : "OTHER";

	snprintf(text, sizeof(text),
	    "%s is the active server, with epoch %" PRIu64
	    "; after a restart of clavigerd it is no more",
	    d->st.node, d->st.epoch);
	snprintf(next, sizeof(next),
	    "%s%s%sto undo it, claviger designate %s here and then there",
	    d->moved ? "" : "bring the address ", d->moved ? "" : d->st.address,
	    d->moved ? "" : " up on this host, so that members find it; ",
	    other);
	print(c, d, "active", text, next);
}

static int
take(struct cli *c, struct designate *d)
{
	int r = CLV_OK;

	d->active = d->st.role == CTL_ROLE_ACTIVE;
	if (!d->active) {
		r = check_ready(c, d);
		if (r == CLV_OK)
			r = others_are_gone(c, d);
		if (r == CLV_OK)
			r = address_is_free(c, d);
		if (r == CLV_OK)
			r = promote(c, d);
	}
	if (r != CLV_OK)
		return r;
	r = move_address(c, d, true);
	if (r != CLV_OK) { /* not half: nobody would reach it */
		if (!d->active)
			(void)tell(c, d, CTL_STOP, NULL, 0);
		return r;
	}
	d->moved = cli_opt(c, "address-command") != NULL;
	print_taken(c, d);
	return CLV_OK;
}

static int
give_up(struct cli *c, struct designate *d, const char *name)
{
	char text[256], next[256];
	int r;

	if (d->st.role == CTL_ROLE_OFF)
		return cli_fail(c, CLV_E_USAGE, "run it on that node",
		    "%s has no role to give up, and only the clavigerd on %s "
		    "can take it there",
		    d->st.node, name);
	r = move_address(c, d, false);
	if (r != CLV_OK)
		return r;
	r = tell(c, d, CTL_STOP, NULL, 0);
	if (r != CLV_OK)
		return cli_fail(c, r, "repeat it; or end clavigerd here",
		    "%s has not given the role up: %s", d->st.node,
		    d->st.reason[0] != '\0' ? d->st.reason
					    : clv_result_text(r));
	d->moved = cli_opt(c, "address-command") != NULL;
	snprintf(text, sizeof(text), "%s gave the role up%s%s", d->st.node,
	    d->moved ? "" : "; take its address down: ",
	    d->moved ? "" : d->st.address);
	snprintf(
	    next, sizeof(next), "claviger designate %s, on %s", name, name);
	print(c, d, "off", text, next);
	return CLV_OK;
}

int
cli_designate(struct cli *c)
{
	const char *name = c->args[0];
	struct designate d = {.list = NULL};
	int r = look(c, &d, name);

	if (r == CLV_OK)
		r = strcmp(name, d.st.node) == 0 ? take(c, &d)
						 : give_up(c, &d, name);
	clv_list_free(&d.list);
	return r;
}
