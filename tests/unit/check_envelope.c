/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/envelope.h>
#include "core.h"

/* The nonce of the next sealing, when a test wants to know it; and whether
 * anything was decrypted. */
#define AEAD_OPEN crypto_aead_xchacha20poly1305_ietf_decrypt
#define JOIN(a, b) a##b
#define NAMED(a, b) JOIN(a, b)
#define OPEN_PARAMETERS \
	unsigned char *m, unsigned long long *m_len, unsigned char *nsec, \
	    const unsigned char *c, unsigned long long c_len, \
	    const unsigned char *ad, unsigned long long ad_len, \
	    const unsigned char *npub, const unsigned char *k

void __real_randombytes_buf(void *p, size_t len);
void __wrap_randombytes_buf(void *p, size_t len);
int NAMED(__real_, AEAD_OPEN)(OPEN_PARAMETERS);
int NAMED(__wrap_, AEAD_OPEN)(OPEN_PARAMETERS);

static bool is_nonce_fixed;
static unsigned decryptions;

void
__wrap_randombytes_buf(void *p, size_t len)
{
	size_t i;

	if (!is_nonce_fixed) {
		__real_randombytes_buf(p, len);
		return;
	}
	for (i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)(100 + i);
}

int
NAMED(__wrap_, AEAD_OPEN)(OPEN_PARAMETERS)
{
	decryptions++;
	return NAMED(__real_, AEAD_OPEN)(
	    m, m_len, nsec, c, c_len, ad, ad_len, npub, k);
}

/* Known answers: tests/vectors/formats.py --vectors. */
static const char wrapped_hex[] =
    "016465666768696a6b6c6d6e6f707172737475767778797a7b4040f6ad3c8b8b92e97a0b"
    "4aa2c1fd133e0c3ca720a65953a215365be4d1d21296d6ebfc9b8f06813424a372b9fcd4"
    "59";
static const char secret_hex[] =
    "01000000036465666768696a6b6c6d6e6f707172737475767778797a7b9d5c6d95f2b840"
    "4b0b8012efc219241a46aed297b9d35f590fead632c87322158cb4ba4f10f7d5c0fc5a0b"
    "c99632a9854f374c0458baf9140ada0081c0";
static const char empty_hex[] =
    "01000000036465666768696a6b6c6d6e6f707172737475767778797a7b9d5c6d95f2b840"
    "4b0b8012efc219241a46aed297b9d35f590fead632c87322158b50afa7a5e4f0d93b24be"
    "ee72111981";
static const char sealed_hash_hex[] =
    "4eecb28546ea076a530af67441294a01ffa48ff3fa1011d5e14c4d7ede378256";

static uint8_t key[32], other_key[32], system_id[16], other_system_id[16];
static uint8_t in[CLV_VALUE_MAX], out[CLV_RECORD_MAX];
static uint8_t record[CLV_RECORD_MAX + 1];

static void
set_up(void)
{
	uint8_t i;

	for (i = 0; i < 32; i++) {
		key[i] = i;
		other_key[i] = (uint8_t)(32 + i);
	}
	for (i = 0; i < 16; i++) {
		system_id[i] = (uint8_t)(200 + i);
		other_system_id[i] = i;
	}
	is_nonce_fixed = false;
	decryptions = 0;
	memset(out, 0xaa, sizeof(out));
}

static size_t
from_hex(const char *hex, uint8_t *ret, size_t max)
{
	size_t len = 0;

	ck_assert_int_eq(
	    sodium_hex2bin(ret, max, hex, strlen(hex), NULL, &len, NULL), 0);
	return len;
}

static void
assert_untouched(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		ck_assert_uint_eq(p[i], 0xaa);
}

/* data keys */

static struct clv_datakey_id
datakey_id(void)
{
	return (struct clv_datakey_id){system_id, "crm", 3, 2};
}

