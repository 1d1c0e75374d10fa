/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front_net.h"
#include "daemon/base/log.h"

/*
 * The table of connections, with its limits. They have an epoll set of their
 * own, which the loop sees as one descriptor: libqb looks through all it has
 * for each change, and with thousands of members a demotion took seconds.
 */
#define KNOWN_MAX 12000	      /* connections of enrolled peers */
#define UNKNOWN_MAX 64	      /* before their handshake is done */
#define UNKNOWN_SOURCE_MAX 16 /* ... of one host */
#define THUMB_MAX 8	      /* of one certificate; then the oldest goes */
#define EVICT_MS 250	      /* a handshake may take so long in a crowd */
#define FDS_RESERVE 64	      /* descriptors for everything else */
#define SWEEP_MS 250
#define ACCEPT_BURST 16
#define EVENT_BURST 64
#define LOG_LINES_MAX 10 /* about refused connections, a minute */
#define LOG_PERIOD_MS 60000

static void on_sweep(void *arg);
static void on_events(void *arg, int fd, bool readable, bool writable);
static void on_accept(void *arg, int fd, bool readable, bool writable);

static uint32_t
known_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 ||
	    rl.rlim_cur >= KNOWN_MAX + UNKNOWN_MAX + FDS_RESERVE)
		return KNOWN_MAX;
	if (rl.rlim_cur <= UNKNOWN_MAX + FDS_RESERVE)
		return 1;
	return (uint32_t)rl.rlim_cur - UNKNOWN_MAX - FDS_RESERVE;
}

int
front_net_new(struct front *f, struct front_net **ret)
{
	struct front_net *net = calloc(1, sizeof(*net));
	int r;

	if (net == NULL)
		return CLV_E_NOMEM;
	net->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = net->epoll < 0
		? CLV_E_SYSTEM
		: loop_fd_add(f->loop, net->epoll, true, false, on_events, net);
	if (r != CLV_OK) {
		if (net->epoll >= 0)
			close(net->epoll);
		free(net);
		return r;
	}
	net->front = f;
	net->listener = (struct front_listener){
	    .loop = f->loop, .fd = -1, .on_accept = on_accept, .arg = net};
	net->known_max = known_limit();
	*ret = net;
	return CLV_OK;
}

static void
arm_sweep(struct front_net *net)
{
	if (net->sweep == NULL)
		loop_timer_set(
		    net->front->loop, &net->sweep, SWEEP_MS, on_sweep, net);
}

/* ---- the table ---- */

static int
find_slot(struct front_net *net, uint32_t *ret)
{
	uint32_t i, size;
	struct front_conn **t;

	for (i = 0; i < net->size; i++) {
		net->hint = (net->hint + 1) % net->size;
		if (net->table[net->hint] == NULL) {
			*ret = net->hint;
			return CLV_OK;
		}
	}
	size = net->size == 0 ? 16 : net->size * 2;
	t = realloc(net->table, size * sizeof(struct front_conn *));
	if (t == NULL)
		return CLV_E_NOMEM;
	memset(t + net->size, 0, (size - net->size) * sizeof(*t));
	*ret = net->size;
	net->table = t;
	net->size = size;
	return CLV_OK;
}

struct front_conn *
front_table_find(const struct front_net *net, uint64_t id)
{
	uint32_t slot = (uint32_t)(id & 0xffff);
	struct front_conn *c = slot < net->size ? net->table[slot] : NULL;

	return c != NULL && c->id == id ? c : NULL;
}

static struct front_conn **
chain_of(struct front_net *net, const struct front_conn *c)
{
	const uint8_t *thumb = tls_conn_thumb(c->tls);

	return &net->chains[(thumb[0] << 8 | thumb[1]) % CHAINS];
}

/* In which list it is: with thousands of them nobody looks through all. */
static struct front_conn **
list_of(struct front_net *net, const struct front_conn *c)
{
	return front_conn_is_known(c) ? chain_of(net, c) : &net->strangers;
}

static void
enlist(struct front_conn **list, struct front_conn *c)
{
	c->other = *list;
	*list = c;
}

static void
delist(struct front_conn **list, const struct front_conn *c)
{
	while (*list != c)
		list = &(*list)->other;
	*list = c->other;
}

