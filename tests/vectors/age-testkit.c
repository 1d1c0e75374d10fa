/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the C2SP CCTV test kit of age against the library: age-testkit DIR.
 * Each vector is a header (RFC 822 style), an empty line, and an age file,
 * which may be compressed. Every vector is read at once and in odd pieces.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <zlib.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

#define GUARD_LEN (512u * 1024)
#define FILE_MAX (1u << 20)
#define BODY_MAX (64u << 20)
#define KEYS_MAX 4

struct vector {
	char *text; /* the whole file; the fields point into it */
	const char *expect;
	const char *payload;
	const char *identity[KEYS_MAX];
	size_t identities; /* X25519 */
	const char *passphrase[KEYS_MAX];
	size_t passphrases;
	size_t foreign; /* keys of types that we do not have */
	bool armored;
	bool compressed;
	uint8_t *body;
	size_t body_len;
};

struct outcome {
	int result;
	enum clv__age_stage stage;
	char hash[2 * crypto_hash_sha256_BYTES + 1];
};

enum verdict { PASSED, FAILED, SKIPPED };

_Noreturn static void
die(const char *what, const char *name)
{
	fprintf(stderr, "age-testkit: %s: %s\n", what, name);
	exit(2);
}

/* Whole file with a NUL behind it. */
static size_t
read_file(const char *path, char **ret_text)
{
	FILE *f = fopen(path, "rb");
	char *text = malloc(FILE_MAX + 1);
	size_t len;

	if (f == NULL || text == NULL)
		die("cannot read", path);
	len = fread(text, 1, FILE_MAX, f);
	if (ferror(f) || !feof(f))
		die("cannot read, or too large", path);
	fclose(f);
	text[len] = '\0';
	*ret_text = text;
	return len;
}

static void
add_key(const char **keys, size_t *n, const char *value)
{
	if (*n == KEYS_MAX)
		die("too many keys", value);
	keys[(*n)++] = value;
}

static void
add_field(struct vector *v, const char *name, const char *value)
{
	if (strcmp(name, "expect") == 0)
		v->expect = value;
	else if (strcmp(name, "payload") == 0)
		v->payload = value;
	else if (strcmp(name, "passphrase") == 0)
		add_key(v->passphrase, &v->passphrases, value);
	else if (strcmp(name, "armored") == 0)
		v->armored = strcmp(value, "yes") == 0;
	else if (strcmp(name, "compressed") == 0)
		v->compressed = strcmp(value, "zlib") == 0;
	else if (strcmp(name, "identity") != 0)
		return; /* comment, file key */
	else if (strncmp(value, "AGE-SECRET-KEY-1", 16) == 0)
		add_key(v->identity, &v->identities, value);
	else
		v->foreign++;
}

static char *
parse_fields(struct vector *v)
{
	char *line = v->text;

	while (*line != '\0' && *line != '\n') {
		char *end = strchr(line, '\n');
		char *colon = strstr(line, ": ");

		if (end == NULL || colon == NULL || colon > end)
			return NULL;
		*end = '\0';
		*colon = '\0';
		add_field(v, line, colon + 2);
		line = end + 1;
	}
	return *line == '\n' ? line + 1 : NULL;
}

static void
inflate_body(struct vector *v, const char *path)
{
	uLongf len = BODY_MAX;
	uint8_t *out = malloc(len);

	if (out == NULL)
		die("out of memory", path);
	if (uncompress(out, &len, v->body, v->body_len) != Z_OK)
		die("bad zlib data", path);
	free(v->body);
	v->body = out;
	v->body_len = len;
}

static void
load(struct vector *v, const char *path)
{
	size_t len;
	char *body;

	memset(v, 0, sizeof(*v));
	len = read_file(path, &v->text);
	body = parse_fields(v);
	if (body == NULL || v->expect == NULL)
		die("not a test vector", path);
	v->body_len = len - (size_t)(body - v->text);
	v->body = malloc(v->body_len + 1);
	if (v->body == NULL)
		die("out of memory", path);
	memcpy(v->body, body, v->body_len);
	if (v->compressed)
		inflate_body(v, path);
}

static int
hash_sink(void *arg, const void *p, size_t len)
{
	crypto_hash_sha256_update(arg, p, len);
	return CLV_OK;
}

static void
feed(struct clv_age_reader *r, const struct vector *v, size_t piece,
    struct outcome *ret)
{
	size_t at = 0;
	int result = CLV_OK;

	while (result == CLV_OK && at < v->body_len) {
		size_t n = v->body_len - at < piece ? v->body_len - at : piece;

		result = clv_age_reader_put(r, v->body + at, n);
		at += n;
	}
	ret->result = clv_age_reader_finish(r);
	ret->stage = clv__age_reader_stage(r);
}

