/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-rotate keys|rows|records|rewrap|update|load ..., for rotation.py: what
 * a rotation works on, written into a lab's database as its owner would find
 * it, the bare loops beside which it is measured, and a member that works
 * meanwhile.
 */
#include <config.h>

#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include <claviger/backup.h>
#include <claviger/buf.h>
#include <claviger/client.h>
#include <claviger/envelope.h>
#include <claviger/identity.h>
#include <claviger/manifest.h>
#include <claviger/result.h>
#include <claviger/store.h>

#define PAGE 1000   /* keys in a statement, as the server has it */
#define BATCH 64    /* records, likewise */
#define PER_APP 100 /* data keys of each filler application */
#define VALUE_LEN 256

static PGconn *db;
static struct clv_guard *guard;
static struct clv_keyring *keyring;
static uint8_t distribution[CLV_KEY_LEN];
static uint32_t generation;

static double
now_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
need(int rc, const char *what)
{
	if (rc != CLV_OK)
		errx(1, "%s: %s", what, clv_result_text(rc));
}

static PGresult *
check(PGresult *r)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK)
		errx(1, "%s", PQerrorMessage(db));
	return r;
}

static void
sql(const char *text)
{
	PQclear(check(PQexec(db, text)));
}

static void
prepare(const char *name, const char *text)
{
	PQclear(check(PQprepare(db, name, text, 0, NULL)));
}

/* Arrays, and before them at most one int8. */
static PGresult *
exec(const char *name, const uint8_t *number, struct clv_buf *b, int n)
{
	static const int formats[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	const char *values[8];
	int lens[8], k = 0;

	if (number != NULL) {
		values[k] = (const char *)number;
		lens[k++] = 8;
	}
	for (int i = 0; i < n; i++) {
		need(clv_buf_result(&b[i]), name);
		values[k] = (char *)b[i].data;
		lens[k++] = (int)b[i].len;
	}
	return check(PQexecPrepared(db, name, k, values, lens, formats, 1));
}

static void
begin(struct clv_buf *b, const enum clv_array *types, int n)
{
	for (int i = 0; i < n; i++) {
		clv_buf_fini(&b[i]);
		clv_array_begin(&b[i], types[i]);
	}
}

static void
open_keyring(const char *path, const char *pass_file)
{
	char why[256], pass[128] = "";
	FILE *f = fopen(pass_file, "r");

	if (f == NULL || fgets(pass, sizeof(pass), f) == NULL)
		err(1, "%s", pass_file);
	fclose(f);
	pass[strcspn(pass, "\n")] = '\0';
	need(clv_guard_new(256 * 1024, &guard), "guard");
	if (clv_backup_read(guard, path, pass, &keyring, why) != CLV_OK)
		errx(1, "%s", why);
	generation = clv_keyring_newest(keyring);
	need(clv_keyring_subkey(
		 keyring, generation, CLV_SUBKEY_DISTRIBUTION, distribution),
	    "subkey");
}

static void
app_key(const char *app, uint8_t ret[static CLV_KEY_LEN])
{
	clv_app_key(distribution, clv_keyring_system_id(keyring), app, ret);
}

static uint64_t
u64_at(const PGresult *r, int row, int col)
{
	struct clv_rd rd;

	clv_rd_init(&rd, PQgetvalue(r, row, col), 8);
	return clv_rd_u64(&rd);
}

/* Data keys of applications that are in no list: rewrapping asks for none. */
static void
fill_keys(unsigned n)
{
	static const enum clv_array types[3] = {
	    CLV_ARRAY_TEXT, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA};
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN], key[CLV_KEY_LEN],
	    of_app[CLV_KEY_LEN], number[8];
	struct clv_buf b[3] = {{0}};
	char app[32];

	prepare("keys", "INSERT INTO claviger.data_key (app, version,"
			" generation, wrapped) SELECT r.a, r.v, $1::bigint,"
			" r.w FROM unnest($2::text[], $3::bigint[],"
			" $4::bytea[]) AS r (a, v, w)");
	sql("DELETE FROM claviger.data_key WHERE app LIKE 'fill%'");
	clv_param_u64(generation, number);
	for (unsigned i = 0; i < n; i++) {
		struct clv_datakey_id id = {clv_keyring_system_id(keyring), app,
		    i % PER_APP + 1, generation};

		snprintf(app, sizeof(app), "fill%u", i / PER_APP);
		if (i % PER_APP == 0)
			app_key(app, of_app);
		if (i % PAGE == 0)
			begin(b, types, 3);
		randombytes_buf(key, sizeof(key));
		need(clv_datakey_wrap(of_app, &id, key, wrapped), "wrap");
		clv_array_add(&b[0], app, strlen(app));
		clv_array_add_u64(&b[1], id.version);
		clv_array_add(&b[2], wrapped, sizeof(wrapped));
		if (i % PAGE == PAGE - 1 || i + 1 == n)
			PQclear(exec("keys", number, b, 3));
	}
	sql("VACUUM ANALYZE claviger.data_key");
}

