/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keeper_rig.h"
#include "keeper_wrap.h"

/*
 * In the place of the loop, the channel, the disk, the control socket and the
 * log. Descriptors from FD_BASE on are the rig's: a hundred a node, its
 * listening control socket first, then a client each, then link and front.
 */

/* The wall clock goes with the other one. */
time_t
__wrap_time(time_t *ret)
{
	time_t t = (time_t)(RIG_TIME0 + rig.now / 1000);

	if (ret != NULL)
		*ret = t;
	return t;
}

/* Loop. */

int
__wrap_loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	RIG_REQUIRE(l != NULL);
	*ret = l;
	return CLV_OK;
}

static struct watch *
watch_of(struct loop *l, int fd)
{
	for (unsigned i = 0; i < WATCHES; i++)
		if (l->watches[i].used && l->watches[i].fd == fd)
			return &l->watches[i];
	return NULL;
}

int
__wrap_loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg)
{
	(void)write;
	RIG_REQUIRE(watch_of(l, fd) == NULL);
	for (unsigned i = 0; i < WATCHES; i++) {
		if (l->watches[i].used)
			continue;
		l->watches[i] = (struct watch){true, read, fd, fn, arg};
		return CLV_OK;
	}
	return CLV_E_NOMEM;
}

int
__wrap_loop_fd_set(struct loop *l, int fd, bool read, bool write)
{
	struct watch *w = watch_of(l, fd);

	(void)write;
	if (w == NULL)
		return CLV_E_NOT_FOUND;
	w->read = read;
	return CLV_OK;
}

void
__wrap_loop_fd_del(struct loop *l, int fd)
{
	struct watch *w = watch_of(l, fd);

	if (w != NULL)
		w->used = false;
}

void
rig_readable(struct loop *l, int fd)
{
	struct watch *w = watch_of(l, fd);

	if (w != NULL && w->read)
		w->fn(w->arg, fd, true, false);
}

void
__wrap_loop_timer_del(struct loop *l, struct loop_timer **owner)
{
	struct loop_timer **pp;

	if (*owner == NULL)
		return;
	for (pp = &l->timers; *pp != *owner; pp = &(*pp)->next)
		RIG_REQUIRE(*pp != NULL);
	*pp = (*owner)->next;
	free(*owner);
	*owner = NULL;
}

int
__wrap_loop_timer_set(struct loop *l, struct loop_timer **owner,
    uint64_t after_ms, loop_timer_fn fn, void *arg)
{
	struct loop_timer *t;

	__wrap_loop_timer_del(l, owner);
	t = calloc(1, sizeof(*t));
	RIG_REQUIRE(t != NULL && after_ms < UINT64_MAX / 4);
	*t = (struct loop_timer){l->timers, rig.now + after_ms, fn, arg, owner};
	l->timers = t;
	*owner = t;
	return CLV_OK;
}

/* The one that is due first, or NULL. */
struct loop_timer *
rig_first_timer(struct loop *l)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = l->timers; t != NULL; t = t->next)
		if (first == NULL || t->at <= first->at)
			first = t;
	return first;
}

void
rig_fire(struct loop *l, struct loop_timer *t)
{
	loop_timer_fn fn = t->fn;
	void *arg = t->arg;

	__wrap_loop_timer_del(l, t->owner);
	fn(arg);
}

void
__wrap_loop_free(struct loop **ret)
{
	struct loop *l = *ret;

	if (l == NULL)
		return;
	while (l->timers != NULL)
		__wrap_loop_timer_del(l, l->timers->owner);
	free(l);
	*ret = NULL;
}

int
__wrap_loop_signal_add(struct loop *l, int sig, loop_signal_fn fn, void *arg)
{
	(void)l;
	(void)sig;
	(void)fn;
	(void)arg;
	return CLV_OK;
}

void
__wrap_loop_stop(struct loop *l)
{
	l->stopped = true;
}

uint64_t
__wrap_loop_now_ms(void)
{
	return rig.now;
}

/* Channel to the front. */

struct chan {
	struct rig_node *node;
};

int
__wrap_chan_new(int fd, chan_fn fn, void *arg, struct chan **ret)
{
	struct rig_node *n = &rig.node[(fd - FD_BASE) / 100];
	struct chan *c = calloc(1, sizeof(*c));

	RIG_REQUIRE(c != NULL);
	c->node = n;
	n->fn = fn;
	n->arg = arg;
	*ret = c;
	return CLV_OK;
}

void
__wrap_chan_free(struct chan **c)
{
	free(*c);
	*c = NULL;
}

