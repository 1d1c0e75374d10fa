/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/identity.h>
#include <claviger/wire.h>
#include "core.h"

/*
 * The n-th allocation fails, n = 1 ... until nothing fails: each time the
 * result says so, nothing is given back, and nothing is left in the heap or in
 * the arena. AddressSanitizer sees what goes wrong beside that.
 */
void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void __real_free(void *p);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void __wrap_free(void *p);

static bool armed;
static long until_failure; /* 0: never */
static long asked;
static long live;

static bool
is_failing(void)
{
	return armed && ++asked == until_failure;
}

static void *
count(void *p)
{
	live += armed && p != NULL;
	return p;
}

void *
__wrap_malloc(size_t len)
{
	return is_failing() ? NULL : count(__real_malloc(len));
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return is_failing() ? NULL : count(__real_calloc(n, len));
}

void *
__wrap_realloc(void *p, size_t len)
{
	if (is_failing())
		return NULL;
	return p == NULL ? count(__real_realloc(p, len))
			 : __real_realloc(p, len);
}

void
__wrap_free(void *p)
{
	live -= armed && p != NULL;
	__real_free(p);
}

/* What the operations below work on, made in peace. */
static const struct clv_wire_terms terms = {60, 65000};
static struct clv_keyring *keyring;
static struct clv_identity *identity;
static struct clv_list *list;
static struct clv_buf signed_list, request, answer, keys, escrow_row, tls_row;
static struct clv_buf party;
static const uint8_t thumb[32] = {1};
static uint8_t first_pk[CLV_SIGN_PK_LEN]; /* of the chain in the list */
static uint8_t payload[2000];

/* The check library allocates too: inside an operation it is not asked. */
static bool as_expected;

static void
expect(bool right)
{
	as_expected = as_expected && right;
}

/* Into a buffer that each operation frees again, whatever came out. */
static struct clv_buf out;

static int
finish(int r)
{
	expect((out.len != 0) == (r == CLV_OK));
	clv_buf_fini(&out);
	return r;
}

static int
do_guard(void)
{
	struct clv_guard *g = NULL;
	int r = clv_guard_new(4096, &g);

	expect((g != NULL) == (r == CLV_OK));
	clv_guard_free_all(&g);
	return r;
}

static int
do_keyring(void)
{
	struct clv_keyring *k = NULL;
	char *text = NULL;
	size_t len;
	int r = clv_keyring_format(keyring, &text, &len);

	if (r == CLV_OK)
		r = clv_keyring_parse(guard, text, len, &k);
	clv_guard_put(guard, text);
	clv_keyring_free(&k);
	return r;
}

static int
do_sign(void)
{
	uint8_t sig[CLV_SIG_LEN];

	return clv_keyring_sign(
	    keyring, "claviger-test-01", payload, sizeof(payload), sig);
}

static int
do_wrap(void)
{
	return finish(clv_wrap(thumb, NULL, 0, "x", 1, &out));
}

static int
do_identity(void)
{
	struct clv_identity *id = NULL;
	char *text = NULL;
	int r = clv_identity_format(identity, &text);

	if (r == CLV_OK)
		r = clv_identity_parse(guard, text, strlen(text), &id);
	clv_guard_put(guard, text);
	clv_identity_free(&id);
	return r;
}

static int
do_party_format(void)
{
	return finish(clv_party_format(identity, thumb, &out));
}

static int
do_party_parse(void)
{
	struct clv_party p;

	return clv_party_parse(party.data, party.len, &p);
}

static int
do_list_new(void)
{
	struct clv_list *l = NULL;
	int r = clv_list_new(&l);
	size_t i;

	for (i = 0; r == CLV_OK && i < 5; i++)
		if (clv_list_add_generation(l) == NULL ||
		    clv_list_add_node(l) == NULL ||
		    clv_list_add_member(l) == NULL ||
		    clv_list_add_token(l) == NULL ||
		    clv_list_add_app(l) == NULL)
			r = CLV_E_NOMEM;
	clv_list_free(&l);
	return r;
}

static int
do_list_copy(void)
{
	struct clv_list *l = NULL;
	int r = clv_list_copy(list, &l);

	expect((l != NULL) == (r == CLV_OK));
	clv_list_free(&l);
	return r;
}

static int
do_list_sign(void)
{
	return finish(clv_list_sign(list, keyring, &out));
}

static int
do_list_open(void)
{
	struct clv_list *l = NULL;
	int r = clv_list_open(signed_list.data, signed_list.len, first_pk, &l);

	expect((l != NULL) == (r == CLV_OK));
	clv_list_free(&l);
	return r;
}

static int
do_succession(void)
{
	struct clv_succession s;

	clv_keyring_add_next(keyring);
	return clv_succession_make(keyring, 1, &s);
}

