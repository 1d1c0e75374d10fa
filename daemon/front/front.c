/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front.h"
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"

/* The self-test costs milliseconds: after the daemon has reported ready, and
 * long before anybody is promoted. */
#define SELF_TEST_AFTER_MS 200

/* Of the other nodes' messages no more than this waits for the keeper: whoever
 * floods the group is not to silence what corosync itself says. */
#define DELIVER_QUEUE_MAX 262144

/* The threads never end, so what they use lives as long as the process. */
static struct front front;
static int status;

int
front_send(struct front *f, enum chan_type type, const struct clv_buf *body)
{
	int r;

	if (type == CHAN_DELIVER && chan_queued(f->chan) > DELIVER_QUEUE_MAX)
		return CLV_E_FULL;
	r = chan_send(f->chan, type, body);
	if (r == CLV_OK)
		loop_fd_set(
		    f->loop, chan_fd(f->chan), true, chan_wants_write(f->chan));
	if (r == CLV_OK ||
	    (r == CLV_E_FULL && (type == CHAN_REQUEST || type == CHAN_JOIN ||
				    type == CHAN_REPLY)))
		return r;
	/* A lost result would leave the keeper waiting for ever. */
	if (r != CLV_E_NO_SERVER) {
		log_error("cannot speak to the keeper: %s", clv_result_text(r));
		status = 1;
	}
	loop_stop(f->loop);
	return r;
}

int
front_self_test(struct front *f)
{
	loop_timer_del(f->loop, &f->self_test_timer);
	if (f->self_test <= 0)
		return f->self_test;
	f->self_test = tls_self_test();
	if (f->self_test != CLV_OK)
		log_error("the TLS self-test failed: strangers are not kept "
			  "out; this node will not listen");
	return f->self_test;
}

static void
on_self_test(void *arg)
{
	front_self_test(arg);
}

static void
on_message(void *arg, enum chan_type type, struct clv_rd *body)
{
	struct front *f = arg;
	struct clv_buf empty;

	switch (type) {
	case CHAN_SQL: front_db_sql(f, f->db, body); break;
	case CHAN_TLS: front_net_tls(f->net, body); break;
	case CHAN_PINS: front_net_pins(f->net, body); break;
	case CHAN_JOINERS: front_net_joiners(f->net, body); break;
	case CHAN_LISTEN: front_net_listen(f->net, body); break;
	case CHAN_UNLISTEN:
		front_net_unlisten(f->net);
		clv_buf_init(&empty);
		front_send(f, CHAN_CLOSED, &empty);
		break;
	case CHAN_ANSWER: front_net_answer(f->net, body); break;
	case CHAN_NOTICE: front_net_notice(f->net, body); break;
	case CHAN_CAST: front_cluster_cast(f->cluster, body); break;
	case CHAN_UPLINK: front_uplink_order(f->uplink, body); break;
	case CHAN_ASK: front_uplink_ask(f->uplink, body); break;
	default:
		log_error(
		    "the keeper sent a message of unknown type %d", (int)type);
	}
}

static void
on_chan(void *arg, int fd, bool readable, bool writable)
{
	struct front *f = arg;
	int r = CLV_OK;

	if (readable)
		r = chan_on_read(f->chan);
	if (r == CLV_OK && writable)
		r = chan_on_write(f->chan);
	if (r == CLV_OK) {
		loop_fd_set(f->loop, fd, true, chan_wants_write(f->chan));
		return;
	}
	/* How the keeper ended is the supervisor's to say. */
	if (r != CLV_E_NO_SERVER) {
		log_error(
		    "the keeper broke the protocol: %s", clv_result_text(r));
		status = 1;
	}
	loop_fd_del(f->loop, fd);
	loop_stop(f->loop);
}

static void
on_link(void *arg, int fd, bool readable, bool writable)
{
	struct front *f = arg;
	struct link_config m;
	enum link_word word = link_hear(fd, &m);

	if (word == LINK_SAYS_CONFIG)
		tls_enforce_expiry(m.c.enforce_expiry);
	if (word == LINK_SAYS_CONFIG || word == LINK_SILENT)
		return;
	loop_fd_del(f->loop, fd);
	loop_stop(f->loop);
}

/* The supervisor alone decides on the end: a signal that systemd sends to the
 * whole group must not take the front away from under the keeper. */
static void
ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static int
start(struct front *f, int chan, int link)
{
	int r;

	tls_enforce_expiry(f->config->enforce_expiry);
	if ((r = loop_new(&f->loop)) != CLV_OK ||
	    (r = chan_new(chan, on_message, f, &f->chan)) != CLV_OK ||
	    (r = loop_fd_add(f->loop, chan, true, false, on_chan, f)) !=
		CLV_OK ||
	    (r = loop_fd_add(f->loop, link, true, false, on_link, f)) !=
		CLV_OK ||
	    (r = front_net_new(f, &f->net)) != CLV_OK ||
	    (r = front_uplink_new(f, &f->uplink)) != CLV_OK ||
	    (r = front_db_start(f, &f->db)) != CLV_OK ||
	    (r = front_cluster_start(f, &f->cluster)) != CLV_OK)
		return r;
	/* On a member nothing ever listens. */
	if (!config_is_server(f->config))
		return CLV_OK;
	return loop_timer_set(
	    f->loop, &f->self_test_timer, SELF_TEST_AFTER_MS, on_self_test, f);
}

int
front_main(const struct config *c, int chan, int link)
{
	struct front *f = &front;
	int r;

	ignore_signals();
	/* One heap for all threads, which gives large blocks back. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 131072);
	f->config = c;
	f->self_test = 1;
	/* Before the threads are made, so that it is theirs too. */
	if ((r = front_seccomp()) != CLV_OK ||
	    (r = start(f, chan, link)) != CLV_OK) {
		log_error("the front cannot start: %s", clv_result_text(r));
		return 1;
	}
	process_detach();
	loop_run(f->loop);
	front_net_free(&f->net);
	front_uplink_free(&f->uplink);
	return status;
}
