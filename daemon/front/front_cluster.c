/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front.h"
#include "daemon/base/log.h"

/*
 * Corosync's client libraries wait without limit when corosync is frozen, so
 * they live in a thread of their own. Each second it asks corosync something
 * and tells the keeper what it heard; whatever holds the thread up silences
 * it, and the keeper takes silence for the loss of quorum.
 */
#define COROSYNC_CONF CLV_SYSCONFDIR "/corosync/corosync.conf"
#define COROSYNC_CONF_STOCK "/etc/corosync/corosync.conf"
#define TICK_MS 1000
#define RETRY_MS 250 /* to connect again */
#define RESEND_MS 50 /* a message that corosync could not take yet */
#define MESSAGE_MAX 16384
#define GROUP_KEY_LEN 24 /* characters of the system's public key */

struct front_cluster {
	struct front *front;
	struct front_worker *worker; /* NULL: no cluster on this host (yet) */
	struct loop_timer *timer;
	/* below: the thread's */
	bool has_cpg;
	bool has_quorum;
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	unsigned node;
	bool joined;
	bool quorate;
	uint32_t members;
	uint64_t heard_ms; /* as of when `quorate` is known */
	uint64_t tick_ms;  /* when the next report is due */
	bool pending;	   /* a message waits to be sent again */
	struct clv_buf message;
	cs_error_t said; /* last failure that was logged */
	bool oversize;	 /* ... and a message that is too long */
};

static void
status_format(struct clv_buf *b, bool configured, bool connected, bool quorate,
    uint32_t members, uint64_t when_ms)
{
	clv_buf_init(b);
	clv_buf_u8(b, configured);
	clv_buf_u8(b, connected);
	clv_buf_u8(b, quorate);
	clv_buf_u32(b, members);
	clv_buf_u64(b, when_ms);
}

/* ---- the thread ---- */

static void
report(struct front_cluster *c)
{
	struct clv_buf b;

	status_format(&b, true, c->joined, c->joined && c->quorate,
	    c->joined ? c->members : 0, c->heard_ms);
	front_mail_put(c->worker->out, CHAN_CLUSTER, &b, true);
	clv_buf_fini(&b);
	c->tick_ms = loop_now_ms() + TICK_MS;
}

static void
on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
    uint32_t pid, void *msg, size_t len)
{
	struct front_cluster *c = NULL;
	struct clv_buf b;

	if (cpg_context_get(handle, (void **)&c) != CS_OK)
		return;
	if (len > MESSAGE_MAX) {
		if (!c->oversize)
			front_worker_log(c->worker, true,
			    "node %u sent a cluster message of %zu bytes: "
			    "ignored, as are more of them",
			    node, len);
		c->oversize = true;
		return;
	}
	clv_buf_init(&b);
	clv_buf_u32(&b, node);
	clv_buf_u8(&b, node == c->node && pid == (uint32_t)getpid());
	clv_buf_bytes(&b, msg, len);
	front_mail_put(c->worker->out, CHAN_DELIVER, &b, false);
	clv_buf_fini(&b);
}

/* Nodes, not processes: one node may not count twice. */
static uint32_t
count_nodes(const struct cpg_address *list, size_t n)
{
	uint32_t count = 0;
	size_t i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < i && list[j].nodeid != list[i].nodeid;)
			j++;
		if (j == i)
			count++;
	}
	return count;
}

static void
on_members(cpg_handle_t handle, const struct cpg_name *group,
    const struct cpg_address *list, size_t n, const struct cpg_address *left,
    size_t n_left, const struct cpg_address *joined, size_t n_joined)
{
	struct front_cluster *c = NULL;
	size_t i;

	if (cpg_context_get(handle, (void **)&c) != CS_OK)
		return;
	c->members = count_nodes(list, n);
	c->joined = false;
	for (i = 0; i < n; i++) {
		if (list[i].nodeid == c->node &&
		    list[i].pid == (uint32_t)getpid())
			c->joined = true;
	}
	report(c);
}

static void
on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
    uint32_t n, const uint32_t *list)
{
	const void *context = NULL;
	struct front_cluster *c;

	if (quorum_context_get(handle, &context) != CS_OK)
		return;
	c = (struct front_cluster *)context;
	if (c->quorate != (quorate != 0))
		front_worker_log(c->worker, quorate == 0,
		    "corosync: quorum %s, %u nodes",
		    quorate != 0 ? "gained" : "lost", n);
	c->quorate = quorate != 0;
	c->heard_ms = loop_now_ms();
	report(c);
}

