/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_AUDIT_ROW_H
#define CLAVIGERD_AUDIT_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>
#include <claviger/list.h>

/*
 * A row of the audit trail: who has done what, or was refused it. Raw system
 * id, u64 number, raw SHA-256 of the row before it (zeros of the first), the
 * fields: u64 seconds since 1970, u64 epoch (0: none), str node that has
 * written it, str who, str operation, str object, str result (its name), str
 * text, u64 how many before this one could not be kept; then the signature of
 * the system. Signed, and not authenticated by a key of a generation: it is to
 * verify for ever, and for everybody.
 */
#define AUDIT_DOMAIN "claviger-audit-1"
#define AUDIT_LINK_LEN 32
#define AUDIT_WORD_MAX 32
#define AUDIT_WHO_MAX (CLV_NAME_MAX + 32)
#define AUDIT_TEXT_MAX 384

struct audit_head { /* a row, and all before it; zeros: none */
	uint64_t seq;
	uint8_t link[AUDIT_LINK_LEN]; /* SHA-256 of it */
};

struct audit_row {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint64_t seq;
	uint8_t before[AUDIT_LINK_LEN];
	uint64_t time_s, epoch;
	char node[CLV_NAME_MAX];
	char who[AUDIT_WHO_MAX];
	char operation[AUDIT_WORD_MAX];
	char object[CLV_NAME_MAX];
	char result[AUDIT_WORD_MAX];
	char text[AUDIT_TEXT_MAX];
	uint64_t lost;
};

/* What a server node keeps on its disk of the newest row that it knows, and of
 * the rows that it could not keep and that none tells of: u32 format 1, raw
 * system id, u64 number, raw hash, u64 lost, raw BLAKE2b-256 of all that. */
#define AUDIT_FILE "audit"
#define AUDIT_FILE_MAX 512
struct audit_file {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	struct audit_head seen;
	uint64_t lost;
};
void audit_file_format(const struct audit_file *f, struct clv_buf *ret);
/* CLV_E_DAMAGED, CLV_E_VERSION. */
int audit_file_parse(const void *p, size_t len, struct audit_file *ret);

/* The fields alone: what has happened, before it is known where it goes. What
 * is not printable becomes '?', and what is too long is cut. */
void audit_fields_format(const struct audit_row *r, struct clv_buf *ret);
/* The row behind *head, numbered seq; *head becomes it. */
int audit_row_seal(const struct clv_buf *fields, uint64_t seq,
    const struct clv_keyring *k, struct audit_head *head, struct clv_buf *ret);
/* Without its signature. CLV_E_FORMAT. */
int audit_row_parse(const void *p, size_t len, struct audit_row *ret);
/* The signing keys of the system so far, in their order: what was signed by one
 * of them is good, but not behind what a later one has signed. */
struct audit_keys {
	uint8_t pk[CLV_SUCCESSIONS_MAX + 1][CLV_SIGN_PK_LEN];
	unsigned n;
};
void audit_keys_of(const struct clv_list *list, struct audit_keys *ret);
/* By which of them? *key is tried first. CLV_E_SIGNATURE, CLV_E_FORMAT. */
int audit_row_read(const void *p, size_t len, const struct audit_keys *keys,
    unsigned *key, struct audit_row *ret);
void audit_row_link(
    const void *p, size_t len, uint8_t ret[static AUDIT_LINK_LEN]);

/*
 * The trail from one row on, as the database gives it: each row is signed,
 * stands where its number says, and names the one before it. What is wrong is
 * told with the number at which it is.
 */
typedef void (*audit_found_fn)(void *arg, uint64_t seq, const char *what);
struct audit_chain {
	const struct audit_keys *keys;
	unsigned key; /* of the row before */
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	bool any_system; /* until the first row has said which */
	bool any_before; /* the first row's is not known */
	uint64_t next;
	uint8_t before[AUDIT_LINK_LEN];
	struct audit_head seen; /* by somebody who is trusted */
	audit_found_fn found;
	void *arg;
	uint64_t rows, lost, faults, first;
};
/* From row `from` on, which is 1 for the whole of it. */
void audit_chain_begin(
    struct audit_chain *c, const struct audit_keys *keys, uint64_t from);
/* CLV_OK: *ret is what it says, as the system has signed it. */
int audit_chain_row(struct audit_chain *c, uint64_t seq, const void *body,
    size_t len, struct audit_row *ret);
void audit_chain_end(struct audit_chain *c);

#endif