static int
do_escrow_seal(void)
{
	return finish(
	    clv_escrow_seal(guard, keyring, 1, identity->box_pk, &out));
}

static int
do_escrow_open(void)
{
	struct clv_keyring *k = NULL;
	int r = clv_escrow_open(escrow_row.data, escrow_row.len,
	    clv_keyring_sign_pk(keyring), identity, 1, &k);

	expect((k != NULL) == (r == CLV_OK));
	clv_keyring_free(&k);
	return r;
}

static int
do_escrow_check(void)
{
	struct clv_escrow_about about;

	return clv_escrow_check(escrow_row.data, escrow_row.len,
	    clv_keyring_sign_pk(keyring), 1, identity->box_pk, &about);
}

static int
do_escrow_prove(void)
{
	return finish(clv_escrow_prove(
	    escrow_row.data, escrow_row.len, identity, 1, keyring, &out));
}

static int
do_tls_seal(void)
{
	return finish(clv_tls_row_seal(guard, keyring, 1, payload,
	    sizeof(payload), payload, sizeof(payload), &out));
}

static int
do_tls_open(void)
{
	uint8_t *key = NULL;
	size_t len;
	int r = clv_tls_row_open(
	    guard, keyring, tls_row.data, tls_row.len, &out, &key, &len);

	expect((key != NULL) == (r == CLV_OK));
	clv_guard_put(guard, key);
	return finish(r);
}

static struct clv_wire_request
make_request(void)
{
	struct clv_wire_request r = {.op = CLV_WIRE_ADMIN,
	    .payload = payload,
	    .payload_len = sizeof(payload)};

	strcpy(r.name, "alpha");
	return r;
}

static struct clv_wire_answer
make_answer(void)
{
	return (struct clv_wire_answer){.op = CLV_WIRE_FETCH,
	    .payload = payload,
	    .payload_len = sizeof(payload)};
}

static int
do_request_format(void)
{
	struct clv_wire_request r = make_request();

	return finish(clv_wire_request_format(&r, identity->sign_sk, &out));
}

static int
do_request_parse(void)
{
	struct clv_wire_request r;

	return clv_wire_request_parse(request.data, request.len, &r);
}

static int
do_request_verify(void)
{
	return clv_wire_request_verify(
	    request.data, request.len, identity->sign_pk);
}

static int
do_answer_format(void)
{
	struct clv_wire_answer a = make_answer();

	return finish(clv_wire_answer_format(&a, keyring, &out));
}

static int
do_answer_parse(void)
{
	struct clv_wire_answer a;

	return clv_wire_answer_parse(
	    answer.data, answer.len, clv_keyring_sign_pk(keyring), &a);
}

static int
do_evidence_cut(void)
{
	return finish(clv_wire_evidence_cut(answer.data, answer.len, &out));
}

static int
do_keys_seal(void)
{
	return finish(clv_wire_keys_seal(guard, keyring, list, "payroll,crm",
	    &terms, identity->box_pk, &out));
}

static int
do_keys_open(void)
{
	struct clv_wire_key *k = NULL;
	struct clv_wire_terms t;
	size_t n;
	int r = clv_wire_keys_open(
	    guard, identity, keys.data, keys.len, &t, &k, &n);

	expect((k != NULL) == (r == CLV_OK));
	clv_guard_put(guard, k);
	return r;
}

static int
do_token_text(void)
{
	struct clv_token *t = NULL, *again = NULL;
	char *text = NULL;
	int r = clv_token_new(guard, &t);

	expect(r == CLV_OK); /* of the guard */
	strcpy(t->name, "alpha");
	strcpy(t->network_name, "mss");
	t->port = 8391;
	t->system_pk[0] = 1;
	r = clv_token_format(t, &text);
	expect((text != NULL) == (r == CLV_OK));
	if (r == CLV_OK)
		r = clv_token_parse(guard, text, &again);
	clv_token_free(&again);
	clv_guard_put(guard, text);
	clv_token_free(&t);
	return r;
}

static int
do_token_proof(void)
{
	struct clv_token_proof p = {.binding = {1}};
	struct clv_token *t = NULL;
	uint8_t sig[CLV_SIG_LEN];
	int r = clv_token_new(guard, &t);

	expect(r == CLV_OK);
	fill_party(&p.party, "alpha", 1);
	r = clv_token_sign(t, &p, sig);
	if (r == CLV_OK)
		r = clv_token_verify(t->sign_pk, &p, sig);
	clv_token_free(&t);
	return r;
}

static int
do_join_format(void)
{
	struct clv_wire_join j = {.token_pk = {1}};

	return finish(clv_wire_join_format(&j, identity, &out));
}

