/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <claviger/age.h>

#include "daemon/keeper/coverage.h"
#include "daemon/keeper/keeper.h"

static struct coverage_copy *
add(struct coverage *c, enum coverage_kind kind)
{
	struct coverage_copy *copy;

	if (c->count >= COVERAGE_COPIES_MAX)
		return NULL;
	copy = &c->copies[c->count++];
	copy->kind = kind;
	copy->result = CLV_E_NOT_FOUND;
	return copy;
}

static void
add_sealed(struct coverage *c, const struct clv_list *list)
{
	struct coverage_copy *copy;

	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];

		if (n->revoked || (copy = add(c, COVERAGE_NODE)) == NULL)
			continue;
		copy->node = n->number;
		snprintf(
		    copy->holder, sizeof(copy->holder), "%s", n->party.name);
	}
	if (!clv_list_has_recovery(list) ||
	    (copy = add(c, COVERAGE_RECOVERY)) == NULL)
		return;
	copy->node = CLV_ESCROW_RECOVERY;
	if (clv_age_recipient_format(list->recovery_pk, copy->holder) != CLV_OK)
		copy->holder[0] = '\0';
}

int
coverage_new(const struct clv_list *list, struct coverage **ret)
{
	struct coverage *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return CLV_E_NOMEM;
	c->policy = list->escrow_policy;
	c->now_s = (uint64_t)time(NULL);
	c->generation_count = list->generation_count;
	for (size_t i = 0; i < list->generation_count; i++) {
		c->generations[i].number = list->generations[i].number;
		c->generations[i].state = list->generations[i].state;
	}
	add_sealed(c, list);
	*ret = c;
	return CLV_OK;
}

void
coverage_free(struct coverage **c)
{
	free(*c);
	*c = NULL;
}

/* Reading: each sealed copy, then the backups. */

static size_t
sealed_count(const struct coverage *c)
{
	size_t n = 0;

	while (n < c->count && c->copies[n].kind != COVERAGE_BACKUP)
		n++;
	return n;
}

bool
coverage_stmt(const struct coverage *c, unsigned step, enum clv_stmt *ret,
    uint64_t *ret_node)
{
	size_t sealed = sealed_count(c);

	*ret_node = step < sealed ? c->copies[step].node : 0;
	*ret = step < sealed ? CLV_STMT_GET_ESCROW : CLV_STMT_GET_BACKUPS;
	return step <= sealed;
}

static uint64_t
bits(const struct coverage *c, const uint32_t *held, uint32_t n)
{
	uint64_t holds = 0;

	for (size_t i = 0; i < c->generation_count; i++)
		for (uint32_t j = 0; j < n; j++)
			if (held[j] == c->generations[i].number)
				holds |= UINT64_C(1) << i;
	return holds;
}

static void
take_sealed(struct coverage *c, struct coverage_copy *copy,
    const struct clv_list *list, const uint8_t pk[static CLV_SIGN_PK_LEN],
    const struct db_field *row)
{
	const struct clv_list_node *n =
	    clv_list_node_by_number(list, copy->node);
	const uint8_t *box_pk = copy->kind == COVERAGE_RECOVERY
				    ? list->recovery_pk
				: n != NULL ? n->party.box_pk
					    : NULL;
	struct clv_escrow_about about = {0};

	if (box_pk == NULL) /* revoked meanwhile */
		return;
	copy->result =
	    clv_escrow_check(row->p, row->len, pk, copy->node, box_pk, &about);
	if (copy->result != CLV_OK)
		return;
	copy->holds = bits(c, about.held, about.held_count);
	copy->sealed_s = about.sealed_s;
	copy->proven_s = about.proven_s;
}