/* Log a failure when it is another one than last time. */
static void
complain(struct front_cluster *c, const char *what, cs_error_t e)
{
	if (c->said == e)
		return;
	c->said = e;
	if (e == CS_ERR_ACCESS)
		front_worker_log(c->worker, true,
		    "corosync does not admit user %s: put "
		    "claviger-uidgid.conf into /etc/corosync/uidgid.d and run "
		    "corosync-cfgtool -R",
		    c->front->config->front_user);
	else if (e == CS_ERR_LIBRARY)
		front_worker_log(
		    c->worker, true, "corosync does not run; trying again");
	else
		front_worker_log(c->worker, true,
		    "corosync: %s: error %d; trying again", what, (int)e);
}

static cs_error_t
join_group(struct front_cluster *c)
{
	cpg_model_v1_data_t model = {
	    .model = CPG_MODEL_V1,
	    .cpg_deliver_fn = on_deliver,
	    .cpg_confchg_fn = on_members,
	};
	struct cpg_name group;
	cs_error_t e;
	int n;

	e = cpg_model_initialize(
	    &c->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&model, c);
	if (e != CS_OK)
		return e;
	c->has_cpg = true;
	if ((e = cpg_local_get(c->cpg, &c->node)) != CS_OK)
		return e;
	n = snprintf(group.value, sizeof(group.value), "claviger/%.*s",
	    GROUP_KEY_LEN, c->front->config->system);
	group.length = (uint32_t)n;
	return cpg_join(c->cpg, &group);
}

