/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/cli/drill/cli_drill_failover.h"
#include "daemon/base/loop.h"

/* One move of the role: by a constraint that is cleared again, while a client
 * asks and the cluster records. */
#define TOOL_MS 20000
#define FETCH_MS 3000 /* a client that waits longer asks anew */
#define MOVE_MS 60000
#define READY_MS 90000
#define LIFETIME "PT5M"

bool
failover_is_stopped(struct failover *f)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t pending;

	if (sigpending(&pending) == 0)
		for (size_t i = 0; i < 4; i++)
			f->stopped |= sigismember(&pending, signals[i]) == 1;
	return f->stopped;
}

/* ---- what a client sees ---- */

static bool
value_of(const struct clv_buf *text, const char *key, char *dst, size_t cap)
{
	const char *line = (const char *)text->data;
	const size_t len = strlen(key);

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != ' ')
			continue;
		line += len + strspn(line + len, " ");
		snprintf(dst, cap, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

/* Of a process of its own, as a member's would be. */
static bool
fetch(struct cli *c, char server[static FAILOVER_NAME], uint64_t *ret_epoch)
{
	const char *const argv[] = {
	    "/proc/self/exe", "--config", c->path, "fetch", "--check", NULL};
	struct clv_buf out;
	char epoch[32] = "";
	bool ok;

	clv_buf_init(&out);
	out.max = 65536;
	ok = cli_tool_read(argv, FETCH_MS, &out) == CLV_OK;
	clv_buf_u8(&out, '\0');
	ok = ok && !out.failed &&
	     value_of(&out, "server", server, FAILOVER_NAME) &&
	     value_of(&out, "epoch", epoch, sizeof(epoch));
	*ret_epoch = strtoull(epoch, NULL, 10);
	clv_buf_fini(&out);
	return ok;
}

/* One answer, or none, written in one piece. */
struct seen {
	uint64_t at_ms, epoch;
	bool ok;
	char server[FAILOVER_NAME];
};

struct client {
	pid_t pid;
	int fd;
};

static void __attribute__((noreturn)) ask_on(struct cli *c, int fd)
{
	struct seen s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		memset(&s, 0, sizeof(s));
		s.ok = fetch(c, s.server, &s.epoch);
		s.at_ms = loop_now_ms();
	} while (write(fd, &s, sizeof(s)) == (ssize_t)sizeof(s));
	_exit(0);
}

static bool
client_start(struct cli *c, struct client *client)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	client->pid = fork();
	if (client->pid == 0) {
		close(fd[0]);
		ask_on(c, fd[1]);
	}
	close(fd[1]);
	client->fd = fd[0];
	if (client->pid > 0)
		return true;
	close(fd[0]);
	return false;
}

