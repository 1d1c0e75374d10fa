/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_FRONT_SQL_H
#define CLAVIGERD_FRONT_SQL_H

#include <claviger/store.h>
#include "daemon/front/front.h"

/* What the two lanes to PostgreSQL share. */

#define FRONT_CONNECT_MS 30000	 /* all hosts of the connection string */
#define FRONT_STATEMENT_MS 12000 /* the server itself stops at 10 s */
#define FRONT_SQL_PARAMS_MAX 16

/* One statement as it came: the parameters point into its message. */
struct front_sql {
	uint64_t id;
	uint8_t lane;
	uint32_t stmt;
	uint32_t n;
	struct clv_param param[FRONT_SQL_PARAMS_MAX];
};

/* CLV_E_FORMAT, CLV_E_INVALID: not a statement of this program. */
int front_sql_parse(const struct clv_buf *body, struct front_sql *ret);
/* The message with what came of it; rows may be NULL. b is initialised. */
void front_sql_result(struct clv_buf *b, uint64_t id, int result,
    const char *text, const struct clv_store *rows);
/* A text that clv_rd_str() takes: PostgreSQL's have line ends in them. */
void front_sql_text(struct clv_buf *b, const char *text);
/* After this result the connection is not used again: it is lost, late, or of
 * a server that has become read-only or is shutting down. */
bool front_sql_ends(const struct clv_store *s, int r);

/* ---- front_pool.c ---- */
struct front_pool;
int front_pool_new(struct front *f, struct front_pool **ret);
/* body is moved. */
void front_pool_sql(struct front_pool *p, struct clv_buf *body);

#endif