START_TEST(a_wrapped_key_is_opened_again)
{
	const struct clv_datakey_id id = datakey_id();
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

	ck_assert_int_eq(
	    clv_datakey_wrap(key, &id, other_key, wrapped), CLV_OK);
	ck_assert_int_eq(
	    clv_datakey_unwrap(key, &id, wrapped, sizeof(wrapped), out),
	    CLV_OK);
	ck_assert_mem_eq(out, other_key, 32);
}
END_TEST

START_TEST(a_key_is_wrapped_as_the_manual_says)
{
	const struct clv_datakey_id id = datakey_id();
	uint8_t app_key[32], want[CLV_DATAKEY_WRAPPED_LEN];
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

	from_hex(wrapped_hex, want, sizeof(want));
	clv_app_key(key, system_id, "crm", app_key);
	is_nonce_fixed = true;
	ck_assert_int_eq(
	    clv_datakey_wrap(app_key, &id, other_key, wrapped), CLV_OK);
	ck_assert_mem_eq(wrapped, want, sizeof(want));
	ck_assert_int_eq(
	    clv_datakey_unwrap(app_key, &id, want, sizeof(want), out), CLV_OK);
	ck_assert_mem_eq(out, other_key, 32);
}
END_TEST

START_TEST(every_changed_byte_of_a_wrapped_key_is_refused)
{
	const struct clv_datakey_id id = datakey_id();
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
	size_t at;
	int change, r;

	clv_datakey_wrap(key, &id, other_key, wrapped);
	for (at = 0; at < sizeof(wrapped); at++)
		for (change = 1; change < 256; change++) {
			wrapped[at] ^= (uint8_t)change;
			r = clv_datakey_unwrap(
			    key, &id, wrapped, sizeof(wrapped), out);
			ck_assert_int_eq(
			    r, at == 0 ? CLV_E_VERSION : CLV_E_DAMAGED);
			wrapped[at] ^= (uint8_t)change;
		}
}
END_TEST

START_TEST(a_wrapped_key_of_any_other_length_is_refused)
{
	const struct clv_datakey_id id = datakey_id();
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN + 1] = {0};
	size_t len;

	clv_datakey_wrap(key, &id, other_key, wrapped);
	for (len = 0; len <= sizeof(wrapped); len++)
		if (len != CLV_DATAKEY_WRAPPED_LEN)
			ck_assert_int_eq(
			    clv_datakey_unwrap(key, &id, wrapped, len, out),
			    CLV_E_DAMAGED);
	assert_untouched(out, 32);
}
END_TEST

START_TEST(a_wrapped_key_is_refused_under_another_key)
{
	const struct clv_datakey_id id = datakey_id();
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

	clv_datakey_wrap(key, &id, other_key, wrapped);
	ck_assert_int_eq(
	    clv_datakey_unwrap(other_key, &id, wrapped, sizeof(wrapped), out),
	    CLV_E_DAMAGED);
}
END_TEST

/* One bit of n chooses each field. */
static struct clv_datakey_id
nth_datakey_id(unsigned n)
{
	return (struct clv_datakey_id){
	    .system_id = n & 1 ? other_system_id : system_id,
	    .app = n & 2 ? "payroll" : "crm",
	    .version = n & 4 ? 2 : 1,
	    .generation = n & 8 ? 2 : 1, /* so that versions may be swapped */
	};
}

START_TEST(a_wrapped_key_opens_under_its_own_identity_alone)
{
	struct clv_datakey_id made, asked;
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
	unsigned i, j;

	for (i = 0; i < 16; i++) {
		made = nth_datakey_id(i);
		clv_datakey_wrap(key, &made, other_key, wrapped);
		for (j = 0; j < 16; j++) {
			asked = nth_datakey_id(j);
			ck_assert_int_eq(clv_datakey_unwrap(key, &asked,
					     wrapped, sizeof(wrapped), out),
			    i == j ? CLV_OK : CLV_E_DAMAGED);
		}
	}
}
END_TEST