int
__wrap_chan_fd(const struct chan *c)
{
	return FD_BASE + 100 * (int)c->node->i + FD_FRONT;
}

bool
__wrap_chan_wants_write(const struct chan *c)
{
	(void)c;
	return false;
}

int
__wrap_chan_send(
    struct chan *c, enum chan_type type, const struct clv_buf *body)
{
	int r = clv_buf_result(body);

	if (r != CLV_OK)
		return r;
	if (c->node->deaf)
		return CLV_E_FULL;
	rig_on_keeper(c->node, type, body);
	return CLV_OK;
}

/* The member role has tests of its own: here nobody asks the server but who is
 * told to. */
int __wrap_member_init(struct keeper *k);
int
__wrap_member_init(struct keeper *k)
{
	(void)k;
	return CLV_OK;
}

void __real_member_notice(struct keeper *k);
void __wrap_member_notice(struct keeper *k);
void
__wrap_member_notice(struct keeper *k)
{
	for (unsigned i = 0; i < rig.n; i++)
		if (rig.node[i].k == k)
			rig.node[i].told = serving_encrypts(k);
	__real_member_notice(k);
}

/* Disk. */

static struct rig_node *
node_of(const char *dir)
{
	unsigned i;

	RIG_REQUIRE(sscanf(dir, "rig-%u", &i) == 1 && i < RIG_NODES);
	return &rig.node[i];
}

int
__wrap_state_load(const char *dir, struct state *s)
{
	struct rig_node *n = node_of(dir);

	memset(s, 0, sizeof(*s));
	if (!n->has_state)
		return CLV_E_NOT_FOUND;
	*s = n->state;
	return CLV_OK;
}

/* What was on disk never goes down. */
int
__wrap_state_save(const char *dir, const struct state *s)
{
	struct rig_node *n = node_of(dir);

	if (n->disk_full) {
		errno = ENOSPC;
		return CLV_E_SYSTEM;
	}
	if (n->has_state)
		RIG_REQUIRE(s->epoch >= n->state.epoch &&
			    s->list_version >= n->state.list_version &&
			    s->generation >= n->state.generation);
	n->has_state = true;
	n->state = *s;
	return CLV_OK;
}

static struct clv_buf *
file_of(struct rig_node *n, const char *name)
{
	if (strcmp(name, "heads") == 0)
		return &n->heads[0];
	if (strcmp(name, "heads.bak") == 0)
		return &n->heads[1];
	if (strcmp(name, "audit") == 0)
		return &n->audit;
	if (strcmp(name, "successor") == 0)
		return &n->successor;
	if (strcmp(name, MACHINE_FILE) == 0)
		return &n->marks;
	RIG_REQUIRE(strcmp(name, "list") == 0);
	return &n->list;
}

int
__wrap_file_replace(
    const char *dir, const char *name, const void *p, size_t len, unsigned mode)
{
	struct rig_node *n = node_of(dir);

	(void)mode;
	if (n->disk_full) {
		errno = ENOSPC;
		return CLV_E_SYSTEM;
	}
	clv_buf_reset(file_of(n, name));
	clv_buf_raw(file_of(n, name), p, len);
	if (strcmp(name, "list") == 0)
		n->has_list = true;
	return CLV_OK;
}

int
__wrap_file_read(const char *dir, const char *name, size_t max, void **ret_p,
    size_t *ret_len)
{
	struct rig_node *n = node_of(dir);
	const struct clv_buf *file = file_of(n, name);

	RIG_REQUIRE(file->len <= max);
	if (file->len == 0 || (file == &n->list && !n->has_list))
		return CLV_E_NOT_FOUND;
	*ret_p = malloc(file->len + 1);
	RIG_REQUIRE(*ret_p != NULL);
	memcpy(*ret_p, file->data, file->len);
	*ret_len = file->len;
	return CLV_OK;
}

int
__wrap_clv_identity_load(
    struct clv_guard *guard, const char *path, struct clv_identity **ret)
{
	char *text = NULL;
	int r;

	r = clv_identity_format(node_of(path)->id, &text);
	if (r == CLV_OK)
		r = clv_identity_parse(guard, text, strlen(text), ret);
	clv_guard_put(rig.guard, text);
	return r;
}

/* Arenas are used again, for it takes long to prove that one is locked; and
 * whoever gives one back has given back what was in it. */

#define ARENAS 16

static struct {
	struct clv_guard *guard;
	size_t len;
	bool used;
} arenas[ARENAS];

int __real_clv_guard_new(size_t len, struct clv_guard **ret);