/* Rows of secrets that nobody reads. */
static void
fill_rows(unsigned n)
{
	char text[512];

	sql("DELETE FROM claviger.secret WHERE app = 'fill'");
	snprintf(text, sizeof(text),
	    "INSERT INTO claviger.secret (app, name, version, deleted,"
	    " key_version, record, hash, counter, op_id) SELECT 'fill',"
	    " 'name' || i, 1, false, 1, decode(repeat('a5', 333), 'hex'),"
	    " decode(repeat('a5', 32), 'hex'), 1, uuid_send("
	    "gen_random_uuid()) FROM generate_series(1, %u) i",
	    n);
	sql(text);
	sql("VACUUM ANALYZE claviger.secret");
}

/* Records of an application that is there, with the manifest that vouches for
 * them: as members write them, at once. */
struct keys {
	uint8_t index[CLV_KEY_LEN], data[CLV_KEY_LEN];
	uint32_t version;
	uint64_t counter;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
};

static void
open_app(const char *app, struct keys *ret)
{
	const char *values[1] = {app};
	struct clv_datakey_id id = {
	    clv_keyring_system_id(keyring), app, 0, generation};
	uint8_t of_app[CLV_KEY_LEN];
	PGresult *r = check(PQexecParams(db,
	    "SELECT k.version, k.wrapped, m.counter, m.mac FROM "
	    "claviger.data_key k"
	    " JOIN claviger.manifest m USING (app) WHERE app = $1"
	    " ORDER BY k.version",
	    1, NULL, values, NULL, NULL, 1));

	app_key(app, of_app);
	for (int i = 0; i < PQntuples(r); i++) {
		id.version = ret->version = (uint32_t)u64_at(r, i, 0);
		need(clv_datakey_unwrap(of_app, &id, PQgetvalue(r, i, 1),
			 (size_t)PQgetlength(r, i, 1),
			 i == 0 ? ret->index : ret->data),
		    "unwrap");
	}
	ret->counter = u64_at(r, 0, 2);
	if (PQgetlength(r, 0, 3) != sizeof(ret->mac))
		errx(1, "%s has no manifest", app);
	memcpy(ret->mac, PQgetvalue(r, 0, 3), sizeof(ret->mac));
	PQclear(r);
}

static void
put_manifest(const char *app, struct clv_index *x, const struct keys *keys)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	const char *values[2] = {app, (char *)mac};
	const int lens[2] = {0, sizeof(mac)}, formats[2] = {0, 1};

	clv_index_mac(x, keys->counter + 1, mac);
	PQclear(check(PQexecParams(db,
	    "UPDATE claviger.manifest SET counter = counter + 1, mac = $2"
	    " WHERE app = $1",
	    2, NULL, values, lens, formats, 0)));
}

static void
fill_records(const char *app, unsigned n)
{
	static const enum clv_array types[4] = {
	    CLV_ARRAY_TEXT, CLV_ARRAY_BYTEA, CLV_ARRAY_BYTEA, CLV_ARRAY_INT8};
	uint8_t value[VALUE_LEN], number[8],
	    record[VALUE_LEN + CLV_RECORD_EXTRA];
	struct clv_buf b[4] = {{0}};
	struct clv_index *x = NULL;
	struct keys keys;
	char text[400], name[32];

	open_app(app, &keys);
	need(keys.version == 1 ? CLV_OK : CLV_E_STALE, app); /* a new one */
	need(clv_index_new(keys.index, clv_keyring_system_id(keyring), app, &x),
	    "index");
	need(clv_index_stage_key(x, 1, keys.data), "stage");
	need(clv_index_commit(x, keys.counter, keys.mac), "manifest");
	snprintf(text, sizeof(text),
	    "INSERT INTO claviger.secret (app, name, version, deleted,"
	    " key_version, record, hash, counter, op_id) SELECT '%s', r.n, 1,"
	    " false, r.k, r.r, r.h, $1::bigint, uuid_send(gen_random_uuid())"
	    " FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bigint[])"
	    " AS r (n, r, h, k)",
	    app);
	prepare("records", text);
	sql("BEGIN");
	clv_param_u64(keys.counter + 1, number);
	for (unsigned i = 0; i < n; i++) {
		struct clv_record_id id = {CLV_RECORD_SECRET,
		    clv_keyring_system_id(keyring), app, name, 1};
		struct clv_change c = {.name = name, .version = 1};

		snprintf(name, sizeof(name), "name%06u", i);
		if (i % PAGE == 0)
			begin(b, types, 4);
		randombytes_buf(value, sizeof(value));
		need(clv_record_seal(keys.data, keys.version, &id, value,
			 sizeof(value), record),
		    "seal");
		clv_record_hash(record, sizeof(record), c.record_hash);
		need(clv_index_stage(x, &c), "stage");
		clv_array_add(&b[0], name, strlen(name));
		clv_array_add(&b[1], record, sizeof(record));
		clv_array_add(&b[2], c.record_hash, sizeof(c.record_hash));
		clv_array_add_u64(&b[3], keys.version);
		if (i % PAGE == PAGE - 1 || i + 1 == n)
			PQclear(exec("records", number, b, 4));
	}
	put_manifest(app, x, &keys);
	sql("COMMIT");
	clv_index_free(&x);
	sql("VACUUM ANALYZE claviger.secret");
}