START_TEST(the_index_key_is_no_data_key)
{
	struct clv_datakey_id id = datakey_id();
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

	id.version = 0;
	ck_assert_int_eq(
	    clv_datakey_wrap(key, &id, other_key, wrapped), CLV_OK);
	ck_assert_int_eq(
	    clv_datakey_unwrap(key, &id, wrapped, sizeof(wrapped), out),
	    CLV_OK);
	id.version = 1;
	ck_assert_int_eq(
	    clv_datakey_unwrap(key, &id, wrapped, sizeof(wrapped), out),
	    CLV_E_DAMAGED);
}
END_TEST

/* The longest name of an application, and one that is too long. */
#define APP_64 \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define APP_65 APP_64 "x"

START_TEST(a_data_key_that_cannot_be_is_refused)
{
	const struct clv_datakey_id ids[] = {
	    {system_id, "", 3, 2},
	    {system_id, APP_65, 3, 2},
	    {system_id, "crm", 3, 0},
	};
	const struct clv_datakey_id longest = {system_id, APP_64, 3, 2};
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN] = {1};
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ck_assert_int_eq(clv_datakey_wrap(key, &ids[i], other_key, out),
		    CLV_E_INVALID);
		ck_assert_int_eq(clv_datakey_unwrap(key, &ids[i], wrapped,
				     sizeof(wrapped), out),
		    CLV_E_INVALID);
	}
	assert_untouched(out, CLV_DATAKEY_WRAPPED_LEN);
	ck_assert_int_eq(
	    clv_datakey_wrap(key, &longest, other_key, wrapped), CLV_OK);
	ck_assert_int_eq(
	    clv_datakey_unwrap(key, &longest, wrapped, sizeof(wrapped), out),
	    CLV_OK);
}
END_TEST

/* records */

static struct clv_record_id
secret_id(void)
{
	return (struct clv_record_id){
	    CLV_RECORD_SECRET, system_id, "crm", "db/password", 7};
}

static size_t
seal(const struct clv_record_id *id, size_t len)
{
	ck_assert_int_eq(clv_record_seal(key, 3, id, in, len, record), CLV_OK);
	return len + CLV_RECORD_EXTRA;
}

/* Values of no byte, of one, around the blocks of the cipher, and of the
 * most. */
static const size_t lengths[] = {
    0, 1, 15, 16, 17, 63, 64, 65, 256, 4096, CLV_VALUE_MAX - 1, CLV_VALUE_MAX};

START_TEST(a_record_is_opened_again)
{
	const struct clv_record_id id = secret_id();
	size_t len = lengths[_i];

	randombytes_buf(in, len);
	seal(&id, len);
	ck_assert_int_eq(
	    clv_record_open(key, &id, record, len + CLV_RECORD_EXTRA, out),
	    CLV_OK);
	ck_assert_int_eq(memcmp(out, in, len), 0);
	assert_untouched(out + len, sizeof(out) - len);
}
END_TEST

START_TEST(a_value_that_is_too_long_is_refused)
{
	const struct clv_record_id id = secret_id();

	ck_assert_int_eq(
	    clv_record_seal(key, 3, &id, in, CLV_VALUE_MAX + 1, out),
	    CLV_E_FULL);
	assert_untouched(out, sizeof(out));
}
END_TEST

static const struct {
	const char *hex, *name, *plain;
	uint64_t version;
} known_secrets[] = {
    {secret_hex, "db/password", "correct horse", 7},
    {empty_hex, "x", "", 1ull << 40},
};

START_TEST(a_secret_is_sealed_as_the_manual_says)
{
	struct clv_record_id id = secret_id();
	const char *plain = known_secrets[_i].plain;
	uint8_t want[128];
	size_t len = from_hex(known_secrets[_i].hex, want, sizeof(want));

	id.name = known_secrets[_i].name;
	id.version = known_secrets[_i].version;
	is_nonce_fixed = true;
	ck_assert_int_eq(
	    clv_record_seal(other_key, 3, &id, plain, strlen(plain), record),
	    CLV_OK);
	ck_assert_mem_eq(record, want, len);
	ck_assert_int_eq(
	    clv_record_open(other_key, &id, want, len, out), CLV_OK);
	ck_assert_int_eq(memcmp(out, plain, strlen(plain)), 0);
}
END_TEST

