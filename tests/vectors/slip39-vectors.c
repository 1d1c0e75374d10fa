/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs test vectors in the form of the standard's (SLIP-0039 vectors.json)
 * against the library: slip39-vectors FILE. Each is an array: what it is, the
 * shares, the secret in hexadecimal or "" where they must be refused, and a
 * key that is made from it elsewhere. The passphrase is always the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json.h>
#include <sodium.h>
#include <claviger/result.h>
#include <claviger/slip39.h>

#define PASSPHRASE "TREZOR"
#define GUARD_LEN (256u * 1024)
#define SHARES_MAX 256

static struct clv_guard *guard;

_Noreturn static void
die(const char *what, const char *name)
{
	fprintf(stderr, "slip39-vectors: %s: %s\n", what, name);
	exit(2);
}

/* The class that a description of the standard's own vectors states; one of
 * another file may say anything. */
static const struct {
	const char *part;
	int result;
} classes[] = {
    {"invalid checksum", CLV_E_CHECKSUM},
    {"invalid padding", CLV_E_FORMAT},
    {"different identifiers", CLV_E_MIXED},
    {"different iteration exponents", CLV_E_MIXED},
    {"mismatching group", CLV_E_MIXED},
    {"greater group threshold", CLV_E_FORMAT},
    {"duplicate member indices", CLV_E_DUPLICATE},
    {"mismatching member thresholds", CLV_E_MIXED},
    {"invalid digest", CLV_E_DIGEST},
    {"nsufficient number", CLV_E_SHARES},
    {"invalid master secret length", CLV_E_TRUNCATED},
};

static bool
is_class(const char *what, int result)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strstr(what, classes[i].part) != NULL)
			return result == classes[i].result;
	}
	return result == CLV_E_WORD || result == CLV_E_TRUNCATED ||
	       result == CLV_E_FORMAT || result == CLV_E_CHECKSUM ||
	       result == CLV_E_MIXED || result == CLV_E_DUPLICATE ||
	       result == CLV_E_SHARES || result == CLV_E_DIGEST;
}

static int
recover(struct json_object *mnemonics, uint8_t *secret, size_t *ret_len)
{
	size_t n = json_object_array_length(mnemonics);
	struct clv_slip39_share *shares;
	int r = CLV_OK;

	if (n > SHARES_MAX)
		die("too many shares", "one vector");
	shares = clv_guard_get(guard, (n + 1) * sizeof(*shares));
	if (shares == NULL)
		die("no guarded memory", "shares");
	for (size_t i = 0; r == CLV_OK && i < n; i++) {
		struct json_object *m = json_object_array_get_idx(mnemonics, i);

		r = clv_slip39_parse(guard, json_object_get_string(m),
		    (size_t)json_object_get_string_len(m), &shares[i], NULL);
	}
	if (r == CLV_OK)
		r = clv_slip39_combine(
		    guard, shares, n, PASSPHRASE, secret, ret_len, NULL);
	clv_guard_put(guard, shares);
	return r;
}

static bool
run(const char *what, struct json_object *mnemonics, const char *expected)
{
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
	char hex[2 * sizeof(secret) + 1] = "";
	size_t len = 0;
	int r = recover(mnemonics, secret, &len);
	bool good;

	if (r == CLV_OK)
		sodium_bin2hex(hex, sizeof(hex), secret, len);
	good = expected[0] == '\0' ? is_class(what, r)
				   : r == CLV_OK && strcmp(hex, expected) == 0;
	if (clv_guard_used(guard) != 0)
		die("guarded memory left behind", what);
	if (!good)
		printf("%s: expected %s, got %s %s\n", what,
		    expected[0] == '\0' ? "a refusal" : expected,
		    clv_result_name(r), hex);
	return good;
}

static bool
run_vector(struct json_object *v)
{
	struct json_object *what = json_object_array_get_idx(v, 0),
			   *mnemonics = json_object_array_get_idx(v, 1),
			   *secret = json_object_array_get_idx(v, 2);

	if (!json_object_is_type(what, json_type_string) ||
	    !json_object_is_type(mnemonics, json_type_array) ||
	    !json_object_is_type(secret, json_type_string))
		die("not a vector", json_object_to_json_string(v));
	return run(json_object_get_string(what), mnemonics,
	    json_object_get_string(secret));
}

int
main(int argc, char **argv)
{
	struct json_object *all;
	unsigned passed = 0, failed = 0;

	if (argc != 2) {
		fputs("usage: slip39-vectors FILE\n", stderr);
		return 2;
	}
	if (sodium_init() < 0 || clv_guard_new(GUARD_LEN, &guard) != CLV_OK)
		die("no guarded memory", argv[0]);
	all = json_object_from_file(argv[1]);
	if (!json_object_is_type(all, json_type_array))
		die("no array of vectors", argv[1]);
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *v = json_object_array_get_idx(all, i);

		if (!json_object_is_type(v, json_type_array))
			die("not a vector", argv[1]);
		if (run_vector(v))
			passed++;
		else
			failed++;
	}
	json_object_put(all);
	clv_guard_free_all(&guard);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed > 0 || passed == 0;
}