/* The yardsticks. */

/* As claviger-formats(7) has it, with libsodium alone. */
static size_t
associated(uint8_t ret[static 128], const char *app, uint64_t version,
    uint32_t of_generation)
{
	struct clv_buf b = {0};
	size_t len;

	clv_buf_raw(&b, "claviger-datakey", 16);
	clv_buf_u8(&b, 1);
	clv_buf_raw(&b, clv_keyring_system_id(keyring), CLV_SYSTEM_ID_LEN);
	clv_buf_str(&b, app);
	clv_buf_u32(&b, (uint32_t)version);
	clv_buf_u32(&b, of_generation);
	need(clv_buf_result(&b), "associated data");
	memcpy(ret, b.data, b.len);
	len = b.len;
	clv_buf_fini(&b);
	return len;
}

static void
rewrap_one(const uint8_t *old, const uint8_t *new, const char *app,
    uint64_t version, const uint8_t *wrapped, uint8_t *ret)
{
	uint8_t ad[128], key[CLV_KEY_LEN];
	size_t len = associated(ad, app, version, generation);

	if (crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL,
		wrapped + 25, 48, ad, len, wrapped + 1, old) != 0)
		errx(1, "%s %llu does not open", app,
		    (unsigned long long)version);
	ret[0] = 1;
	randombytes_buf(ret + 1, 24);
	len = associated(ad, app, version, generation + 1);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    ret + 25, NULL, key, sizeof(key), ad, len, NULL, ret + 1, new);
}

static int
rewrap_page(struct clv_buf b[static 4])
{
	static const enum clv_array types[4] = {
	    CLV_ARRAY_TEXT, CLV_ARRAY_INT8, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA};
	uint8_t old[CLV_KEY_LEN], new[CLV_KEY_LEN], number[8],
	    wrapped[CLV_DATAKEY_WRAPPED_LEN];
	char last[CLV_NAME_MAX] = "";
	PGresult *r;
	int n;

	clv_param_u64(generation, number);
	r = exec("page", number, NULL, 0);
	n = PQntuples(r);
	begin(b, types, 4);
	for (int i = 0; i < n; i++) {
		const char *app = PQgetvalue(r, i, 0);

		if (strcmp(app, last) != 0) {
			app_key(app, old);
			app_key(app, new);
			new[0] ^= 1;
			snprintf(last, sizeof(last), "%s", app);
		}
		rewrap_one(old, new, app, u64_at(r, i, 1),
		    (const uint8_t *)PQgetvalue(r, i, 2), wrapped);
		clv_array_add(&b[0], app, strlen(app));
		clv_array_add_u64(&b[1], u64_at(r, i, 1));
		clv_array_add_u64(&b[2], generation);
		clv_array_add(&b[3], wrapped, sizeof(wrapped));
	}
	PQclear(r);
	clv_param_u64(generation + 1, number);
	if (n > 0)
		PQclear(exec("rewrap", number, b, 4));
	return n;
}

static void
bare_rewrap(void)
{
	struct clv_buf b[4] = {{0}};
	double began;
	unsigned rows = 0;
	int n;

	sql("DROP TABLE IF EXISTS claviger.bare_key");
	sql("CREATE TABLE claviger.bare_key (LIKE claviger.data_key INCLUDING"
	    " ALL)");
	sql("INSERT INTO claviger.bare_key SELECT * FROM claviger.data_key"
	    " WHERE app LIKE 'fill%'");
	sql("VACUUM ANALYZE claviger.bare_key");
	prepare("page", "SELECT app, version, wrapped FROM claviger.bare_key"
			" WHERE generation <= $1::bigint"
			" ORDER BY generation, app, version LIMIT 1000");
	prepare("rewrap", "UPDATE claviger.bare_key k SET generation ="
			  " $1::bigint, wrapped = r.wrapped FROM"
			  " unnest($2::text[], $3::bigint[], $4::bigint[],"
			  " $5::bytea[]) AS r (app, version, old, wrapped)"
			  " WHERE k.app = r.app AND k.version = r.version"
			  " AND k.generation = r.old");
	began = now_s(CLOCK_MONOTONIC);
	while ((n = rewrap_page(b)) > 0)
		rows += (unsigned)n;
	printf("%u %.6f\n", rows, now_s(CLOCK_MONOTONIC) - began);
}