int
front_net_watch(
    struct front_net *net, struct front_conn *c, bool read, bool write)
{
	struct epoll_event e = {.data.u64 = c->id};
	int op = c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	e.events = EPOLLERR | EPOLLHUP; /* so that it is never 0 */
	e.events |= (read ? EPOLLIN : 0) | (write ? EPOLLOUT : 0);
	if (c->watched == e.events)
		return CLV_OK;
	if (epoll_ctl(net->epoll, op, tls_conn_fd(c->tls), &e) < 0)
		return CLV_E_SYSTEM;
	c->watched = e.events;
	return CLV_OK;
}

/* By number and not by pointer, as one event may end the connection of a later
 * one. */
static void
on_events(void *arg, int fd, bool readable, bool writable)
{
	struct front_net *net = arg;
	struct epoll_event e[EVENT_BURST];
	struct front_conn *c;
	int i, n;

	n = epoll_wait(net->epoll, e, EVENT_BURST, 0);
	for (i = 0; i < n; i++) {
		c = front_table_find(net, e[i].data.u64);
		if (c != NULL)
			front_conn_event(
			    c, (e[i].events & (EPOLLERR | EPOLLHUP)) != 0);
	}
}

/* A few lines a minute: a flood must not fill the log. */
static void
log_refusal(struct front_net *net, const struct front_conn *c, const char *why)
{
	char host[INET6_ADDRSTRLEN] = "", quoted[200];
	uint64_t now = loop_now_ms();

	if (now >= net->log_until_ms) {
		net->log_lines = 0;
		net->log_until_ms = now + LOG_PERIOD_MS;
	}
	if (net->log_lines++ >= LOG_LINES_MAX)
		return;
	inet_ntop(AF_INET6, c->source, host, sizeof(host));
	log_notice("connection from %s: %s%s", host,
	    log_quote(why, quoted, sizeof(quoted)),
	    net->log_lines == LOG_LINES_MAX
		? "; further ones are not logged for a minute"
		: "");
}

void
front_net_refused(struct front_net *net, const struct front_conn *c)
{
	log_refusal(net, c, tls_conn_text(c->tls));
}

/* Until a place is free, or the next sweep. */
static void
pause_accept(struct front_net *net)
{
	front_listener_pause(&net->listener);
	arm_sweep(net);
}

void
front_net_drop(struct front_net *net, struct front_conn *c, const char *why)
{
	if (why != NULL)
		log_refusal(net, c, why);
	delist(list_of(net, c), c);
	if (!front_conn_is_known(c))
		net->unknown--;
	if (c->joins)
		net->joiners--;
	net->count--;
	net->table[c->id & 0xffff] = NULL;
	front_conn_free(&c);
	front_listener_resume(&net->listener);
}

void
front_table_drop_all(struct front_net *net)
{
	uint32_t i;

	for (i = 0; i < net->size; i++) {
		if (net->table[i] != NULL)
			front_net_drop(net, net->table[i], NULL);
	}
}

void
front_net_free(struct front_net **ret)
{
	struct front_net *net = *ret;

	*ret = NULL;
	if (net == NULL)
		return;
	front_net_unlisten(net);
	loop_timer_del(net->front->loop, &net->sweep);
	loop_fd_del(net->front->loop, net->epoll);
	close(net->epoll);
	tls_ctx_free(&net->ctx);
	front_pins_free(&net->pins);
	free(net->table);
	free(net);
}

/* ---- limits ---- */

static void
on_sweep(void *arg)
{
	struct front_net *net = arg;
	uint64_t now = loop_now_ms();
	struct front_conn *c;
	uint32_t i;

	front_listener_resume(&net->listener);
	for (i = 0; i < net->size; i++) {
		c = net->table[i];
		if (c != NULL && now >= c->deadline_ms)
			front_net_drop(net, c, NULL);
	}
	if (net->count > 0)
		arm_sweep(net);
}

/* Among those that are not known: how many of this host, and the oldest. */
static uint32_t
survey(const struct front_net *net, const uint8_t source[static 16],
    struct front_conn **ret_oldest)
{
	struct front_conn *c, *oldest = NULL;
	uint32_t n = 0;

	for (c = net->strangers; c != NULL; c = c->other) {
		if (memcmp(c->source, source, sizeof(c->source)) == 0)
			n++;
		if (oldest == NULL || c->since_ms < oldest->since_ms)
			oldest = c;
	}
	*ret_oldest = oldest;
	return n;
}

