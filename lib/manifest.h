/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_MANIFEST_H
#define CLV_MANIFEST_H

#include <claviger/manifest.h>

#define CLV__INDEX_NAME_MAX 256 /* with NUL */
#define CLV__ENTRY_LEN 32
#define CLV__CHECK_LEN 32
#define CLV__LINKS_LEN (CLV_MANIFEST_LINKS * CLV_LINK_LEN)

/* Which data key is the newest. */
struct clv__newest {
	uint32_t version; /* 0: none */
	uint8_t check[CLV__CHECK_LEN];
};
void clv__newest_make(uint32_t version,
    const uint8_t data_key[static CLV_KEY_LEN], struct clv__newest *ret);
void clv__newest_parse(const uint8_t manifest[static CLV_MANIFEST_MAC_LEN],
    struct clv__newest *ret);

/* What a manifest is computed from; lengths and rules: claviger/manifest.h. */
void clv__manifest_entry(const uint8_t key[static CLV_KEY_LEN],
    const struct clv_change *c, uint8_t ret[static CLV__ENTRY_LEN]);

struct clv__manifest {
	const uint8_t *system_id;
	const char *app;
	uint64_t counter;
	uint64_t count;
	const uint8_t *sum; /* CLV__ENTRY_LEN */
	struct clv__newest newest;
	const uint8_t *links; /* CLV__LINKS_LEN */
};
/* As it lies in the database. */
void clv__manifest_mac(const uint8_t key[static CLV_KEY_LEN],
    const struct clv__manifest *m, uint8_t ret[static CLV_MANIFEST_MAC_LEN]);

/* Into it, borrowed. */
const uint8_t *clv__manifest_links(
    const uint8_t manifest[static CLV_MANIFEST_MAC_LEN]);
/* The link of a counter, perhaps zeros; NULL when it is later or too long ago.
 */
const uint8_t *clv__manifest_link(
    const uint8_t manifest[static CLV_MANIFEST_MAC_LEN], uint64_t counter,
    uint64_t at);

#endif