START_TEST(a_sealed_piece_is_as_the_manual_says)
{
	const struct clv_record_id id = {
	    CLV_RECORD_SEALED, system_id, "crm", "", 0};
	uint8_t hash[32], want[32];
	size_t i;

	for (i = 0; i < 512; i++)
		in[i] = (uint8_t)i;
	is_nonce_fixed = true;
	ck_assert_int_eq(
	    clv_record_seal(other_key, 3, &id, in, 512, record), CLV_OK);
	crypto_generichash(
	    hash, sizeof(hash), record, 512 + CLV_RECORD_EXTRA, NULL, 0);
	from_hex(sealed_hash_hex, want, sizeof(want));
	ck_assert_mem_eq(hash, want, sizeof(want));
}
END_TEST

START_TEST(every_changed_byte_of_a_record_is_refused)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20), at;
	int change, r, want;

	for (at = 0; at < len; at++)
		for (change = 1; change < 256; change++) {
			record[at] ^= (uint8_t)change;
			want = at == 0 ? CLV_E_VERSION : CLV_E_DAMAGED;
			if (at == 4 && record[4] == 0)
				want = CLV_E_FORMAT; /* key version 0 */
			r = clv_record_open(key, &id, record, len, out);
			ck_assert_int_eq(r, want);
			record[at] ^= (uint8_t)change;
		}
	ck_assert_int_eq(clv_record_open(key, &id, record, len, out), CLV_OK);
}
END_TEST

START_TEST(a_record_of_any_other_length_is_refused)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20), n;
	int r, want;

	for (n = 0; n <= len + 1; n++) {
		want = n == len ? CLV_OK : CLV_E_DAMAGED;
		if (n < CLV_RECORD_EXTRA)
			want = CLV_E_FORMAT;
		r = clv_record_open(key, &id, record, n, out);
		ck_assert_int_eq(r, want);
	}
	len = seal(&id, CLV_VALUE_MAX);
	ck_assert_int_eq(
	    clv_record_open(key, &id, record, len + 1, out), CLV_E_FORMAT);
}
END_TEST

START_TEST(under_another_key_nothing_is_decrypted)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20);

	ck_assert_int_eq(
	    clv_record_open(other_key, &id, record, len, out), CLV_E_DAMAGED);
	ck_assert_uint_eq(decryptions, 0);
	assert_untouched(out, sizeof(out));
}
END_TEST

START_TEST(under_another_commitment_nothing_is_decrypted)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20), at;

	for (at = 29; at < 61; at++) {
		record[at] ^= 1;
		ck_assert_int_eq(
		    clv_record_open(key, &id, record, len, out), CLV_E_DAMAGED);
		record[at] ^= 1;
	}
	ck_assert_uint_eq(decryptions, 0);
	assert_untouched(out, sizeof(out));
}
END_TEST

START_TEST(a_changed_ciphertext_gives_no_plaintext)
{
	const struct clv_record_id id = secret_id();
	size_t len, i;

	memset(in, 0x55, 20);
	len = seal(&id, 20);
	record[len - 1] ^= 1;
	ck_assert_int_eq(
	    clv_record_open(key, &id, record, len, out), CLV_E_DAMAGED);
	ck_assert_uint_eq(decryptions, 1);
	for (i = 0; i < 20; i++)
		ck_assert(out[i] == 0 || out[i] == 0xaa);
}
END_TEST

#define IDENTITIES 48

/* Bits of n choose system, application, name and version of a secret, or
 * system, application and context of a sealed piece. Some of the names differ
 * only in where the application's ends. */