static cs_error_t
track_quorum(struct front_cluster *c)
{
	quorum_model_v1_data_t model = {
	    .model = QUORUM_MODEL_V1,
	    .quorum_notify_fn = on_quorum,
	};
	uint32_t type;
	cs_error_t e;

	e = quorum_model_initialize(&c->quorum, QUORUM_MODEL_V1,
	    (quorum_model_data_t *)&model, &type, c);
	if (e != CS_OK)
		return e;
	c->has_quorum = true;
	return quorum_trackstart(
	    c->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
}

static void
disconnect(struct front_cluster *c)
{
	front_mail_accept(c->worker->in, false);
	if (c->has_cpg)
		cpg_finalize(c->cpg);
	if (c->has_quorum)
		quorum_finalize(c->quorum);
	c->has_cpg = c->has_quorum = c->joined = c->quorate = false;
	c->members = 0;
	c->pending = false;
	clv_buf_fini(&c->message);
}

static bool
connect_corosync(struct front_cluster *c)
{
	const char *what = "joining the group";
	cs_error_t e;

	if ((e = join_group(c)) == CS_OK) {
		what = "asking for quorum";
		e = track_quorum(c);
	}
	if (e == CS_OK)
		return true;
	if (e != CS_ERR_TRY_AGAIN)
		complain(c, what, e);
	disconnect(c);
	return false;
}

/* Send what waits, in order; what corosync cannot take now is kept. */
static cs_error_t
send_messages(struct front_cluster *c)
{
	struct iovec iov;
	cs_error_t e;
	unsigned type;

	for (;;) {
		if (!c->pending &&
		    !front_mail_get(c->worker->in, &type, &c->message))
			return CS_OK;
		iov.iov_base = c->message.data;
		iov.iov_len = c->message.len;
		e = cpg_mcast_joined(c->cpg, CPG_TYPE_AGREED, &iov, 1);
		c->pending = e == CS_ERR_TRY_AGAIN || e == CS_ERR_QUEUE_FULL;
		if (c->pending)
			return CS_OK;
		clv_buf_fini(&c->message);
		if (e != CS_OK)
			return e;
	}
}

/* A real round trip; then tell. What is heard is as old as the question: a
 * corosync that was frozen answers first, and finds out later that it has been
 * alone for long. */
static cs_error_t
tick(struct front_cluster *c)
{
	uint64_t asked_ms = loop_now_ms();
	int quorate = 0;
	cs_error_t e;

	if (asked_ms < c->tick_ms)
		return CS_OK;
	e = quorum_getquorate(c->quorum, &quorate);
	if (e == CS_ERR_TRY_AGAIN) { /* not heard: nothing to tell */
		c->tick_ms = loop_now_ms() + RETRY_MS;
		return CS_OK;
	}
	if (e != CS_OK)
		return e;
	c->quorate = quorate != 0;
	c->heard_ms = asked_ms;
	report(c);
	return CS_OK;
}

static int
wait_events(struct front_cluster *c, struct pollfd p[static 3])
{
	uint64_t now = loop_now_ms();
	uint64_t wait_ms = c->tick_ms > now ? c->tick_ms - now : 0;
	int fd[2] = {-1, -1};

	cpg_fd_get(c->cpg, &fd[0]);
	quorum_fd_get(c->quorum, &fd[1]);
	p[0] = (struct pollfd){.fd = fd[0], .events = POLLIN};
	p[1] = (struct pollfd){.fd = fd[1], .events = POLLIN};
	p[2] = (struct pollfd){
	    .fd = front_mail_fd(c->worker->in), .events = POLLIN};
	if (c->pending) {
		p[2].fd = -1;
		wait_ms = wait_ms < RESEND_MS ? wait_ms : RESEND_MS;
	}
	return poll(p, 3, (int)wait_ms);
}

/* One round; CS_OK to go on. */
static cs_error_t
serve_round(struct front_cluster *c)
{
	struct pollfd p[3];
	cs_error_t e = CS_OK;

	if (wait_events(c, p) < 0)
		return errno == EINTR ? CS_OK : CS_ERR_LIBRARY;
	if (p[0].revents != 0)
		e = cpg_dispatch(c->cpg, CS_DISPATCH_ALL);
	if ((e == CS_OK || e == CS_ERR_TRY_AGAIN) && p[1].revents != 0)
		e = quorum_dispatch(c->quorum, CS_DISPATCH_ALL);
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		return e;
	if ((e = send_messages(c)) != CS_OK)
		return e;
	return tick(c);
}

static void *
run(void *arg)
{
	struct front_worker *w = arg;
	struct front_cluster *c = w->arg;
	cs_error_t e;

	for (;;) {
		if (connect_corosync(c)) {
			c->said = CS_OK;
			front_worker_log(w, false,
			    "corosync: connected, node id %u", c->node);
			front_mail_accept(w->in, true);
			while ((e = serve_round(c)) == CS_OK)
				continue;
			disconnect(c);
			complain(c, "connection lost", e);
			report(c);
		}
		poll(NULL, 0, RETRY_MS);
		if (loop_now_ms() >= c->tick_ms)
			report(c);
	}
	return NULL;
}

/* ---- the loop's side ---- */

static bool
is_configured(const struct front *f)
{
	if (strcmp(f->config->cluster, "no") == 0 ||
	    strcmp(f->config->role, "member") == 0)
		return false;
	if (strcmp(f->config->cluster, "yes") == 0)
		return true;
	return access(COROSYNC_CONF, F_OK) == 0 ||
	       access(COROSYNC_CONF_STOCK, F_OK) == 0;
}

static void
start_thread(struct front_cluster *c)
{
	if (front_worker_start(c->front, run, NULL, c, &c->worker) != CLV_OK) {
		c->worker = NULL;
		log_error("cannot start the thread for corosync: %s",
		    strerror(errno));
	}
}

/* As long as there is no cluster: look whether one has been set up. */
static void
on_timer(void *arg)
{
	struct front_cluster *c = arg;
	bool configured = is_configured(c->front);
	struct clv_buf b;

	if (configured)
		start_thread(c);
	if (c->worker != NULL)
		return;
	status_format(&b, configured, false, false, 0, loop_now_ms());
	front_send(c->front, CHAN_CLUSTER, &b);
	clv_buf_fini(&b);
	loop_timer_set(c->front->loop, &c->timer, TICK_MS, on_timer, c);
}

int
front_cluster_start(struct front *f, struct front_cluster **ret)
{
	struct front_cluster *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return CLV_E_NOMEM;
	c->front = f;
	clv_buf_init(&c->message);
	*ret = c;
	on_timer(c);
	return CLV_OK;
}

void
front_cluster_cast(struct front_cluster *c, struct clv_rd *rd)
{
	struct clv_buf b;
	const uint8_t *p;
	size_t len;

	p = clv_rd_bytes(rd, &len);
	if (clv_rd_end(rd) != CLV_OK || len > MESSAGE_MAX) {
		log_error("a cluster message of the keeper is malformed");
		return;
	}
	if (c->worker == NULL)
		return; /* the keeper knows that there is no cluster */
	clv_buf_init(&b);
	clv_buf_raw(&b, p, len);
	front_mail_put(c->worker->in, CHAN_CAST, &b, false);
	clv_buf_fini(&b);
}
