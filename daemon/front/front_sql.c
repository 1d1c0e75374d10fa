/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/front/front_sql.h"

/* The keeper's statements and their results as messages, for both lanes. */
#define TEXT_MAX 256

int
front_sql_parse(const struct clv_buf *body, struct front_sql *ret)
{
	struct clv_rd rd;
	uint32_t i;

	clv_rd_init(&rd, body->data, body->len);
	ret->id = clv_rd_u64(&rd);
	ret->lane = clv_rd_u8(&rd);
	ret->stmt = clv_rd_u32(&rd);
	ret->n = clv_rd_u32(&rd);
	if (ret->n > FRONT_SQL_PARAMS_MAX)
		return CLV_E_FORMAT;
	for (i = 0; i < ret->n; i++)
		ret->param[i].p = clv_rd_bytes(&rd, &ret->param[i].len);
	if (clv_rd_end(&rd) != CLV_OK)
		return CLV_E_FORMAT;
	if (ret->stmt < CLV_STMT_HELLO || ret->stmt >= CLV_STMT_LAST ||
	    ret->n != clv_store_param_count((enum clv_stmt)ret->stmt))
		return CLV_E_INVALID;
	return CLV_OK;
}

/* A text that clv_rd_str() takes: PostgreSQL's have line ends in them. */
void
front_sql_text(struct clv_buf *b, const char *text)
{
	char line[TEXT_MAX];
	size_t i;

	snprintf(line, sizeof(line), "%s", text);
	for (i = 0; line[i] != '\0'; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = ' ';
	}
	while (i > 0 && line[i - 1] == ' ')
		line[--i] = '\0';
	clv_buf_str(b, line);
}

static void
put_rows(struct clv_buf *b, const struct clv_store *s)
{
	size_t rows = clv_store_rows(s), columns = clv_store_columns(s);
	size_t i, len;
	const void *p;

	clv_buf_u32(b, (uint32_t)rows);
	clv_buf_u32(b, (uint32_t)columns);
	for (i = 0; i < rows * columns; i++) {
		p = clv_store_get(s, i / columns, i % columns, &len);
		clv_buf_bytes(b, p == NULL ? "" : p, p == NULL ? 0 : len);
	}
}

static void
format(struct clv_buf *b, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	clv_buf_init(b);
	b->max = CHAN_MESSAGE_MAX;
	clv_buf_u64(b, id);
	clv_buf_u32(b, (uint32_t)result);
	front_sql_text(b, text);
	if (rows != NULL)
		put_rows(b, rows);
	else
		clv_buf_u64(b, 0); /* no rows, no columns */
}

void
front_sql_result(struct clv_buf *b, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	int r;

	format(b, id, result, text, rows);
	if ((r = clv_buf_result(b)) != CLV_OK) {
		clv_buf_fini(b);
		format(b, id, r, "the result is too large", NULL);
	}
}

bool
front_sql_ends(const struct clv_store *s, int r)
{
	const char *state = clv_store_sqlstate(s);

	switch (r) {
	case CLV_OK:
	case CLV_E_STALE:
	case CLV_E_STALE_EPOCH:
	case CLV_E_EXISTS:
	case CLV_E_NOT_FOUND:
	case CLV_E_SCHEMA_OLDER:
	case CLV_E_INVALID: return false;
	case CLV_E_DATABASE: return strncmp(state, "57P", 3) == 0;
	default: return true;
	}
}