/*
 * Before the handshake nobody has more than a small share. A crowd that comes
 * at once, as after a takeover, waits in the backlog and is served in turn;
 * those who only hold their places are put out when others wait.
 */
static void
make_room(struct front_net *net)
{
	static const uint8_t nobody[16];
	struct front_conn *oldest;

	if (net->unknown < UNKNOWN_MAX)
		return;
	survey(net, nobody, &oldest);
	if (loop_now_ms() - oldest->since_ms >= EVICT_MS) {
		front_net_drop(net, oldest, NULL);
		return;
	}
	pause_accept(net);
}

bool
front_table_is_join_open(const struct front_net *net)
{
	return loop_now_ms() < net->join_until_ms;
}

/* A host that is not enrolled: how many of it there are; and who of all has
 * been there longest, and waits for no answer. */
static uint32_t
survey_joiners(const struct front_net *net, const uint8_t source[static 16],
    struct front_conn **ret_oldest)
{
	struct front_conn *c, *oldest = NULL;
	uint32_t n = 0, i;

	for (i = 0; i < net->size; i++) {
		c = net->table[i];
		if (c == NULL || !c->joins)
			continue;
		n += memcmp(c->source, source, sizeof(c->source)) == 0;
		if (c->state != FRONT_CONN_WAIT &&
		    (oldest == NULL || c->since_ms < oldest->since_ms))
			oldest = c;
	}
	*ret_oldest = oldest;
	return n;
}

/* A few places, of which one host has but some. Those who only hold theirs give
 * way, so that strangers cannot keep out who has a token. */
static bool
admit_joiner(struct front_net *net, struct front_conn *c)
{
	struct front_conn *oldest;

	if (!front_table_is_join_open(net) ||
	    survey_joiners(net, c->source, &oldest) >= FRONT_JOINERS_SOURCE_MAX)
		return false;
	if (net->joiners >= FRONT_JOINERS_MAX) {
		if (oldest == NULL ||
		    loop_now_ms() - oldest->since_ms < FRONT_JOIN_EVICT_MS)
			return false;
		front_net_drop(net, oldest, NULL);
	}
	c->joins = true;
	net->joiners++;
	return true;
}

bool
front_net_admit(struct front_net *net, struct front_conn *c)
{
	const uint8_t *thumb = tls_conn_thumb(c->tls);
	struct front_conn *other, *oldest = NULL;
	uint32_t n = 0;

	if (net->count - net->unknown >= net->known_max)
		return false;
	if (!front_pins_has(net->pins, thumb) && !admit_joiner(net, c))
		return false;
	for (other = *chain_of(net, c); other != NULL; other = other->other) {
		if (memcmp(tls_conn_thumb(other->tls), thumb, 32) != 0)
			continue;
		n++;
		if (oldest == NULL || other->since_ms < oldest->since_ms)
			oldest = other;
	}
	/* The oldest and not the newest: a host that lost its connections
	 * without a word must be able to come back. */
	if (n >= THUMB_MAX)
		front_net_drop(net, oldest, NULL);
	delist(&net->strangers, c);
	enlist(chain_of(net, c), c);
	net->unknown--;
	front_listener_resume(&net->listener);
	return true;
}

/* ---- accepting ---- */

static void
adopt(struct front_net *net, int fd, const struct sockaddr *from)
{
	struct front_conn *c, *oldest;
	uint32_t slot;

	if (find_slot(net, &slot) != CLV_OK) {
		close(fd);
		return;
	}
	if (front_conn_new(net, net->ctx, fd, ++net->serial << 16 | slot, from,
		&c) != CLV_OK)
		return;
	if (survey(net, c->source, &oldest) >= UNKNOWN_SOURCE_MAX) {
		front_conn_free(&c);
		return;
	}
	net->table[slot] = c;
	enlist(&net->strangers, c);
	net->count++;
	net->unknown++;
	arm_sweep(net);
}

static void
on_accept(void *arg, int listener, bool readable, bool writable)
{
	struct front_net *net = arg;
	struct sockaddr_storage from;
	socklen_t len;
	int fd, i;

	for (i = 0; i < ACCEPT_BURST; i++) {
		make_room(net);
		if (net->listener.paused)
			return;
		len = sizeof(from);
		fd = accept4(listener, (struct sockaddr *)&from, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED)
			pause_accept(net); /* no descriptors, no memory */
		if (fd < 0)
			return;
		adopt(net, fd, (struct sockaddr *)&from);
	}
}
