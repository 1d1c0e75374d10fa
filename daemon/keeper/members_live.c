/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/keeper/members_live.h"

/* Sorted pointers: names are looked up far more often than one is new. */
struct members_live {
	struct member_live **live;
	size_t n, cap;
};

int
members_live_new(struct members_live **ret)
{
	struct members_live *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return CLV_E_NOMEM;
	*ret = m;
	return CLV_OK;
}

void
members_live_free(struct members_live **members)
{
	struct members_live *m = *members;

	*members = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->live[i]);
	free(m->live);
	free(m);
}

/* The first that is not below this name. */
static size_t
place(const struct members_live *m, const char *name)
{
	size_t low = 0, high = m->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(m->live[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
is_at(const struct members_live *m, size_t at, const char *name)
{
	return at < m->n && strcmp(m->live[at]->name, name) == 0;
}

static int
insert(struct members_live *m, size_t at, const struct member_live *said)
{
	struct member_live **more, *e;
	size_t cap = m->cap == 0 ? 16 : m->cap * 2;

	if (m->n == m->cap) {
		more = reallocarray(m->live, cap, sizeof(*more));
		if (more == NULL)
			return CLV_E_NOMEM;
		m->live = more;
		m->cap = cap;
	}
	if ((e = malloc(sizeof(*e))) == NULL)
		return CLV_E_NOMEM;
	*e = *said;
	memmove(&m->live[at + 1], &m->live[at], (m->n - at) * sizeof(e));
	m->live[at] = e;
	m->n++;
	return CLV_OK;
}

int
members_live_heard(struct members_live *m, const struct member_live *said)
{
	size_t at = place(m, said->name);

	if (!is_at(m, at, said->name))
		return insert(m, at, said);
	*m->live[at] = *said;
	return CLV_OK;
}

const struct member_live *
members_live_find(const struct members_live *m, const char *name)
{
	size_t at = place(m, name);

	return is_at(m, at, name) ? m->live[at] : NULL;
}

const struct member_live *
members_live_next(const struct members_live *m, const char *after)
{
	size_t at = place(m, after);

	at += is_at(m, at, after);
	return at < m->n ? m->live[at] : NULL;
}

static int
by_name(const void *name, const void *member)
{
	return strcmp(
	    name, ((const struct clv_list_member *)member)->party.name);
}

const struct clv_list_member *
members_live_party(const struct clv_list *list, const char *name)
{
	if (list->member_count == 0)
		return NULL;
	return bsearch(name, list->members, list->member_count,
	    sizeof(list->members[0]), by_name);
}

/* A server node is a member too. */
static bool
is_enrolled(const struct clv_list *list, const char *name)
{
	const struct clv_list_node *n = clv_list_node_by_name(list, name);
	const struct clv_list_member *m = members_live_party(list, name);

	return (n != NULL && !n->revoked) || (m != NULL && !m->revoked);
}

void
members_live_sweep(struct members_live *m, const struct clv_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (is_enrolled(list, m->live[i]->name))
			m->live[kept++] = m->live[i];
		else
			free(m->live[i]);
	}
	m->n = kept;
}

bool
members_live_is(const struct member_live *e, uint64_t now_ms)
{
	return now_ms - e->heard_ms <= MEMBERS_LIVE_MS;
}

bool
members_live_is_twice(const struct member_live *e, uint64_t now_ms)
{
	return e->twice_ms != 0 && now_ms - e->twice_ms <= MEMBERS_LIVE_MS;
}

/* Once may be what lay unread when the host had hung up there. */
bool
members_live_comes(struct member_live *said, uint64_t conn, uint64_t now_ms)
{
	bool was = members_live_is_twice(said, now_ms);

	if (conn > said->conn) {
		said->conn = conn;
		said->returns = 0;
	} else if (conn < said->conn && ++said->returns > 1) {
		said->twice_ms = now_ms;
	}
	return !was && members_live_is_twice(said, now_ms);
}

size_t
members_live_count(const struct members_live *m, uint64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += members_live_is(m->live[i], now_ms);
	return n;
}

size_t
members_live_enrolled(const struct clv_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->node_count; i++)
		n += !list->nodes[i].revoked;
	for (size_t i = 0; i < list->member_count; i++)
		n += !list->members[i].revoked;
	return n;
}

unsigned
members_live_late(const struct members_live *m, uint64_t now_ms,
    uint64_t version, uint32_t generation, char *names, size_t cap)
{
	unsigned late = 0;
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < m->n; i++) {
		const struct member_live *e = m->live[i];

		if (!members_live_is(e, now_ms) ||
		    (e->list_version >= version && e->generation >= generation))
			continue;
		late++;
		if (len < cap)
			len += (size_t)snprintf(names + len, cap - len, "%s%s",
			    len > 0 ? ", " : "", e->name);
	}
	return late;
}