/* A backup is opened again before it is recorded. */
static void
take_backup(struct coverage *c, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_field *row)
{
	struct coverage_copy *copy = add(c, COVERAGE_BACKUP);
	struct record rec;

	if (copy == NULL)
		return;
	copy->result = record_read(row->p, row->len, list, pk, &rec);
	if (copy->result != CLV_OK)
		return;
	snprintf(copy->holder, sizeof(copy->holder), "%s", rec.where);
	copy->holds = bits(c, rec.held, rec.held_count);
	copy->sealed_s = copy->proven_s = rec.time_s;
}

void
coverage_take(struct coverage *c, unsigned step, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_result *r)
{
	if (step < sealed_count(c)) {
		if (r->rows > 0)
			take_sealed(
			    c, &c->copies[step], list, pk, db_field(r, 0, 0));
		return;
	}
	for (size_t i = 0; i < r->rows; i++)
		take_backup(c, list, pk, db_field(r, i, 1));
}

/* From keeper to command. */

void
coverage_format(const struct coverage *c, struct clv_buf *b)
{
	clv_buf_u8(b, c->policy);
	clv_buf_u64(b, c->now_s);
	clv_buf_u32(b, (uint32_t)c->generation_count);
	for (size_t i = 0; i < c->generation_count; i++) {
		clv_buf_u32(b, c->generations[i].number);
		clv_buf_u8(b, c->generations[i].state);
	}
	clv_buf_u32(b, (uint32_t)c->count);
	for (size_t i = 0; i < c->count; i++) {
		const struct coverage_copy *copy = &c->copies[i];

		clv_buf_u8(b, (uint8_t)copy->kind);
		clv_buf_str(b, copy->holder);
		clv_buf_u8(b, copy->live);
		clv_buf_u32(b, (uint32_t)copy->result);
		clv_buf_u64(b, copy->holds);
		clv_buf_u64(b, copy->sealed_s);
		clv_buf_u64(b, copy->proven_s);
	}
}

static int
parse(struct clv_rd *rd, struct coverage *c)
{
	c->policy = clv_rd_u8(rd);
	c->now_s = clv_rd_u64(rd);
	c->generation_count = clv_rd_u32(rd);
	if (c->generation_count > CLV_GENERATIONS_MAX)
		return CLV_E_PROTOCOL;
	for (size_t i = 0; i < c->generation_count; i++) {
		c->generations[i].number = clv_rd_u32(rd);
		c->generations[i].state = clv_rd_u8(rd);
	}
	c->count = clv_rd_u32(rd);
	if (c->count > COVERAGE_COPIES_MAX)
		return CLV_E_PROTOCOL;
	for (size_t i = 0; i < c->count; i++) {
		struct coverage_copy *copy = &c->copies[i];

		copy->kind = (enum coverage_kind)clv_rd_u8(rd);
		clv_rd_str(rd, copy->holder, sizeof(copy->holder));
		copy->live = clv_rd_u8(rd) != 0;
		copy->result = (int32_t)clv_rd_u32(rd);
		copy->holds = clv_rd_u64(rd);
		copy->sealed_s = clv_rd_u64(rd);
		copy->proven_s = clv_rd_u64(rd);
	}
	return clv_rd_end(rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

int
coverage_parse(const void *p, size_t len, struct coverage **ret)
{
	struct coverage *c = calloc(1, sizeof(*c));
	struct clv_rd rd;
	int r;

	if (c == NULL)
		return CLV_E_NOMEM;
	clv_rd_init(&rd, p, len);
	r = parse(&rd, c);
	if (r == CLV_OK)
		*ret = c;
	else
		coverage_free(&c);
	return r;
}

bool
coverage_holds(
    const struct coverage_copy *copy, const struct coverage *c, uint32_t number)
{
	for (size_t i = 0; i < c->generation_count; i++)
		if (c->generations[i].number == number)
			return copy->result == CLV_OK &&
			       (copy->holds >> i & 1) != 0;
	return false;
}

uint32_t
coverage_current(const struct coverage *c)
{
	for (size_t i = 0; i < c->generation_count; i++)
		if (c->generations[i].state == CLV_GEN_CURRENT)
			return c->generations[i].number;
	return 0;
}
