/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REENCRYPT_H
#define CLAVIGERD_REENCRYPT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * After `rotate --reencrypt` the active server gives each application a new
 * data key and rewrites its records under it. The signed list says since which
 * generation, until all is done; how far it is shows in the database:
 *
 * An application is due while its newest data key is wrapped under a generation
 * before that one. So it gets the new one before the others are rewrapped, and
 * whoever cannot get one stays under the old generation with all its keys.
 * Then its records are due that are not under the newest data key. Both steps
 * go through its manifest, as a member's write does, and through the vault,
 * which has verified what it says.
 */
#define REENCRYPT_BATCH 64		  /* records in a transaction, */
#define REENCRYPT_BATCH_LEN (128u * 1024) /* and their bytes, about */
#define REENCRYPT_UNIT 4096 /* a record counts once for each begun of these */
#define REENCRYPT_SQL_MS 30000
#define REENCRYPT_RETRY_MS 1000

struct keeper;
struct reencrypt;
typedef void (*reencrypt_fn)(struct keeper *k);

int reencrypt_new(struct keeper *k, struct reencrypt **ret);
void reencrypt_free(struct reencrypt **r);
/* Is it asked for, now that this generation is current? */
bool reencrypt_is_due(const struct keeper *k, uint32_t current);
/* New data keys, wrapped under the current generation, which members have; then
 * fn, unless it was stopped. */
void reencrypt_keys(
    struct keeper *k, uint64_t epoch, uint32_t current, reencrypt_fn fn);
/* Did reencrypt_keys() leave this application out? */
bool reencrypt_left_out(const struct keeper *k, const char *app);
/* The records of all others; then fn. */
void reencrypt_records(struct keeper *k, reencrypt_fn fn);
void reencrypt_stop(struct keeper *k);

struct reencrypt_progress {
	uint64_t total, left; /* applications, or then secrets */
	uint64_t rewritten;   /* records, by this server */
	uint64_t damaged;     /* records and applications that cannot be */
	char why[160];	      /* it cannot go on at the moment, "": it does */
};
void reencrypt_progress(const struct keeper *k, struct reencrypt_progress *ret);

#endif
