/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An application as the library makes it, under random keys, for formats.py:
 * a word and its fields on each line, numbers or hexadecimal.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/envelope.h>
#include <claviger/manifest.h>
#include <claviger/result.h>

#define APP "crm"
#define COUNTER UINT64_C(0x123456789a)

static uint8_t system_id[CLV_SYSTEM_ID_LEN], app_key[CLV_KEY_LEN];
static uint8_t index_key[CLV_KEY_LEN], data_keys[3][CLV_KEY_LEN];

static void
must(int result, const char *what)
{
	if (result == CLV_OK)
		return;
	fprintf(stderr, "format-tool: %s: %s\n", what, clv_result_name(result));
	exit(1);
}

static void
print_hex(const void *p, size_t len)
{
	const uint8_t *at = p;
	size_t i;

	putchar(' ');
	for (i = 0; i < len; i++)
		printf("%02x", at[i]);
}

static void
print_distribution(void)
{
	uint8_t distribution[CLV_KEY_LEN];

	randombytes_buf(distribution, sizeof(distribution));
	randombytes_buf(system_id, sizeof(system_id));
	clv_app_key(distribution, system_id, APP, app_key);
	printf("distribution");
	print_hex(distribution, sizeof(distribution));
	print_hex(system_id, sizeof(system_id));
	print_hex(APP, strlen(APP));
	putchar('\n');
}

static void
print_key(uint32_t version, uint32_t generation, uint8_t *ret_key)
{
	const struct clv_datakey_id id = {system_id, APP, version, generation};
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

	randombytes_buf(ret_key, CLV_KEY_LEN);
	must(clv_datakey_wrap(app_key, &id, ret_key, wrapped), "wrap");
	printf("key %" PRIu32 " %" PRIu32, version, generation);
	print_hex(wrapped, sizeof(wrapped));
	putchar('\n');
}

static void
print_record(struct clv_index *x, uint32_t key_version, uint8_t kind,
    const char *name, uint64_t version, size_t len)
{
	const struct clv_record_id id = {kind, system_id, APP, name, version};
	struct clv_change c = {.name = name, .version = version};
	uint8_t plain[1024], record[sizeof(plain) + CLV_RECORD_EXTRA];

	randombytes_buf(plain, len);
	must(clv_record_seal(
		 data_keys[key_version], key_version, &id, plain, len, record),
	    "seal");
	printf("record %d", kind);
	print_hex(name, strlen(name));
	printf(" %" PRIu64, version);
	print_hex(record, len + CLV_RECORD_EXTRA);
	print_hex(plain, len);
	putchar('\n');
	if (kind != CLV_RECORD_SECRET)
		return;
	clv_record_hash(record, len + CLV_RECORD_EXTRA, c.record_hash);
	must(clv_index_stage(x, &c), "stage");
}

static void
print_tombstone(struct clv_index *x, const char *name, uint64_t version)
{
	const struct clv_change c = {
	    .name = name, .version = version, .deleted = true};

	must(clv_index_stage(x, &c), "stage");
	printf("tombstone");
	print_hex(name, strlen(name));
	printf(" %" PRIu64 "\n", version);
}

static void
print_manifest(struct clv_index *x, uint64_t counter)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

	clv_index_mac(x, counter, mac);
	must(clv_index_commit(x, counter, mac), "commit");
	printf("manifest %" PRIu64, counter);
	print_hex(mac, sizeof(mac));
	putchar('\n');
}

int
main(void)
{
	struct clv_index *x = NULL;

	if (sodium_init() < 0)
		return 1;
	print_distribution();
	print_key(0, 1, index_key);
	print_key(1, 1, data_keys[1]);
	print_key(2, 7, data_keys[2]);
	must(clv_index_new(index_key, system_id, APP, &x), "index");
	must(clv_index_stage_key(x, 1, data_keys[1]), "first data key");
	must(clv_index_stage_key(x, 2, data_keys[2]), "second data key");
	print_record(x, 1, CLV_RECORD_SECRET, "db/password", 1, 20);
	print_record(x, 2, CLV_RECORD_SECRET, "certificate", 1 << 20, 1024);
	print_record(x, 2, CLV_RECORD_SECRET, "empty", UINT64_MAX, 0);
	print_record(x, 2, CLV_RECORD_SEALED, "", 0, 64);
	print_record(x, 1, CLV_RECORD_SEALED, "customer \xc3\xa4", 0, 65);
	print_manifest(x, COUNTER);
	print_tombstone(x, "gone", 3);
	print_manifest(x, COUNTER + 1);
	clv_index_free(&x);
	return 0;
}