static const struct {
	const char *name;
	int (*run)(void);
	long least; /* so many allocations are there to fail */
} operations[] = {
    {"token text", do_token_text, 1},
    {"token proof", do_token_proof, 2},
    {"join format", do_join_format, 3},
    {"guard", do_guard, 1},
    {"keyring text", do_keyring, 0},
    {"sign", do_sign, 1},
    {"wrap", do_wrap, 2},
    {"identity text", do_identity, 0},
    {"party format", do_party_format, 3},
    {"party parse", do_party_parse, 1},
    {"list new", do_list_new, 15},
    {"list copy", do_list_copy, 15},
    {"list sign", do_list_sign, 7},
    {"list open", do_list_open, 17},
    {"succession", do_succession, 3},
    {"escrow seal", do_escrow_seal, 4},
    {"escrow open", do_escrow_open, 3},
    {"escrow check", do_escrow_check, 3},
    {"escrow prove", do_escrow_prove, 4},
    {"tls row seal", do_tls_seal, 4},
    {"tls row open", do_tls_open, 3},
    {"request format", do_request_format, 3},
    {"request parse", do_request_parse, 0},
    {"request verify", do_request_verify, 1},
    {"answer format", do_answer_format, 4},
    {"answer parse", do_answer_parse, 1},
    {"evidence cut", do_evidence_cut, 1},
    {"keys seal", do_keys_seal, 2},
    {"keys open", do_keys_open, 0},
};

static void
set_up_chain(void)
{
	struct clv_succession *s = clv_list_add_succession(list);

	memcpy(first_pk, clv_keyring_sign_pk(keyring), sizeof(first_pk));
	clv_keyring_add_next(keyring);
	ck_assert_int_eq(clv_succession_make(keyring, 1, s), CLV_OK);
	ck_assert_int_eq(clv_keyring_follow(keyring, s->new_pk), CLV_OK);
}

static void
set_up(void)
{
	struct clv_wire_request r = make_request();
	struct clv_wire_answer a = make_answer();
	int i;

	set_up_guard();
	keyring = new_keyring();
	identity = new_identity("alpha");
	list = new_list(keyring);
	for (i = 3; i < 10; i++) /* enough for arrays to grow */
		add_node(list, (uint8_t)i, (char[]){'n', (char)('0' + i), 0});
	add_token(list, "web1", 1);
	set_up_chain();
	ck_assert_int_eq(clv_list_sign(list, keyring, &signed_list), CLV_OK);
	clv_wire_request_format(&r, identity->sign_sk, &request);
	clv_wire_answer_format(&a, keyring, &answer);
	clv_wire_keys_seal(
	    guard, keyring, list, "all", &terms, identity->box_pk, &keys);
	clv_escrow_seal(guard, keyring, 1, identity->box_pk, &escrow_row);
	clv_tls_row_seal(guard, keyring, 1, "cert", 4, "key", 3, &tls_row);
	clv_party_format(identity, thumb, &party);
}

static void
tear_down(void)
{
	clv_buf_fini(&signed_list);
	clv_buf_fini(&request);
	clv_buf_fini(&answer);
	clv_buf_fini(&keys);
	clv_buf_fini(&escrow_row);
	clv_buf_fini(&tls_row);
	clv_buf_fini(&party);
	clv_list_free(&list);
	clv_identity_free(&identity);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

static int
run_with_failure(int (*run)(void), long n)
{
	size_t used = clv_guard_used(guard);
	int r;

	asked = live = 0;
	until_failure = n;
	as_expected = true;
	armed = true;
	r = run();
	armed = false;
	ck_assert(as_expected);
	ck_assert_int_eq(live, 0);
	ck_assert_uint_eq(clv_guard_used(guard), used);
	return r;
}

START_TEST(each_failing_allocation_is_reported_and_nothing_is_left)
{
	long n, total;

	ck_assert_int_eq(run_with_failure(operations[_i].run, 0), CLV_OK);
	total = asked;
	ck_assert_msg(total >= operations[_i].least, "%s asks %ld times",
	    operations[_i].name, total);
	for (n = 1; n <= total; n++)
		ck_assert_msg(
		    run_with_failure(operations[_i].run, n) == CLV_E_NOMEM,
		    "%s, allocation %ld", operations[_i].name, n);
	ck_assert_int_eq(
	    run_with_failure(operations[_i].run, total + 1), CLV_OK);
}
END_TEST

START_TEST(buffer_keeps_what_it_had)
{
	struct clv_buf b = {0};

	clv_buf_raw(&b, "kept", 4);
	asked = 0;
	until_failure = 1;
	armed = true;
	clv_buf_raw(&b, payload, sizeof(payload));
	armed = false;
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_NOMEM);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "kept", 4);
	clv_buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("nomem");
	TCase *t = tcase_create("out_of_memory");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t,
	    each_failing_allocation_is_reported_and_nothing_is_left, 0,
	    sizeof(operations) / sizeof(operations[0]));
	tcase_add_test(t, buffer_keeps_what_it_had);
	suite_add_tcase(s, t);
	return run_suite(s);
}