static struct clv_record_id
nth_record_id(unsigned n)
{
	static const char *const contexts[] = {"b", "ab", "", "xb"};
	struct clv_record_id id = {
	    .kind = CLV_RECORD_SECRET,
	    .system_id = n & 1 ? other_system_id : system_id,
	    .app = n & 2 ? "xa" : "x",
	    .name = n & 4 ? "ab" : "b",
	    .version = (n & 8 ? 1ull << 32 : 1) + (n & 16 ? 1 : 0),
	};

	if (n >= 32) {
		id.kind = CLV_RECORD_SEALED;
		id.name = contexts[n >> 2 & 3];
		id.version = 0;
	}
	return id;
}

START_TEST(a_record_opens_under_its_own_identity_alone)
{
	struct clv_record_id made, asked;
	unsigned i, j;
	size_t len;

	for (i = 0; i < IDENTITIES; i++) {
		made = nth_record_id(i);
		len = seal(&made, 20);
		for (j = 0; j < IDENTITIES; j++) {
			asked = nth_record_id(j);
			ck_assert_int_eq(
			    clv_record_open(key, &asked, record, len, out),
			    i == j ? CLV_OK : CLV_E_DAMAGED);
		}
	}
}
END_TEST

START_TEST(a_record_is_bound_to_the_version_of_its_data_key)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20);
	uint32_t v;

	ck_assert_int_eq(clv_record_key_version(record, len, &v), CLV_OK);
	ck_assert_uint_eq(v, 3);
	record[4] = 7; /* the same key, were it known as that version, too */
	ck_assert_int_eq(clv_record_key_version(record, len, &v), CLV_OK);
	ck_assert_uint_eq(v, 7);
	ck_assert_int_eq(
	    clv_record_open(key, &id, record, len, out), CLV_E_DAMAGED);
}
END_TEST

START_TEST(the_version_of_the_secret_and_of_the_key_are_not_swapped)
{
	struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20);

	record[4] = 7;
	id.version = 3;
	ck_assert_int_eq(
	    clv_record_open(key, &id, record, len, out), CLV_E_DAMAGED);
}
END_TEST

START_TEST(the_data_key_of_a_record_is_told_without_a_key)
{
	uint8_t r[CLV_RECORD_EXTRA] = {1, 0x12, 0x34, 0x56, 0x78};
	uint32_t v = 5;

	ck_assert_int_eq(
	    clv_record_key_version(r, sizeof(r) - 1, &v), CLV_E_FORMAT);
	ck_assert_int_eq(clv_record_key_version(NULL, 0, &v), CLV_E_FORMAT);
	r[0] = 2;
	ck_assert_int_eq(
	    clv_record_key_version(r, sizeof(r), &v), CLV_E_VERSION);
	ck_assert_uint_eq(v, 5);
	r[0] = 1;
	ck_assert_int_eq(clv_record_key_version(r, sizeof(r), &v), CLV_OK);
	ck_assert_uint_eq(v, 0x12345678);
	memset(r + 1, 0, 4);
	ck_assert_int_eq(
	    clv_record_key_version(r, sizeof(r), &v), CLV_E_FORMAT);
}
END_TEST

static char name_255[256], name_256[257];

START_TEST(a_record_that_cannot_be_is_refused)
{
	const struct clv_record_id ids[] = {
	    {0, system_id, "crm", "x", 1},
	    {3, system_id, "crm", "x", 1},
	    {CLV_RECORD_SECRET, system_id, "", "x", 1},
	    {CLV_RECORD_SECRET, system_id, APP_65, "x", 1},
	    {CLV_RECORD_SECRET, system_id, "crm", "", 1},
	    {CLV_RECORD_SECRET, system_id, "crm", name_256, 1},
	    {CLV_RECORD_SECRET, system_id, "crm", "x", 0},
	    {CLV_RECORD_SEALED, system_id, "crm", "x", 1},
	    {CLV_RECORD_SEALED, system_id, "crm", name_256, 0},
	};
	const struct clv_record_id good = secret_id();
	size_t i, len;

	memset(name_256, 'n', sizeof(name_256) - 1);
	ck_assert_int_eq(
	    clv_record_seal(key, 0, &good, in, 5, out), CLV_E_INVALID);
	len = seal(&good, 5);
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ck_assert_int_eq(clv_record_seal(key, 3, &ids[i], in, 5, out),
		    CLV_E_INVALID);
		ck_assert_int_eq(
		    clv_record_open(key, &ids[i], record, len, out),
		    CLV_E_INVALID);
	}
	assert_untouched(out, sizeof(out));
}
END_TEST

