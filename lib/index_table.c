/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "index.h"

#define FIRST_CAP 16
#define COUNT_MAX (UINT32_MAX / 2)

_Static_assert(
    sizeof(((struct clv__table *)0)->key) == crypto_shorthash_KEYBYTES,
    "SipHash key");

static uint32_t
sip(const struct clv__table *t, const char *name)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t v;

	crypto_shorthash(hash, (const uint8_t *)name, strlen(name), t->key);
	memcpy(&v, hash, sizeof(v));
	return le32toh(v);
}

/* The slot of entry number `at`, or of a name, or the empty one where it would
 * stand. There always is an empty one. */
static struct clv__slot *
probe(const struct clv__table *t, uint32_t hash, const char *name)
{
	size_t mask = t->slot_count - 1, i = hash & mask;

	for (; t->slots[i].at != 0; i = (i + 1) & mask)
		if (t->slots[i].sip == hash &&
		    strcmp(t->entries[t->slots[i].at - 1]->name, name) == 0)
			break;
	return &t->slots[i];
}

struct clv__entry *
clv__table_find(const struct clv__table *t, const char *name)
{
	const struct clv__slot *s;

	if (t->slot_count == 0)
		return NULL;
	s = probe(t, sip(t, name), name);
	return s->at != 0 ? t->entries[s->at - 1] : NULL;
}

static void
put_slot(struct clv__slot *slots, size_t slot_count, struct clv__slot s)
{
	size_t i = s.sip & (slot_count - 1);

	while (slots[i].at != 0)
		i = (i + 1) & (slot_count - 1);
	slots[i] = s;
}

/* One more must leave a quarter of the slots empty. */
static bool
make_slots(struct clv__table *t)
{
	size_t n = t->slot_count != 0 ? t->slot_count * 2 : FIRST_CAP * 2, i;
	struct clv__slot *slots;

	if ((t->count + 1) * 4 <= t->slot_count * 3)
		return true;
	slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return false;
	for (i = 0; i < t->slot_count; i++)
		if (t->slots[i].at != 0)
			put_slot(slots, n, t->slots[i]);
	free(t->slots);
	t->slots = slots;
	t->slot_count = n;
	return true;
}

static bool
make_room(struct clv__table *t)
{
	size_t cap = t->cap != 0 ? t->cap + t->cap / 2 : FIRST_CAP;
	struct clv__entry **entries;

	if (t->count < t->cap)
		return true;
	if (cap > COUNT_MAX)
		return false;
	entries = realloc(t->entries, cap * sizeof(*entries)); /* no secrets */
	if (entries == NULL)
		return false;
	t->entries = entries;
	t->cap = cap;
	return true;
}

struct clv__entry *
clv__table_add(struct clv__table *t, const char *name)
{
	size_t len = strlen(name) + 1;
	struct clv__entry *e;

	if (!make_room(t) || !make_slots(t))
		return NULL;
	e = calloc(1, offsetof(struct clv__entry, name) + len);
	if (e == NULL)
		return NULL;
	memcpy(e->name, name, len);
	t->entries[t->count++] = e;
	put_slot(t->slots, t->slot_count,
	    (struct clv__slot){sip(t, name), (uint32_t)t->count});
	return e;
}

/* Those behind it move up, as far as their own first slot allows. */
static void
clear_slot(struct clv__table *t, struct clv__slot *s)
{
	size_t mask = t->slot_count - 1, hole = (size_t)(s - t->slots);
	size_t i = hole;

	for (;;) {
		i = (i + 1) & mask;
		if (t->slots[i].at == 0)
			break;
		if (((i - t->slots[i].sip) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole].at = 0;
}

void
clv__table_drop_last(struct clv__table *t)
{
	struct clv__entry *e = t->entries[t->count - 1];

	clear_slot(t, probe(t, sip(t, e->name), e->name));
	t->count--;
	free(e);
}

void
clv__table_fini(struct clv__table *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		free(t->entries[i]);
	free(t->entries);
	free(t->slots);
}