static void
bare_update(const char *app, unsigned n)
{
	static const enum clv_array types[3] = {
	    CLV_ARRAY_TEXT, CLV_ARRAY_BYTEA, CLV_ARRAY_BYTEA};
	uint8_t record[VALUE_LEN + CLV_RECORD_EXTRA], hash[32], number[8];
	struct clv_buf b[3] = {{0}};
	char text[512], name[32];
	double began;

	sql("DROP TABLE IF EXISTS claviger.bare_secret");
	sql("CREATE TABLE claviger.bare_secret (LIKE claviger.secret INCLUDING"
	    " ALL)");
	snprintf(text, sizeof(text),
	    "INSERT INTO claviger.bare_secret SELECT * FROM claviger.secret"
	    " WHERE app = '%s'",
	    app);
	sql(text);
	sql("VACUUM ANALYZE claviger.bare_secret");
	snprintf(text, sizeof(text),
	    "UPDATE claviger.bare_secret s SET record = r.r, hash = r.h,"
	    " key_version = s.key_version + 1, counter = $1::bigint FROM"
	    " unnest($2::text[], $3::bytea[], $4::bytea[]) AS r (n, r, h)"
	    " WHERE s.app = '%s' AND s.name = r.n AND s.version = 1",
	    app);
	prepare("update", text);
	randombytes_buf(record, sizeof(record));
	randombytes_buf(hash, sizeof(hash));
	began = now_s(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		if (i % BATCH == 0)
			begin(b, types, 3);
		snprintf(name, sizeof(name), "name%06u", i);
		clv_array_add(&b[0], name, strlen(name));
		clv_array_add(&b[1], record, sizeof(record));
		clv_array_add(&b[2], hash, sizeof(hash));
		clv_param_u64(1000000 + i, number);
		if (i % BATCH == BATCH - 1 || i + 1 == n)
			PQclear(exec("update", number, b, 3));
	}
	printf("%u %.6f\n", n, now_s(CLOCK_MONOTONIC) - began);
}

/* A member that works: "get|decrypt BEGAN SECONDS" of each request, until it is
 * ended. */
static void
load(const char *app)
{
	const struct timespec pause = {0, 1000000};
	struct clv_secret *s = NULL, *sealed = NULL;
	struct clv_client *c = NULL;
	uint8_t value[VALUE_LEN] = {0};
	double began;

	need(clv_client_open(NULL, &c), "open");
	need(clv_client_put(c, app, "load", value, sizeof(value), 1, NULL),
	    "put");
	need(clv_client_seal(c, app, "", value, sizeof(value), &sealed),
	    "encrypt");
	for (;;) {
		began = now_s(CLOCK_REALTIME);
		need(clv_client_get(c, app, "load", 0, 0, &s), "get");
		printf("get %.6f %.6f\n", began, now_s(CLOCK_REALTIME) - began);
		clv_secret_free(&s);
		began = now_s(CLOCK_REALTIME);
		need(clv_client_unseal(
			 c, app, "", sealed->data, sealed->len, &s),
		    "decrypt");
		printf("decrypt %.6f %.6f\n", began,
		    now_s(CLOCK_REALTIME) - began);
		clv_secret_free(&s);
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	unsigned n;

	if (sodium_init() < 0)
		errx(1, "no libsodium");
	if (strcmp(verb, "load") == 0)
		load(argv[2]);
	if (argc < 6)
		errx(2, "usage: bench-rotate VERB CONNINFO BACKUP PASSPHRASE"
			" NUMBER [APP]");
	db = PQconnectdb(argv[2]);
	if (PQstatus(db) != CONNECTION_OK)
		errx(1, "%s", PQerrorMessage(db));
	open_keyring(argv[3], argv[4]);
	n = (unsigned)atoi(argv[5]);
	if (strcmp(verb, "keys") == 0)
		fill_keys(n);
	else if (strcmp(verb, "rows") == 0)
		fill_rows(n);
	else if (strcmp(verb, "records") == 0 && argc == 7)
		fill_records(argv[6], n);
	else if (strcmp(verb, "rewrap") == 0)
		bare_rewrap();
	else if (strcmp(verb, "update") == 0 && argc == 7)
		bare_update(argv[6], n);
	else
		errx(2, "there is no %s", verb);
	PQfinish(db);
	clv_keyring_free(&keyring);
	return 0;
}
