/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/members_live.h"
#include "daemon/rotate/refs.h"

static const enum clv_stmt steps[] = {CLV_STMT_COUNT_KEYS, CLV_STMT_GET_TLS,
    CLV_STMT_GET_ESCROWS, CLV_STMT_GET_BACKUPS};

bool
refs_stmt(unsigned step, enum clv_stmt *ret)
{
	if (step >= sizeof(steps) / sizeof(steps[0]))
		return false;
	*ret = steps[step];
	return true;
}

int
refs_new(const struct clv_list *list, struct refs **ret)
{
	struct refs *refs = calloc(1, sizeof(*refs));

	if (refs == NULL)
		return CLV_E_NOMEM;
	for (size_t i = 0; i < list->generation_count; i++) {
		refs->of[i].number = list->generations[i].number;
		refs->of[i].state = list->generations[i].state;
	}
	refs->count = list->generation_count;
	*ret = refs;
	return CLV_OK;
}

void
refs_free(struct refs **refs)
{
	free(*refs);
	*refs = NULL;
}

static struct ref *
find(struct refs *refs, uint64_t generation)
{
	for (size_t i = 0; i < refs->count; i++)
		if (refs->of[i].number == generation)
			return &refs->of[i];
	return NULL;
}

const struct ref *
refs_find(const struct refs *refs, uint32_t generation)
{
	return find((struct refs *)(uintptr_t)refs, generation);
}

static void
take_keys(struct refs *refs, const struct db_result *r, size_t i)
{
	struct ref *ref = find(refs, db_u64(r, i, 0));
	uint64_t all = db_u64(r, i, 1), indexes = db_u64(r, i, 2);

	if (ref == NULL)
		return;
	ref->keys = indexes < all ? all - indexes : 0;
	ref->indexes = indexes;
}

static void
take_certificate(struct refs *refs, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_field *row)
{
	const uint8_t *former = clv_list_former_pk(list);
	uint32_t generation;
	struct ref *ref;

	if (clv_tls_row_generation(row->p, row->len, pk, &generation) !=
		CLV_OK &&
	    (former == NULL || clv_tls_row_generation(row->p, row->len, former,
				   &generation) != CLV_OK))
		return;
	ref = find(refs, generation);
	if (ref != NULL)
		ref->certificates++;
}

static void
take_copy(struct refs *refs, const struct db_result *r, size_t i)
{
	uint64_t node = db_u64(r, i, 0);
	struct ref *ref = find(refs, db_u64(r, i, 1));

	if (node <= CLV_LIST_NODES_MAX)
		refs->has_copy[node] = true;
	if (ref != NULL)
		ref->copies++;
}

static void
take_backup(struct refs *refs, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_field *row)
{
	struct record *rec = &refs->backups[refs->backup_count];

	if (refs->backup_count >= REFS_BACKUPS_MAX ||
	    record_read(row->p, row->len, list, pk, rec) != CLV_OK)
		return;
	refs->backup_count++;
	for (size_t i = 0; i < refs->count; i++)
		refs->of[i].backups += record_holds(rec, refs->of[i].number);
}

void
refs_take(struct refs *refs, unsigned step, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_result *r)
{
	for (size_t i = 0; i < r->rows; i++) {
		switch (steps[step]) {
		case CLV_STMT_COUNT_KEYS: take_keys(refs, r, i); break;
		case CLV_STMT_GET_TLS:
			take_certificate(refs, list, pk, db_field(r, i, 1));
			break;
		case CLV_STMT_GET_ESCROWS: take_copy(refs, r, i); break;
		default: take_backup(refs, list, pk, db_field(r, i, 1));
		}
	}
}

void
refs_take_members(
    struct refs *refs, const struct members_live *live, uint64_t now_ms)
{
	const struct member_live *m;
	struct ref *ref;

	refs->members_known = true;
	for (m = members_live_next(live, ""); m != NULL;
	     m = members_live_next(live, m->name)) {
		ref = find(refs, m->generation);
		if (ref != NULL && members_live_is(m, now_ms))
			ref->members++;
	}
}

static void __attribute__((format(printf, 3, 4)))
also(char *dst, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(dst);
	va_list ap;

	if (len > 0 && len + 2 < cap)
		len += (size_t)snprintf(dst + len, cap - len, ", ");
	va_start(ap, fmt);
	vsnprintf(dst + len, cap - len, fmt, ap);
	va_end(ap);
}

bool
refs_why(const struct ref *ref, char *dst, size_t cap)
{
	dst[0] = '\0';
	if (ref->keys > 0)
		also(dst, cap, "%llu data key%s", (unsigned long long)ref->keys,
		    ref->keys == 1 ? "" : "s");
	if (ref->indexes > 0)
		also(dst, cap, "%llu index key%s",
		    (unsigned long long)ref->indexes,
		    ref->indexes == 1 ? "" : "s");
	if (ref->certificates > 0)
		also(dst, cap, "%u certificate%s", ref->certificates,
		    ref->certificates == 1 ? "" : "s");
	if (ref->members > 0)
		also(dst, cap, "%u member%s with no newer key", ref->members,
		    ref->members == 1 ? "" : "s");
	return dst[0] != '\0';
}

void
refs_format(const struct refs *refs, struct clv_buf *b)
{
	clv_buf_u8(b, refs->members_known);
	clv_buf_u32(b, (uint32_t)refs->count);
	for (size_t i = 0; i < refs->count; i++) {
		const struct ref *ref = &refs->of[i];

		clv_buf_u32(b, ref->number);
		clv_buf_u64(b, ref->keys);
		clv_buf_u64(b, ref->indexes);
		clv_buf_u32(b, ref->certificates);
		clv_buf_u32(b, ref->copies);
		clv_buf_u32(b, ref->backups);
		clv_buf_u32(b, ref->members);
	}
}

void
refs_format_backups(
    const struct refs *refs, uint32_t generation, struct clv_buf *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < refs->backup_count; i++)
		n += record_holds(&refs->backups[i], generation);
	clv_buf_u32(b, n);
	for (size_t i = 0; i < refs->backup_count; i++)
		if (record_holds(&refs->backups[i], generation))
			clv_buf_str(b, refs->backups[i].where);
}