START_TEST(the_longest_names_are_names)
{
	const struct clv_record_id id = {
	    CLV_RECORD_SECRET, system_id, APP_64, name_255, UINT64_MAX};
	size_t len = 5 + CLV_RECORD_EXTRA;

	memset(name_255, 'n', sizeof(name_255) - 1);
	ck_assert_int_eq(
	    clv_record_seal(key, UINT32_MAX, &id, in, 5, record), CLV_OK);
	ck_assert_int_eq(clv_record_open(key, &id, record, len, out), CLV_OK);
	ck_assert_mem_eq(out, in, 5);
}
END_TEST

START_TEST(no_two_records_of_a_value_are_alike)
{
	const struct clv_record_id id = secret_id();
	size_t len = seal(&id, 20), i;

	memcpy(out, record, len);
	seal(&id, 20);
	ck_assert_mem_eq(out, record, 5);
	for (i = 5; i + 8 <= len; i += 8)
		ck_assert_mem_ne(out + i, record + i, 8);
}
END_TEST

#define COUNT_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

static TCase *
data_key_cases(void)
{
	TCase *t = tcase_create("a_data_key");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_wrapped_key_is_opened_again);
	tcase_add_test(t, a_key_is_wrapped_as_the_manual_says);
	tcase_add_test(t, every_changed_byte_of_a_wrapped_key_is_refused);
	tcase_add_test(t, a_wrapped_key_of_any_other_length_is_refused);
	tcase_add_test(t, a_wrapped_key_is_refused_under_another_key);
	tcase_add_test(t, a_wrapped_key_opens_under_its_own_identity_alone);
	tcase_add_test(t, the_index_key_is_no_data_key);
	tcase_add_test(t, a_data_key_that_cannot_be_is_refused);
	return t;
}

static TCase *
record_cases(void)
{
	TCase *t = tcase_create("a_record");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_loop_test(t, a_record_is_opened_again, 0, COUNT_OF(lengths));
	tcase_add_test(t, a_value_that_is_too_long_is_refused);
	tcase_add_loop_test(t, a_secret_is_sealed_as_the_manual_says, 0,
	    COUNT_OF(known_secrets));
	tcase_add_test(t, a_sealed_piece_is_as_the_manual_says);
	tcase_add_test(t, every_changed_byte_of_a_record_is_refused);
	tcase_add_test(t, a_record_of_any_other_length_is_refused);
	tcase_add_test(t, under_another_key_nothing_is_decrypted);
	tcase_add_test(t, under_another_commitment_nothing_is_decrypted);
	tcase_add_test(t, a_changed_ciphertext_gives_no_plaintext);
	tcase_add_test(t, a_record_opens_under_its_own_identity_alone);
	tcase_add_test(t, a_record_is_bound_to_the_version_of_its_data_key);
	tcase_add_test(
	    t, the_version_of_the_secret_and_of_the_key_are_not_swapped);
	tcase_add_test(t, the_data_key_of_a_record_is_told_without_a_key);
	tcase_add_test(t, a_record_that_cannot_be_is_refused);
	tcase_add_test(t, the_longest_names_are_names);
	tcase_add_test(t, no_two_records_of_a_value_are_alike);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("envelope");

	if (sodium_init() < 0)
		return 1;
	suite_add_tcase(s, data_key_cases());
	suite_add_tcase(s, record_cases());
	return run_suite(s);
}
