/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_STORE_ROWS_H
#define TESTS_UNIT_STORE_ROWS_H

#include <claviger/buf.h>
#include <claviger/store.h>

/* The rows of PUT_SECRETS, as its arrays in their order. */

struct store_rows {
	struct clv_buf names, versions, key_versions, hashes, records, keeps,
	    ops;
};

struct store_row {
	const char *name;
	uint64_t version, key_version;
	const void *hash; /* 32 */
	const void *record;
	size_t record_len; /* 0: deleted */
	uint64_t keep;
	const void *op_id; /* 16 */
};

void store_rows_init(struct store_rows *r);
void store_rows_fini(struct store_rows *r);
void store_rows_add(struct store_rows *r, const struct store_row *row);

/* A whole PUT_SECRETS; what clv_store_send() says. Borrowed until it is over:
 * app, mac, op_id, the rows and `ints`. */
struct store_put {
	const char *app;
	uint64_t epoch, counter;
	const void *mac;   /* CLV_MANIFEST_MAC_LEN */
	const void *op_id; /* 16 */
	const struct store_rows *rows;
	uint8_t ints[2][8];
};
int store_put_send(struct clv_store *s, struct store_put *put);

#endif