int
__wrap_clv_guard_new(size_t len, struct clv_guard **ret)
{
	unsigned i = 0;
	int r;

	while (i < ARENAS && arenas[i].guard != NULL &&
	       (arenas[i].used || arenas[i].len != len))
		i++;
	RIG_REQUIRE(i < ARENAS);
	if (arenas[i].guard == NULL) {
		r = __real_clv_guard_new(len, &arenas[i].guard);
		if (r != CLV_OK)
			return r;
		arenas[i].len = len;
	}
	arenas[i].used = true;
	*ret = arenas[i].guard;
	return CLV_OK;
}

void
__wrap_clv_guard_free_all(struct clv_guard **guard)
{
	if (*guard == NULL)
		return;
	RIG_REQUIRE(clv_guard_used(*guard) == 0);
	for (unsigned i = 0; i < ARENAS; i++)
		if (arenas[i].guard == *guard)
			arenas[i].used = false;
	*guard = NULL;
}

/* Control socket and link. */

static struct rig_conn *
conn_of(int fd, struct rig_node **ret)
{
	int at = (fd - FD_BASE) % 100;

	*ret = &rig.node[(fd - FD_BASE) / 100];
	RIG_REQUIRE(at >= 1 && at <= RIG_CONNS);
	return &(*ret)->conns[at - 1];
}

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct rig_node *n;

	(void)sa;
	(void)len;
	(void)flags;
	n = &rig.node[(fd - FD_BASE) / 100];
	for (int i = 0; i < RIG_CONNS; i++) {
		if (!n->conns[i].used || n->conns[i].accepted)
			continue;
		n->conns[i].accepted = true;
		return fd + 1 + i;
	}
	errno = EAGAIN;
	return -1;
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct ucred u = {1, rig.uid, 0};

	(void)fd;
	RIG_REQUIRE(level == SOL_SOCKET);
	RIG_REQUIRE(name == SO_PEERCRED || name == SO_PEERGROUPS);
	if (name == SO_PEERGROUPS) {
		*len = 0;
		return 0;
	}
	memcpy(value, &u, sizeof(u));
	*len = sizeof(u);
	return 0;
}

ssize_t
__wrap_recv(int fd, void *p, size_t len, int flags)
{
	struct rig_node *n;
	struct rig_conn *c = conn_of(fd, &n);
	size_t got = c->request_len;

	(void)flags;
	if (c->gone)
		return 0;
	if (got == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(p, c->request, got < len ? got : len);
	c->request_len = 0;
	return (ssize_t)got;
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct ctl_header h;
	struct rig_node *n;
	struct rig_conn *c = conn_of(fd, &n);

	(void)flags;
	RIG_REQUIRE(c->used && m->msg_iovlen == 2);
	memcpy(&h, m->msg_iov[0].iov_base, sizeof(h));
	RIG_REQUIRE(h.magic == CTL_MAGIC && h.len == m->msg_iov[1].iov_len &&
		    h.len <= sizeof(c->body));
	c->answers++;
	c->answer_op = h.op;
	c->result = h.result;
	c->len = h.len;
	if (h.len > 0)
		memcpy(c->body, m->msg_iov[1].iov_base, h.len);
	return (ssize_t)(sizeof(h) + h.len);
}

ssize_t
__wrap_send(int fd, const void *p, size_t len, int flags)
{
	const struct link_msg *m = p;
	struct rig_node *n = &rig.node[(fd - FD_BASE) / 100];

	(void)flags;
	n->failures += m->op == LINK_FAIL;
	n->ended += m->op == LINK_END;
	return (ssize_t)len;
}

int __real_close(int fd);

int
__wrap_close(int fd)
{
	struct rig_node *n;

	if (fd < FD_BASE)
		return __real_close(fd);
	memset(conn_of(fd, &n), 0, sizeof(struct rig_conn));
	return 0;
}

/* Log. */

static void __attribute__((format(printf, 2, 0)))
say(bool loud, const char *fmt, va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (loud)
		memcpy(rig.log, line, sizeof(line));
	if (getenv("RIG_LOG") != NULL)
		fprintf(
		    stderr, "%8llu %s\n", (unsigned long long)rig.now, line);
}

#define LOG(name, loud) \
	__attribute__((format(printf, 1, 2))) void __wrap_log_##name( \
	    const char *fmt, ...) \
	{ \
		va_list ap; \
\
		va_start(ap, fmt); \
		say(loud, fmt, ap); \
		va_end(ap); \
	}
LOG(error, true)
LOG(warning, true)
LOG(notice, false)
LOG(info, false)
LOG(debug, false)