static void
run(struct clv_guard *guard, const struct vector *v, const char *identity,
    const char *passphrase, size_t piece, struct outcome *ret)
{
	uint8_t digest[crypto_hash_sha256_BYTES];
	uint8_t sk[CLV_AGE_KEY_LEN];
	crypto_hash_sha256_state hash;
	struct clv_age_reader *r = NULL;
	int result;

	crypto_hash_sha256_init(&hash);
	if (passphrase != NULL)
		result = clv_age_read_passphrase(guard, passphrase,
		    CLV_AGE_SCRYPT_LOGN_MAX, hash_sink, &hash, &r);
	else if (clv_age_identity_parse(identity, sk) != CLV_OK)
		die("bad identity", identity);
	else
		result = clv_age_read_identity(guard, sk, hash_sink, &hash, &r);
	if (result != CLV_OK)
		die("no reader", clv_result_text(result));
	feed(r, v, piece, ret);
	clv_age_reader_free(&r);
	if (clv_guard_used(guard) != 0)
		die("guarded memory left behind", v->expect);
	crypto_hash_sha256_final(&hash, digest);
	sodium_bin2hex(ret->hash, sizeof(ret->hash), digest, sizeof(digest));
}

static bool
is_header_failure(const struct outcome *o)
{
	if (o->stage != CLV__AGE_AT_START && o->stage != CLV__AGE_AT_HEADER)
		return false;
	return o->result == CLV_E_FORMAT || o->result == CLV_E_VERSION ||
	       o->result == CLV_E_WORK_FACTOR || o->result == CLV_E_TRUNCATED;
}

/* Armor is recognised by its first line, so a file whose first line is not
 * that fails before anything is recognised. */
static bool
is_armor_failure(const struct outcome *o)
{
	if (o->stage == CLV__AGE_AT_START)
		return o->result == CLV_E_FORMAT;
	return o->stage == CLV__AGE_AT_ARMOR &&
	       (o->result == CLV_E_FORMAT || o->result == CLV_E_TRUNCATED);
}

static bool
is_expected(const struct vector *v, const struct outcome *o, bool passphrase)
{
	if (strcmp(v->expect, "success") == 0)
		return o->result == CLV_OK;
	if (strcmp(v->expect, "no match") == 0)
		return o->result == CLV_E_NO_IDENTITY ||
		       (passphrase && o->result == CLV_E_PASSPHRASE);
	if (strcmp(v->expect, "HMAC failure") == 0)
		return o->result == CLV_E_DAMAGED &&
		       o->stage == CLV__AGE_AT_HEADER;
	if (strcmp(v->expect, "header failure") == 0)
		return is_header_failure(o);
	if (strcmp(v->expect, "armor failure") == 0)
		return is_armor_failure(o);
	if (strcmp(v->expect, "payload failure") == 0)
		return o->stage == CLV__AGE_AT_PAYLOAD &&
		       (o->result == CLV_E_DAMAGED ||
			   o->result == CLV_E_TRUNCATED);
	return false; /* a class that nobody told us of */
}

static bool
check(struct clv_guard *guard, const struct vector *v, const char *name,
    const char *identity, const char *passphrase)
{
	static const size_t pieces[] = {SIZE_MAX, 65536, 4093, 61, 1};
	struct outcome o;
	bool good = true;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		run(guard, v, identity, passphrase, pieces[i], &o);
		if (is_expected(v, &o, passphrase != NULL) &&
		    (v->payload == NULL || strcmp(v->payload, o.hash) == 0))
			continue;
		printf("%s: expected %s, got %s at stage %d, payload %s\n",
		    name, v->expect, clv_result_name(o.result), (int)o.stage,
		    o.hash);
		good = false;
	}
	return good;
}

static enum verdict
run_vector(struct clv_guard *guard, const char *dir, const char *name)
{
	struct vector v;
	char path[4096];
	bool good = true;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		die("name too long", name);
	load(&v, path);
	for (size_t i = 0; i < v.identities; i++)
		good &= check(guard, &v, name, v.identity[i], NULL);
	for (size_t i = 0; i < v.passphrases; i++)
		good &= check(guard, &v, name, NULL, v.passphrase[i]);
	/* Fails before any key matters, so any key will do. */
	if (v.identities + v.passphrases + v.foreign == 0)
		good &= check(guard, &v, name, NULL, "none");
	free(v.text);
	free(v.body);
	if (v.identities + v.passphrases == 0 && v.foreign > 0) {
		printf("%s: skipped, its keys are of other types\n", name);
		return SKIPPED;
	}
	return good ? PASSED : FAILED;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct clv_guard *guard = NULL;
	struct dirent **entries;
	unsigned count[3] = {0};
	int n;

	if (argc != 2) {
		fputs("usage: age-testkit DIR\n", stderr);
		return 2;
	}
	if (sodium_init() < 0 || clv_guard_new(GUARD_LEN, &guard) != CLV_OK)
		die("no guarded memory", argv[0]);
	n = scandir(argv[1], &entries, is_visible, alphasort);
	if (n < 0)
		die("cannot list", argv[1]);
	for (int i = 0; i < n; i++) {
		count[run_vector(guard, argv[1], entries[i]->d_name)]++;
		free(entries[i]);
	}
	free(entries);
	clv_guard_free_all(&guard);
	printf("%u passed, %u failed, %u skipped\n", count[PASSED],
	    count[FAILED], count[SKIPPED]);
	return count[FAILED] > 0 || count[PASSED] == 0;
}