static void
client_stop(struct client *client)
{
	close(client->fd);
	kill(client->pid, SIGKILL);
	while (waitpid(client->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool
client_next(struct client *client, int wait_ms, struct seen *ret)
{
	struct pollfd p = {.fd = client->fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) > 0 &&
	       read(client->fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

/* One slow answer is nothing. */
static bool
client_answered(struct client *client)
{
	const uint64_t deadline = loop_now_ms() + 10 * FETCH_MS;
	struct seen s;

	while (loop_now_ms() < deadline)
		if (client_next(client, FETCH_MS, &s) && s.ok)
			return true;
	return false;
}

/* ---- what the cluster has recorded ---- */

static int
score_of(struct failover *f, struct cib *cib, const char *node)
{
	char name[160], value[32];

	snprintf(name, sizeof(name), "master-%s", f->k.id);
	cib_let(cib, "name", name);
	cib_let(cib, "node", node);
	if (!cib_text(cib, NULL,
		"status/node_state[@uname=$node]/transient_attributes/"
		"instance_attributes/nvpair[@name=$name]/@value",
		value, sizeof(value)))
		return 0;
	return (int)strtol(value, NULL, 10);
}

/* Which call it was: another number is another time. */
static long
call_of(struct failover *f, struct cib *cib, const char *node,
    const char *operation)
{
	char value[32], instance[160];

	snprintf(instance, sizeof(instance), "%s:", f->k.id);
	cib_let(cib, "node", node);
	cib_let(cib, "name", operation);
	cib_let(cib, "id", f->k.id);
	cib_let(cib, "instance", instance);
	(void)cib_text(cib, NULL,
	    "status/node_state[@uname=$node]/lrm/lrm_resources/lrm_resource["
	    "@id=$id or starts-with(@id, $instance)]/lrm_rsc_op["
	    "@operation=$name and @rc-code='0']/@call-id",
	    value, sizeof(value));
	return atol(value);
}

struct calls {
	long demote, promote;
};

static struct calls
calls_of(struct failover *f, struct cib *cib, const struct failover_move *m)
{
	struct calls ret = {call_of(f, cib, m->from, "demote"),
	    call_of(f, cib, m->to, "promote")};

	return ret;
}

bool
failover_all_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap)
{
	const struct clv_list *list = f->k.list;
	struct cib *cib = NULL;
	const char *name;
	bool two = false;
	int score;

	active[0] = why[0] = '\0';
	if (doctor_cib_ask(&cib) != CLV_OK) {
		snprintf(why, cap, "Pacemaker does not answer");
		return false;
	}
	for (size_t i = 0; i < list->node_count; i++) {
		name = list->nodes[i].party.name;
		score = list->nodes[i].revoked ? 1 : score_of(f, cib, name);
		if (score <= 0)
			snprintf(
			    why, cap, "%s is not ready to take over", name);
		else if (score >= CTL_SCORE_ACTIVE && active[0] != '\0')
			two = true;
		else if (score >= CTL_SCORE_ACTIVE)
			snprintf(active, FAILOVER_NAME, "%s", name);
	}
	cib_free(&cib);
	if (two) /* the agent lowers the score a little after a demotion */
		active[0] = '\0';
	if (why[0] == '\0' && active[0] == '\0')
		snprintf(
		    why, cap, "%s", two ? FAILOVER_TWO : "no node is active");
	return why[0] == '\0';
}

bool
failover_wait_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap)
{
	const uint64_t deadline = loop_now_ms() + READY_MS;

	while (!failover_all_ready(f, active, why, cap)) {
		if (failover_is_stopped(f) || loop_now_ms() >= deadline)
			return false;
		poll(NULL, 0, 200);
	}
	return true;
}

/* ---- constraints ---- */

int
failover_constraints(struct cib *cib, struct clv_buf *ret)
{
	clv_buf_reset(ret);
	return cib_print(
	    cib, cib_find(cib, NULL, "configuration/constraints", 0), ret);
}

static bool
are_as_before(struct failover *f)
{
	struct cib *cib = NULL;
	struct clv_buf now;
	bool same = false;

	clv_buf_init(&now);
	if (doctor_cib_ask(&cib) == CLV_OK &&
	    failover_constraints(cib, &now) == CLV_OK)
		same = now.len == f->constraints.len &&
		       memcmp(now.data, f->constraints.data, now.len) == 0;
	clv_buf_fini(&now);
	cib_free(&cib);
	return same;
}

static int
crm_resource(const char *const argv[])
{
	struct clv_buf out;
	int r;

	clv_buf_init(&out);
	r = cli_tool_read(argv, TOOL_MS, &out);
	clv_buf_fini(&out);
	return r;
}

static void
clear(struct failover *f)
{
	const char *const argv[] = {
	    "crm_resource", "--resource", f->k.clone_id, "--clear", NULL};
	const uint64_t deadline = loop_now_ms() + 2 * TOOL_MS;

	/* What the cluster has not done yet is not in what it says, either. */
	do {
		bool taken = crm_resource(argv) == CLV_OK;

		for (int i = 0; i < 20; i++) {
			f->restored = taken && are_as_before(f);
			if (f->restored)
				return;
			poll(NULL, 0, 100);
		}
	} while (loop_now_ms() < deadline);
}

/* ---- a move ---- */

static void
note(uint64_t *step, uint64_t since)
{
	if (*step == FAILOVER_NEVER)
		*step = loop_now_ms() - since;
}

static void
look_at_client(struct client *client, struct failover_move *m, uint64_t since)
{
	struct seen s;

	/* All that is there: the cluster is to be looked at, too. */
	for (int wait = 20; client_next(client, wait, &s); wait = 0) {
		if (s.at_ms < since)
			continue;
		m->asked++;
		if (!s.ok) {
			m->unanswered++;
		} else if (strcmp(s.server, m->to) == 0) {
			if (m->at_ms[FAILOVER_FIRST_KEY] == FAILOVER_NEVER)
				m->at_ms[FAILOVER_FIRST_KEY] = s.at_ms - since;
			m->epoch = s.epoch;
		} else if (m->at_ms[FAILOVER_FIRST_KEY] == FAILOVER_NEVER) {
			m->at_ms[FAILOVER_LAST_KEY] = s.at_ms - since;
		}
	}
}

static void
look_at_cluster(struct failover *f, struct failover_move *m,
    const struct calls *before, uint64_t since)
{
	struct cib *cib = NULL;
	struct calls now;

	if (doctor_cib_ask(&cib) != CLV_OK)
		return;
	now = calls_of(f, cib, m);
	cib_free(&cib);
	if (now.demote != before->demote)
		note(&m->at_ms[FAILOVER_DEMOTED], since);
	if (now.promote != before->promote)
		note(&m->at_ms[FAILOVER_PROMOTED], since);
}

static bool
is_done(const struct failover_move *m)
{
	return m->at_ms[FAILOVER_PROMOTED] != FAILOVER_NEVER &&
	       m->at_ms[FAILOVER_FIRST_KEY] != FAILOVER_NEVER;
}

static void
watch(struct failover *f, struct failover_move *m, struct client *client,
    const struct calls *before)
{
	const char *const argv[] = {"crm_resource", "--resource", f->k.clone_id,
	    "--move", "--node", m->to, "--promoted", "--lifetime", LIFETIME,
	    NULL};
	uint64_t since;

	if (!client_answered(client)) {
		snprintf(m->why, sizeof(m->why),
		    "this host does not obtain its keys: claviger doctor "
		    "--connect");
		return;
	}
	since = loop_now_ms();
	if (crm_resource(argv) != CLV_OK) {
		snprintf(m->why, sizeof(m->why),
		    "crm_resource did not take the request");
		return;
	}
	while (!is_done(m) && !failover_is_stopped(f) &&
	       loop_now_ms() - since <= MOVE_MS) {
		look_at_client(client, m, since);
		look_at_cluster(f, m, before, since);
	}
	if (!is_done(m) && f->stopped)
		snprintf(m->why, sizeof(m->why), "interrupted");
	else if (!is_done(m))
		snprintf(m->why, sizeof(m->why), "not done within %d s",
		    MOVE_MS / 1000);
}

static void
request(struct cli *c, struct failover *f, struct failover_move *m)
{
	struct client client;
	struct cib *cib = NULL;
	struct calls before;

	if (doctor_cib_ask(&cib) != CLV_OK) {
		snprintf(m->why, sizeof(m->why), "Pacemaker does not answer");
		return;
	}
	before = calls_of(f, cib, m);
	cib_free(&cib);
	if (!client_start(c, &client)) {
		snprintf(m->why, sizeof(m->why), "no process can be started");
		return;
	}
	watch(f, m, &client, &before);
	client_stop(&client);
}

/* Where the role is now, whatever became of the move; "": that is not certain.
 */
static void
settle(struct failover *f, struct failover_move *m)
{
	const uint64_t deadline = loop_now_ms() + READY_MS;
	char why[200];
	bool ready;

	do {
		ready = failover_all_ready(f, f->last, why, sizeof(why));
		if (m->why[0] != '\0' ? f->last[0] != '\0'
				      : ready && strcmp(f->last, m->to) == 0)
			return;
		poll(NULL, 0, 200);
	} while (loop_now_ms() < deadline &&
		 (m->why[0] != '\0' || !failover_is_stopped(f)));
	if (m->why[0] != '\0')
		return;
	if (f->stopped)
		snprintf(m->why, sizeof(m->why), "interrupted");
	else if (ready)
		snprintf(m->why, sizeof(m->why), "%.80s is active, not %.80s",
		    f->last, m->to);
	else
		snprintf(m->why, sizeof(m->why), "%s", why);
}

void
failover_move(
    struct cli *c, struct failover *f, const char *from, const char *to)
{
	struct failover_move *m = &f->moves[f->count++];

	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < FAILOVER_STEPS; i++)
		m->at_ms[i] = FAILOVER_NEVER;
	snprintf(m->from, sizeof(m->from), "%s", from);
	snprintf(m->to, sizeof(m->to), "%s", to);
	cli_progress("the role goes from %s to %s", from, to);
	request(c, f, m);
	clear(f);
	if (m->why[0] == '\0' && !f->restored)
		snprintf(m->why, sizeof(m->why),
		    "the constraint of the move could not be cleared");
	settle(f, m);
}
