/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_STORE_APP_H
#define TESTS_UNIT_STORE_APP_H

#include <claviger/manifest.h>

#include "store_rig.h"
#include "store_rows.h"

/* What the tests of applications share: application "app" with no secrets,
 * manifest at counter 1, and a member beside the server in office. */

extern struct clv_store *s, *server;
extern const uint8_t mac[CLV_MANIFEST_MAC_LEN]; /* what every write says */

void with_app(void);
void leave_app(void);

bool col_is(size_t row, size_t col, const void *p, size_t len);
#define ck_col(row, col, text) \
	ck_assert(col_is((row), (col), (text), sizeof(text) - 1))
#define ck_num(row, col, n) \
	ck_assert_uint_eq(clv_store_get_u64(s, (row), (col)), (n))
/* State and counter of a write. */
#define ck_put(rc, want, now) \
	do { \
		ck_ok(s, rc); \
		ck_num(0, 0, want); \
		ck_num(0, 1, now); \
	} while (0)

/* A row as it should be; op: one letter that makes its id. */
struct store_row row(const char *name, uint64_t version, char op);
/* Write rows under an id of that letter. */
int put_rows(uint64_t counter, char op, const struct store_row *rows, size_t n);
/* One version of a name, both ids from one letter. */
int put(uint64_t counter, const char *name, uint64_t version, char op);
int get(const char *name, uint64_t version, uint64_t known);
int get_ops(const char *ids); /* of rows with these letters */
/* Versions of a name that are there, their digits in a row. */
long long versions_of(const char *name);

#endif
