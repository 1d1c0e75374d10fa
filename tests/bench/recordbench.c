/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recordbench [-n ROUNDS] [-e ENTRIES]
 *
 * What an application's keys cost, beside libsodium: each round runs every
 * operation many times, one after the other, so that a busy machine hurts all
 * alike, and the lower quartile of the rounds counts. Then an index of so many
 * entries: per entry the time to load it from rows and the bytes of heap, and
 * the time of a write of one entry to it. Prints NAME and nanoseconds (for
 * index-bytes: bytes).
 */
#include <err.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/envelope.h>
#include <claviger/manifest.h>
#include <claviger/result.h>

#include "quantile.h"

#define VALUE_LEN 256
#define AT_ONCE 200
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES

static uint8_t key[CLV_KEY_LEN], system_id[CLV_SYSTEM_ID_LEN];
static uint8_t value[VALUE_LEN], nonce[NONCE_LEN];
static uint8_t ciphertext[VALUE_LEN + TAG_LEN];
static uint8_t record[VALUE_LEN + CLV_RECORD_EXTRA];
static uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN], wrapped_again[72 + 1];
static const struct clv_record_id record_id = {
    CLV_RECORD_SECRET, system_id, "crm", "db/password", 7};
static const struct clv_datakey_id datakey_id = {system_id, "crm", 1, 1};

static void
must(int r)
{
	if (r != 0)
		errx(1, "an operation failed: %d", r);
}

static void
raw_seal(void)
{
	randombytes_buf(nonce, sizeof(nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    ciphertext, NULL, value, VALUE_LEN, NULL, 0, NULL, nonce, key);
}

static void
raw_open(void)
{
	must(crypto_aead_xchacha20poly1305_ietf_decrypt(value, NULL, NULL,
	    ciphertext, sizeof(ciphertext), NULL, 0, nonce, key));
}

static void
record_seal(void)
{
	must(clv_record_seal(key, 1, &record_id, value, VALUE_LEN, record));
}

static void
record_open(void)
{
	must(clv_record_open(key, &record_id, record, sizeof(record), value));
}

static void
raw_rewrap(void)
{
	uint8_t plain[CLV_KEY_LEN];

	must(crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
	    wrapped_again + NONCE_LEN, CLV_KEY_LEN + TAG_LEN, NULL, 0,
	    wrapped_again, key));
	randombytes_buf(wrapped_again, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(wrapped_again + NONCE_LEN,
	    NULL, plain, CLV_KEY_LEN, NULL, 0, NULL, wrapped_again, key);
}

static void
datakey_rewrap(void)
{
	uint8_t plain[CLV_KEY_LEN];

	must(clv_datakey_unwrap(
	    key, &datakey_id, wrapped, sizeof(wrapped), plain));
	must(clv_datakey_wrap(key, &datakey_id, plain, wrapped));
}

static struct {
	const char *name;
	void (*run)(void);
	double *ns; /* one of each round */
} operations[] = {
    {"raw-seal", raw_seal, NULL},
    {"record-seal", record_seal, NULL},
    {"raw-open", raw_open, NULL},
    {"record-open", record_open, NULL},
    {"raw-rewrap", raw_rewrap, NULL},
    {"datakey-rewrap", datakey_rewrap, NULL},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* ours alone */
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double
time_of(void (*run)(void))
{
	double began_ns = now_ns();
	int i;

	for (i = 0; i < AT_ONCE; i++)
		run();
	return (now_ns() - began_ns) / AT_ONCE;
}

static void
measure_operations(size_t rounds)
{
	size_t i, r;

	raw_seal();
	must(clv_datakey_wrap(key, &datakey_id, key, wrapped));
	crypto_aead_xchacha20poly1305_ietf_encrypt(wrapped_again + NONCE_LEN,
	    NULL, key, CLV_KEY_LEN, NULL, 0, NULL, wrapped_again, key);
	for (i = 0; i < OPERATIONS; i++) {
		operations[i].ns = calloc(rounds, sizeof(double));
		if (operations[i].ns == NULL)
			err(1, "calloc");
	}
	for (r = 0; r < rounds; r++)
		for (i = 0; i < OPERATIONS; i++)
			operations[i].ns[r] = time_of(operations[i].run);
	for (i = 0; i < OPERATIONS; i++) {
		printf("%s %.1f\n", operations[i].name,
		    quantile(operations[i].ns, rounds, 0.25));
		free(operations[i].ns);
	}
}

static size_t
heap_len(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void
stage(struct clv_index *x, size_t n, uint64_t version)
{
	char name[48];
	struct clv_change c = {.name = name, .version = version};

	snprintf(name, sizeof(name), "service/%07zu/pass", n);
	c.record_hash[0] = (uint8_t)n;
	must(clv_index_stage(x, &c));
}

static void
commit(struct clv_index *x)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	uint64_t counter = clv_index_counter(x) + 1;

	clv_index_mac(x, counter, mac);
	must(clv_index_commit(x, counter, mac));
}

static void
measure_index(size_t entries)
{
	struct clv_index *x = NULL;
	size_t before = heap_len(), i, writes = 10000;
	double began_ns = now_ns();
	const char *at = "";
	uint64_t version;

	must(clv_index_new(key, system_id, "crm", &x));
	for (i = 0; i < entries; i++)
		stage(x, i * 7919 % entries, 1);
	commit(x);
	printf("index-load %.1f\n", (now_ns() - began_ns) / (double)entries);
	printf("index-bytes %.1f\n",
	    (double)(heap_len() - before) / (double)entries);
	began_ns = now_ns();
	for (i = 0; i < writes; i++) {
		stage(x, i * 104729 % entries, 2 + i);
		commit(x);
	}
	printf("index-write %.1f\n", (now_ns() - began_ns) / (double)writes);
	began_ns = now_ns();
	for (i = 0; (at = clv_index_next(x, at, &version)) != NULL; i++)
		continue;
	printf("index-list %.1f\n", (now_ns() - began_ns) / (double)i);
	clv_index_free(&x);
}

int
main(int argc, char **argv)
{
	size_t rounds = 500, entries = 1000000;
	int opt;

	while ((opt = getopt(argc, argv, "n:e:")) != -1)
		switch (opt) {
		case 'n': rounds = strtoul(optarg, NULL, 10); break;
		case 'e': entries = strtoul(optarg, NULL, 10); break;
		default: errx(2, "[-n ROUNDS] [-e ENTRIES]");
		}
	if (rounds == 0 || entries == 0)
		errx(2, "[-n ROUNDS] [-e ENTRIES]");
	if (sodium_init() < 0)
		errx(1, "sodium_init");
	measure_operations(rounds);
	measure_index(entries);
	return 0;
}
