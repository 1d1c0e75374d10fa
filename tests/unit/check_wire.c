/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <claviger/wire.h>
#include "core.h"

static struct clv_keyring *keyring;
static struct clv_identity *member;
static struct clv_buf frame;

static void
set_up(void)
{
	set_up_guard();
	keyring = new_keyring();
	member = new_identity("m1");
	clv_buf_init(&frame);
}

static void
tear_down(void)
{
	clv_buf_fini(&frame);
	clv_identity_free(&member);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

static struct clv_wire_request
make_request(uint8_t op)
{
	struct clv_wire_request r = {.op = op,
	    .seen_epoch = 258,
	    .seen_list = 7,
	    .seen_generation = 1,
	    .evidence = (const uint8_t *)"seen",
	    .evidence_len = 4};

	memcpy(r.system_id, clv_keyring_system_id(keyring), 16);
	strcpy(r.name, "m1");
	memset(r.nonce, 3, sizeof(r.nonce));
	if (op == CLV_WIRE_ADMIN)
		memset(r.challenge, 4, sizeof(r.challenge));
	if (op == CLV_WIRE_ADMIN || op == CLV_WIRE_HEADS) {
		r.payload = (const uint8_t *)"do it";
		r.payload_len = 5;
	}
	return r;
}

static int
format_request(const struct clv_wire_request *r)
{
	clv_buf_reset(&frame);
	return clv_wire_request_format(r, member->sign_sk, &frame);
}

START_TEST(request_comes_back_as_sent)
{
	struct clv_wire_request r = make_request((uint8_t)_i), q = {0};

	ck_assert_int_eq(format_request(&r), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_request_parse(frame.data, frame.len, &q), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_request_verify(frame.data, frame.len, member->sign_pk),
	    CLV_OK);
	ck_assert_uint_eq(q.op, _i);
	ck_assert_mem_eq(q.system_id, r.system_id, 16);
	ck_assert_str_eq(q.name, "m1");
	ck_assert_mem_eq(q.nonce, r.nonce, CLV_NONCE_LEN);
	ck_assert_mem_eq(q.challenge, r.challenge, CLV_NONCE_LEN);
	ck_assert_uint_eq(q.seen_epoch, 258);
	ck_assert_uint_eq(q.seen_list, 7);
	ck_assert_uint_eq(q.seen_generation, 1);
	ck_assert_uint_eq(q.evidence_len, 4);
	ck_assert_mem_eq(q.evidence, "seen", 4);
	ck_assert_uint_eq(q.payload_len, r.payload_len);
	ck_assert(
	    q.payload >= frame.data && q.payload <= frame.data + frame.len);
}
END_TEST

START_TEST(every_changed_byte_of_a_request_is_found)
{
	struct clv_wire_request r = make_request(CLV_WIRE_FETCH), q;
	size_t i, taken = 0;

	ck_assert_int_eq(format_request(&r), CLV_OK);
	for (i = 0; i < frame.len; i++) {
		frame.data[i] ^= 1;
		taken += clv_wire_request_verify(frame.data, frame.len,
			     member->sign_pk) != CLV_E_SIGNATURE;
		frame.data[i] ^= 1;
		taken += clv_wire_request_parse(frame.data, i, &q) == CLV_OK;
		taken += clv_wire_request_verify(
			     frame.data, i, member->sign_pk) == CLV_OK;
	}
	ck_assert_uint_eq(taken, 0);
	clv_buf_u8(&frame, 0);
	ck_assert_int_eq(
	    clv_wire_request_parse(frame.data, frame.len, &q), CLV_E_FORMAT);
}
END_TEST

START_TEST(request_of_somebody_else_does_not_verify)
{
	struct clv_identity *other = new_identity("m1");
	struct clv_wire_request r = make_request(CLV_WIRE_FETCH);

	ck_assert_int_eq(format_request(&r), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_request_verify(frame.data, frame.len, other->sign_pk),
	    CLV_E_SIGNATURE);
	clv_identity_free(&other);
}
END_TEST

static void
make_op_0(struct clv_wire_request *r)
{
	r->op = 0;
}

static void
make_op_9(struct clv_wire_request *r)
{
	r->op = 9;
}

static void
make_notice(struct clv_wire_request *r)
{
	r->op = CLV_WIRE_NOTICE;
}

static void
make_bad_name(struct clv_wire_request *r)
{
	strcpy(r->name, "m 1");
}

static void
make_payload(struct clv_wire_request *r)
{
	r->op = CLV_WIRE_CHALLENGE;
	r->payload = (const uint8_t *)"x";
	r->payload_len = 1;
}

static void
make_challenge(struct clv_wire_request *r)
{
	r->challenge[31] = 1;
}

static void
make_long_evidence(struct clv_wire_request *r)
{
	static const uint8_t long_one[1025];

	r->evidence = long_one;
	r->evidence_len = sizeof(long_one);
}

/* An answer to no offer. */
static void
make_join_challenge(struct clv_wire_request *r)
{
	r->op = CLV_WIRE_JOIN;
	r->challenge[0] = 1;
}

static void (*const wrong[])(struct clv_wire_request *) = {make_op_0, make_op_9,
    make_notice, make_bad_name, make_payload, make_challenge,
    make_long_evidence, make_join_challenge};

START_TEST(wrong_request_is_not_made)
{
	struct clv_wire_request r = make_request(CLV_WIRE_FETCH);

	wrong[_i](&r);
	ck_assert_int_eq(format_request(&r), CLV_E_INVALID);
	ck_assert_uint_eq(frame.len, 0);
}
END_TEST

/* Offsets: version 0, op 1, system id 2, name length 18, name 22, nonce 24,
 * challenge 56, numbers 88, evidence length 108, payload length 116. */
static const struct {
	size_t at;
	uint8_t value;
	int result;
} changes[] = {
    {0, 0, CLV_E_VERSION},
    {0, 2, CLV_E_VERSION},
    {1, 0, CLV_E_FORMAT},
    {1, 9, CLV_E_FORMAT},
    {18, 255, CLV_E_FORMAT},
    {21, 0, CLV_E_FORMAT},
    {22, '-', CLV_E_FORMAT},
    {22, 0, CLV_E_FORMAT},
    {56, 1, CLV_E_FORMAT},
    {108, 1, CLV_E_FORMAT},
    {116, 1, CLV_E_FORMAT},
};

START_TEST(bad_request_is_refused)
{
	struct clv_wire_request r = make_request(CLV_WIRE_FETCH), q;

	ck_assert_int_eq(format_request(&r), CLV_OK);
	frame.data[changes[_i].at] = changes[_i].value;
	ck_assert_int_eq(clv_wire_request_parse(frame.data, frame.len, &q),
	    changes[_i].result);
}
END_TEST

START_TEST(largest_request_fits_and_one_more_does_not)
{
	static uint8_t payload[CLV_WIRE_REQUEST_MAX];
	struct clv_wire_request r = make_request(CLV_WIRE_ADMIN), q;

	r.payload = payload;
	r.payload_len = CLV_WIRE_REQUEST_MAX - 120 - CLV_SIG_LEN;
	ck_assert_int_eq(format_request(&r), CLV_OK);
	ck_assert_uint_eq(frame.len, CLV_WIRE_REQUEST_MAX);
	ck_assert_int_eq(
	    clv_wire_request_parse(frame.data, frame.len, &q), CLV_OK);
	r.payload_len++;
	ck_assert_int_eq(format_request(&r), CLV_E_FULL);
	clv_buf_reset(&frame);
	clv_buf_raw(&frame, payload, sizeof(payload));
	clv_buf_u8(&frame, 0);
	ck_assert_int_eq(
	    clv_wire_request_parse(frame.data, frame.len, &q), CLV_E_FORMAT);
	ck_assert_int_eq(
	    clv_wire_request_verify(frame.data, frame.len, member->sign_pk),
	    CLV_E_SIGNATURE);
}
END_TEST

static struct clv_wire_answer
make_answer(void)
{
	struct clv_wire_answer a = {.result = CLV_E_DENIED,
	    .op = CLV_WIRE_FETCH,
	    .epoch = 514,
	    .list_version = 9,
	    .generation = 2,
	    .encrypt = true,
	    .payload = (const uint8_t *)"sealed",
	    .payload_len = 6};

	memcpy(a.system_id, clv_keyring_system_id(keyring), 16);
	memset(a.nonce, 3, sizeof(a.nonce));
	memset(a.check, 8, sizeof(a.check));
	strcpy(a.name, "m1");
	strcpy(a.server, "alpha");
	strcpy(a.text, "not\nallowed");
	return a;
}

static void
format_answer(const struct clv_wire_answer *a)
{
	clv_buf_reset(&frame);
	ck_assert_int_eq(clv_wire_answer_format(a, keyring, &frame), CLV_OK);
}

static int
parse_answer(struct clv_wire_answer *ret)
{
	return clv_wire_answer_parse(
	    frame.data, frame.len, clv_keyring_sign_pk(keyring), ret);
}

START_TEST(answer_comes_back_as_sent)
{
	struct clv_wire_answer a = make_answer(), b = {0};

	format_answer(&a);
	ck_assert_int_eq(parse_answer(&b), CLV_OK);
	ck_assert_int_eq(b.result, CLV_E_DENIED);
	ck_assert_uint_eq(b.op, CLV_WIRE_FETCH);
	ck_assert_mem_eq(b.system_id, a.system_id, 16);
	ck_assert_mem_eq(b.nonce, a.nonce, CLV_NONCE_LEN);
	ck_assert_uint_eq(b.epoch, 514);
	ck_assert_uint_eq(b.list_version, 9);
	ck_assert_uint_eq(b.generation, 2);
	ck_assert_mem_eq(b.check, a.check, CLV_KEY_LEN);
	ck_assert(b.encrypt);
	ck_assert_str_eq(b.name, "m1");
	ck_assert_str_eq(b.server, "alpha");
	ck_assert_str_eq(b.text, "not allowed");
	ck_assert_uint_eq(b.payload_len, 6);
	ck_assert_mem_eq(b.payload, "sealed", 6);
}
END_TEST

START_TEST(every_changed_byte_of_an_answer_is_found)
{
	struct clv_wire_answer a = make_answer(), b;
	size_t i, len, taken = 0;

	format_answer(&a);
	len = frame.len;
	for (i = 0; i < len; i++) {
		frame.data[i] ^= 1;
		taken += parse_answer(&b) == CLV_OK;
		frame.data[i] ^= 1;
		frame.len = i;
		taken += parse_answer(&b) == CLV_OK;
		frame.len = len;
	}
	ck_assert_uint_eq(taken, 0);
	clv_buf_u8(&frame, 0);
	ck_assert_int_eq(parse_answer(&b), CLV_E_FORMAT);
}
END_TEST

START_TEST(payload_of_another_answer_is_found)
{
	struct clv_wire_answer a = make_answer(), b;

	format_answer(&a);
	memcpy(frame.data + frame.len - 6, "swoped", 6);
	ck_assert_int_eq(parse_answer(&b), CLV_E_SIGNATURE);
}
END_TEST

START_TEST(answer_of_another_system_is_refused)
{
	struct clv_keyring *other = new_keyring();
	struct clv_wire_answer a = make_answer(), b;

	format_answer(&a);
	ck_assert_int_eq(clv_wire_answer_parse(frame.data, frame.len,
			     clv_keyring_sign_pk(other), &b),
	    CLV_E_SIGNATURE);
	clv_keyring_free(&other);
}
END_TEST

START_TEST(positive_result_is_not_sent)
{
	struct clv_wire_answer a = make_answer();

	a.result = 1;
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
}
END_TEST

START_TEST(too_long_an_answer_is_not_sent)
{
	static uint8_t payload[CLV_WIRE_ANSWER_MAX];
	struct clv_wire_answer a = make_answer();

	a.payload = payload;
	a.payload_len = sizeof(payload);
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_FULL);
	ck_assert_uint_eq(frame.len, 0);
}
END_TEST

/* Heads that the system signed and that are wrong all the same. Offsets in the
 * head: version 0, result 1, op 5, encrypt 106, name 107, server 113, text 122.
 */
static const struct {
	size_t at;
	uint8_t value;
	int result;
} heads[] = {
    {0, 2, CLV_E_VERSION},
    {1, 0x7f, CLV_E_FORMAT},
    {106 + 0, 2, CLV_E_FORMAT},
    {111, ' ', CLV_E_FORMAT},
    {117, '\n', CLV_E_FORMAT},
    {113, 1, CLV_E_FORMAT},
    {125, 9, CLV_E_FORMAT},
    {5, CLV_WIRE_NOTICE, CLV_E_FORMAT},
};

START_TEST(signed_nonsense_is_refused)
{
	struct clv_wire_answer a = make_answer(), b;
	uint8_t *head;
	size_t len;

	format_answer(&a);
	head = frame.data + 4;
	len = frame.len - 4 - CLV_SIG_LEN - 4 - 6;
	ck_assert_mem_eq(head + 117, "alpha", 5);
	head[heads[_i].at] = heads[_i].value;
	clv_keyring_sign(keyring, "claviger-answr-1", head, len, head + len);
	ck_assert_int_eq(parse_answer(&b), heads[_i].result);
}
END_TEST

START_TEST(evidence_is_an_answer_without_its_payload)
{
	struct clv_wire_answer a = make_answer(), b = {0};
	const uint8_t *pk = clv_keyring_sign_pk(keyring);
	struct clv_buf e = {0};

	format_answer(&a);
	ck_assert_int_eq(
	    clv_wire_evidence_cut(frame.data, frame.len, &e), CLV_OK);
	ck_assert_uint_eq(e.len, frame.len - 4 - 6);
	ck_assert_int_eq(
	    clv_wire_evidence_parse(e.data, e.len, pk, &b), CLV_OK);
	ck_assert_uint_eq(b.epoch, 514);
	ck_assert_uint_eq(b.list_version, 9);
	ck_assert_uint_eq(b.payload_len, 0);
	e.data[20] ^= 1;
	ck_assert_int_eq(
	    clv_wire_evidence_parse(e.data, e.len, pk, &b), CLV_E_SIGNATURE);
	e.data[20] ^= 1;
	clv_buf_u8(&e, 0);
	ck_assert_int_eq(
	    clv_wire_evidence_parse(e.data, e.len, pk, &b), CLV_E_FORMAT);
	ck_assert_int_eq(
	    clv_wire_evidence_parse(NULL, 0, pk, &b), CLV_E_FORMAT);
	clv_buf_fini(&e);
}
END_TEST

START_TEST(evidence_fits_into_a_request)
{
	struct clv_wire_answer a = make_answer();
	struct clv_wire_request r = make_request(CLV_WIRE_FETCH);
	struct clv_buf e = {0};

	memset(a.text, 'x', sizeof(a.text) - 1);
	memset(a.name, 'z', sizeof(a.name) - 1);
	memset(a.server, 'y', sizeof(a.server) - 1);
	format_answer(&a);
	ck_assert_int_eq(
	    clv_wire_evidence_cut(frame.data, frame.len, &e), CLV_OK);
	r.evidence = e.data;
	r.evidence_len = e.len;
	ck_assert_int_eq(format_request(&r), CLV_OK);
	clv_buf_fini(&e);
}
END_TEST

START_TEST(what_is_no_answer_gives_no_evidence)
{
	struct clv_buf e = {0};

	ck_assert_int_eq(
	    clv_wire_evidence_cut("\0\0\0\1x", 5, &e), CLV_E_FORMAT);
	ck_assert_int_eq(clv_wire_evidence_cut(NULL, 0, &e), CLV_E_FORMAT);
	ck_assert_uint_eq(e.len, 0);
}
END_TEST

/* What is signed for one caller's question is no answer to another's. */
START_TEST(answer_is_bound_to_its_request)
{
	struct clv_wire_request q = make_request(CLV_WIRE_FETCH), r = q;
	struct clv_wire_answer a = make_answer();

	ck_assert_int_eq(clv_wire_answer_match(&a, &q), CLV_OK);
	strcpy(r.name, "m2");
	ck_assert_int_eq(clv_wire_answer_match(&a, &r), CLV_E_PROTOCOL);
	r = q;
	r.nonce[31] ^= 1;
	ck_assert_int_eq(clv_wire_answer_match(&a, &r), CLV_E_PROTOCOL);
	r = q;
	r.op = CLV_WIRE_HEADS;
	ck_assert_int_eq(clv_wire_answer_match(&a, &r), CLV_E_PROTOCOL);
	r = q;
	r.system_id[0] ^= 1;
	ck_assert_int_eq(clv_wire_answer_match(&a, &r), CLV_E_WRONG_SYSTEM);
	memset(r.system_id, 0, sizeof(r.system_id));
	ck_assert_int_eq(clv_wire_answer_match(&a, &r), CLV_OK);
	a.name[0] = '\0';
	ck_assert_int_eq(clv_wire_answer_match(&a, &q), CLV_E_PROTOCOL);
}
END_TEST

static struct clv_wire_answer
make_notice_answer(void)
{
	struct clv_wire_answer a = make_answer();

	a.op = CLV_WIRE_NOTICE;
	a.result = CLV_OK;
	memset(a.nonce, 0, sizeof(a.nonce));
	a.name[0] = '\0';
	a.payload_len = 0;
	return a;
}

START_TEST(notice_answers_nobody)
{
	struct clv_wire_answer a = make_notice_answer(), b = {0};
	struct clv_wire_request q = make_request(CLV_WIRE_FETCH);
	struct clv_buf e = {0};

	format_answer(&a);
	ck_assert_int_eq(parse_answer(&b), CLV_OK);
	ck_assert_uint_eq(
	    clv_wire_answer_op(frame.data, frame.len), CLV_WIRE_NOTICE);
	ck_assert_uint_eq(b.epoch, 514);
	ck_assert_int_eq(clv_wire_answer_match(&b, &q), CLV_E_PROTOCOL);
	memset(q.nonce, 0, sizeof(q.nonce));
	ck_assert_int_eq(clv_wire_answer_match(&b, &q), CLV_E_PROTOCOL);
	ck_assert_int_eq(
	    clv_wire_evidence_cut(frame.data, frame.len, &e), CLV_OK);
	ck_assert_int_eq(clv_wire_evidence_parse(
			     e.data, e.len, clv_keyring_sign_pk(keyring), &b),
	    CLV_OK);
	clv_buf_fini(&e);
}
END_TEST

START_TEST(what_a_notice_may_not_hold_is_not_sent)
{
	struct clv_wire_answer a = make_notice_answer();

	a.nonce[5] = 1;
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
	a = make_notice_answer();
	strcpy(a.name, "m1");
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
	a = make_notice_answer();
	a.payload_len = 1;
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
	a = make_notice_answer();
	a.result = CLV_E_DENIED;
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
	a = make_answer();
	strcpy(a.name, "m 1");
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, keyring, &frame), CLV_E_INVALID);
}
END_TEST

START_TEST(op_of_an_answer_is_read_without_verifying)
{
	struct clv_wire_answer a = make_answer();

	format_answer(&a);
	ck_assert_uint_eq(
	    clv_wire_answer_op(frame.data, frame.len), CLV_WIRE_FETCH);
	ck_assert_uint_eq(clv_wire_answer_op(frame.data, 10), CLV_WIRE_FETCH);
	ck_assert_uint_eq(clv_wire_answer_op(frame.data, 9), 0);
	ck_assert_uint_eq(clv_wire_answer_op(NULL, 0), 0);
}
END_TEST

static const struct clv_wire_terms terms = {60, 65000};

static int
seal_keys(const struct clv_list *list, const char *scope)
{
	clv_buf_reset(&frame);
	return clv_wire_keys_seal(
	    guard, keyring, list, scope, &terms, member->box_pk, &frame);
}

static int
open_keys(struct clv_wire_key **keys, size_t *n)
{
	struct clv_wire_terms t = {0};
	int r = clv_wire_keys_open(
	    guard, member, frame.data, frame.len, &t, keys, n);

	ck_assert_uint_eq(t.refresh_s, r == CLV_OK ? 60 : 0);
	ck_assert_uint_eq(t.permit_ms, r == CLV_OK ? 65000 : 0);
	return r;
}

START_TEST(scope_all_gets_the_distribution_key)
{
	struct clv_list *list = new_list(keyring);
	struct clv_wire_key *keys = NULL;
	uint8_t want[CLV_KEY_LEN];
	size_t n = 0;

	ck_assert_int_eq(seal_keys(list, "all"), CLV_OK);
	ck_assert_int_eq(open_keys(&keys, &n), CLV_OK);
	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, want);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(keys[0].generation, 1);
	ck_assert_str_eq(keys[0].app, "");
	ck_assert_mem_eq(keys[0].key, want, CLV_KEY_LEN);
	clv_guard_put(guard, keys);
	clv_list_free(&list);
}
END_TEST

START_TEST(narrow_scope_gets_its_applications_keys_only)
{
	struct clv_list *list = new_list(keyring);
	struct clv_wire_key *keys = NULL;
	uint8_t d[CLV_KEY_LEN], want[CLV_KEY_LEN];
	size_t n = 0, i;

	ck_assert_int_eq(seal_keys(list, "payroll,crm"), CLV_OK);
	ck_assert_int_eq(open_keys(&keys, &n), CLV_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(keys[0].app, "payroll");
	ck_assert_str_eq(keys[1].app, "crm");
	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, d);
	for (i = 0; i < n; i++) {
		clv_app_key(
		    d, clv_keyring_system_id(keyring), keys[i].app, want);
		ck_assert_mem_eq(keys[i].key, want, CLV_KEY_LEN);
		ck_assert_mem_ne(keys[i].key, d, CLV_KEY_LEN);
	}
	clv_guard_put(guard, keys);
	clv_list_free(&list);
}
END_TEST

/* published, current and retired are given; what is before or after is not */
START_TEST(only_generations_in_use_are_given)
{
	struct clv_list *list = new_list(keyring);
	struct clv_wire_key *keys = NULL;
	uint32_t g;
	size_t n = 0;

	for (g = 1; g < 7; clv_keyring_add(keyring, &g))
		;
	list->generations[0].state = CLV_GEN_DESTROYED;
	add_generation(list, keyring, 2, CLV_GEN_RETIRED);
	add_generation(list, keyring, 3, CLV_GEN_CURRENT);
	add_generation(list, keyring, 4, CLV_GEN_PUBLISHED);
	add_generation(list, keyring, 5, CLV_GEN_BACKED_UP);
	add_generation(list, keyring, 6, CLV_GEN_ESCROWED);
	add_generation(list, keyring, 7, CLV_GEN_PENDING);
	ck_assert_int_eq(seal_keys(list, "all"), CLV_OK);
	ck_assert_int_eq(open_keys(&keys, &n), CLV_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(keys[0].generation, 2);
	ck_assert_uint_eq(keys[1].generation, 3);
	ck_assert_uint_eq(keys[2].generation, 4);
	clv_guard_put(guard, keys);
	clv_list_free(&list);
}
END_TEST

START_TEST(generation_that_the_server_lacks_is_a_failure)
{
	struct clv_list *list = new_list(keyring);

	list->generations[0].number = 9;
	ck_assert_int_eq(seal_keys(list, "all"), CLV_E_STALE);
	ck_assert_uint_eq(frame.len, 0);
	clv_list_free(&list);
}
END_TEST

START_TEST(bad_scope_and_weak_recipient_are_refused)
{
	struct clv_list *list = new_list(keyring);
	static const uint8_t weak[32];

	ck_assert_int_eq(seal_keys(list, ""), CLV_E_INVALID);
	ck_assert_int_eq(seal_keys(list, "a,,b"), CLV_E_INVALID);
	clv_buf_raw(&frame, "before", 6);
	ck_assert_int_eq(clv_wire_keys_seal(
			     guard, keyring, list, "all", &terms, weak, &frame),
	    CLV_E_INVALID);
	ck_assert_uint_eq(frame.len, 6);
	clv_list_free(&list);
}
END_TEST

START_TEST(more_keys_than_an_answer_holds_are_refused)
{
	struct clv_list *list = new_list(keyring);
	char scope[CLV_SCOPE_MAX] = "a";
	uint32_t g = 1;
	int i;

	for (i = 0; strlen(scope) + 3 < CLV_SCOPE_MAX; i++)
		snprintf(scope + strlen(scope), 4, ",%c%c",
		    "abcdefghijklmnopqrstuvwxyz"[i % 26],
		    "abcdefghijklmnopqrstuvwxyz"[i / 26]);
	while (g < CLV_GENERATIONS_MAX) {
		clv_keyring_add(keyring, &g);
		add_generation(list, keyring, g, CLV_GEN_RETIRED);
	}
	ck_assert_int_eq(seal_keys(list, scope), CLV_E_FULL);
	clv_list_free(&list);
}
END_TEST

START_TEST(keys_of_somebody_else_stay_shut)
{
	struct clv_list *list = new_list(keyring);
	struct clv_identity *other = new_identity("m2");
	struct clv_wire_key *keys = NULL;
	struct clv_wire_terms t;
	size_t n, i, taken = 0;

	ck_assert_int_eq(seal_keys(list, "all"), CLV_OK);
	ck_assert_int_eq(clv_wire_keys_open(guard, other, frame.data, frame.len,
			     &t, &keys, &n),
	    CLV_E_DAMAGED);
	for (i = 0; i < frame.len; i++) {
		frame.data[i] ^= 1;
		taken += open_keys(&keys, &n) != CLV_E_DAMAGED;
		frame.data[i] ^= 1;
	}
	ck_assert_uint_eq(taken, 0);
	ck_assert_ptr_null(keys);
	clv_identity_free(&other);
	clv_list_free(&list);
}
END_TEST

#define GOOD_TERMS "\0\0\0\x3c\0\0\xfd\xe8"

static const struct {
	const char *plain;
	size_t len;
} bad_keys[] = {
    {"", 0},
    {"\0\0\0", 3},
    {GOOD_TERMS "\0\0\0", 11},
    {GOOD_TERMS "\0\0\0\1", 12},
    {GOOD_TERMS "\xff\xff\xff\xff", 12},
    {GOOD_TERMS "\0\0\0\0x", 13},
    /* refreshing at once, or after more than a day; a permit of weeks */
    {"\0\0\0\0\0\0\xfd\xe8\0\0\0\0", 12},
    {"\0\1\x51\x81\0\0\xfd\xe8\0\0\0\0", 12},
    {"\0\0\0\x3c\xff\xff\xff\xff\0\0\0\0", 12},
    {GOOD_TERMS "\0\0\0\1\0\0\0\1\0\0\0\1-"
		"0123456789abcdef0123456789abcdef",
	53},
    {GOOD_TERMS "\0\0\0\1\0\0\0\1\0\0\0\1a"
		"0123456789abcdef0123456789abcde",
	52},
    {GOOD_TERMS "\0\0\0\1\0\0\0\1\0\0\0\1a"
		"0123456789abcdef0123456789abcdef!",
	54},
    {GOOD_TERMS "\0\0\0\1\0\0\0\1\0\0\0\2a"
		"0123456789abcdef0123456789abcdef",
	53},
};

START_TEST(sealed_nonsense_is_refused)
{
	struct clv_wire_key *keys = NULL;
	size_t n;

	clv_buf_reset(&frame);
	clv_buf_raw(&frame, bad_keys[_i].plain, bad_keys[_i].len);
	for (size_t i = 0; i < crypto_box_SEALBYTES; i++)
		clv_buf_u8(&frame, 0);
	crypto_box_seal(frame.data, (const uint8_t *)bad_keys[_i].plain,
	    bad_keys[_i].len, member->box_pk);
	ck_assert_int_eq(open_keys(&keys, &n), CLV_E_FORMAT);
	frame.len = crypto_box_SEALBYTES - 1;
	ck_assert_int_eq(open_keys(&keys, &n), CLV_E_FORMAT);
	ck_assert_ptr_null(keys);
}
END_TEST

START_TEST(no_keys_at_all_are_possible)
{
	struct clv_wire_key *keys = NULL;
	size_t n = 9;

	clv_buf_reset(&frame);
	for (size_t i = 0; i < 12 + crypto_box_SEALBYTES; i++)
		clv_buf_u8(&frame, 0);
	crypto_box_seal(frame.data, (const uint8_t *)GOOD_TERMS "\0\0\0\0", 12,
	    member->box_pk);
	ck_assert_int_eq(open_keys(&keys, &n), CLV_OK);
	ck_assert_uint_eq(n, 0);
	clv_guard_put(guard, keys);
}
END_TEST

START_TEST(wrong_terms_are_not_sealed)
{
	static const struct clv_wire_terms wrong_terms[] = {
	    {0, 65000}, {86401, 65000}, {60, 86400001}};
	struct clv_list *list = new_list(keyring);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(clv_wire_keys_seal(guard, keyring, list, "all",
				     &wrong_terms[i], member->box_pk, &frame),
		    CLV_E_INVALID);
	ck_assert_uint_eq(frame.len, 0);
	clv_list_free(&list);
}
END_TEST

/* ---- what members hold, and applications' heads ---- */

START_TEST(what_is_held_comes_back_and_nothing_else_does)
{
	const struct clv_wire_holds h = {7, UINT64_C(1) << 40};
	struct clv_wire_holds got = {0};

	clv_wire_holds_format(&h, &frame);
	ck_assert_uint_eq(frame.len, 12);
	ck_assert_int_eq(
	    clv_wire_holds_parse(frame.data, frame.len, &got), CLV_OK);
	ck_assert_uint_eq(got.generation, 7);
	ck_assert_uint_eq(got.list_version, UINT64_C(1) << 40);
	ck_assert_int_eq(
	    clv_wire_holds_parse(frame.data, 11, &got), CLV_E_FORMAT);
	clv_buf_u8(&frame, 0);
	ck_assert_int_eq(
	    clv_wire_holds_parse(frame.data, 13, &got), CLV_E_FORMAT);
}
END_TEST

static struct clv_wire_head heads_in[CLV_WIRE_HEADS_MAX + 1];
static struct clv_wire_head heads_out[CLV_WIRE_HEADS_MAX];

static void
fill_heads(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memset(heads_in[i].app, 'a', sizeof(heads_in[i].app) - 1);
		heads_in[i].app[i % 64] = (char)('b' + i / 64);
		heads_in[i].head = (struct clv_head){0};
		heads_in[i].head.counter = CLV_WIRE_COUNTER_MAX - i;
		if (i % 3 == 0)
			continue;
		heads_in[i].head.linked = CLV_WIRE_COUNTER_MAX - i * i;
		memset(heads_in[i].head.link, (int)i, CLV_LINK_LEN);
	}
}

START_TEST(as_many_heads_as_a_request_holds_come_back)
{
	struct clv_wire_request r = make_request(CLV_WIRE_HEADS);
	struct clv_buf payload = {0};
	size_t n = 0;

	fill_heads(CLV_WIRE_HEADS_MAX + 1);
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, CLV_WIRE_HEADS_MAX + 1, &payload),
	    CLV_E_FULL);
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, CLV_WIRE_HEADS_MAX, &payload),
	    CLV_OK);
	r.payload = payload.data;
	r.payload_len = payload.len;
	memset(r.name, 'n', sizeof(r.name) - 1);
	ck_assert_int_eq(format_request(&r), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_heads_parse(payload.data, payload.len, heads_out, &n),
	    CLV_OK);
	ck_assert_uint_eq(n, CLV_WIRE_HEADS_MAX);
	ck_assert_mem_eq(heads_in, heads_out, sizeof(heads_out));
	clv_buf_fini(&payload);
}
END_TEST

START_TEST(wrong_heads_are_not_sent)
{
	fill_heads(2);
	heads_in[1].head.counter = CLV_WIRE_COUNTER_MAX + 1;
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, 2, &frame), CLV_E_INVALID);
	fill_heads(2);
	heads_in[1].head.linked = heads_in[1].head.counter + 1;
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, 2, &frame), CLV_E_INVALID);
	fill_heads(2);
	heads_in[1].head.linked = 0; /* a link of none */
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, 2, &frame), CLV_E_INVALID);
	fill_heads(2);
	memcpy(heads_in[1].app, heads_in[0].app, sizeof(heads_in[1].app));
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, 2, &frame), CLV_E_INVALID);
	heads_in[1].app[0] = '\0';
	ck_assert_int_eq(
	    clv_wire_heads_format(heads_in, 2, &frame), CLV_E_INVALID);
	ck_assert_uint_eq(frame.len, 0);
}
END_TEST

#define ZEROS "\0\0\0\0\0\0\0\0"

static const struct {
	const char *p;
	size_t len;
} bad_heads[] = {
    {"", 0},
    {"\0\0\0\1", 4},
    {"\0\0\0\x51", 4},
    {"\xff\xff\xff\xff", 4},
    {"\0\0\0\1\0\0\0\1a" ZEROS ZEROS, 25},
    {"\0\0\0\1\0\0\0\1a" ZEROS ZEROS ZEROS "x", 34},
    {"\0\0\0\1\0\0\0\1-" ZEROS ZEROS ZEROS, 33},
    {"\0\0\0\1\0\0\0\1a\x7f" ZEROS ZEROS ZEROS, 33},
    {"\0\0\0\1\0\0\0\1a\0\0\0\0\0\0\0\1" ZEROS "a link..", 33},
    {"\0\0\0\1\0\0\0\1a\0\0\0\0\0\0\0\1"
     "\0\0\0\0\0\0\0\1" ZEROS,
	33},
    {"\0\0\0\1\0\0\0\1a\0\0\0\0\0\0\0\1"
     "\0\0\0\0\0\0\0\2"
     "a link..",
	33},
    {"\0\0\0\2\0\0\0\1a" ZEROS ZEROS ZEROS "\0\0\0\1a" ZEROS ZEROS ZEROS, 62},
};

START_TEST(bad_heads_are_refused)
{
	size_t n = 77;

	ck_assert_int_eq(clv_wire_heads_parse(
			     bad_heads[_i].p, bad_heads[_i].len, heads_out, &n),
	    CLV_E_FORMAT);
	ck_assert_uint_eq(n, 77);
}
END_TEST

/* ---- applications ---- */

static struct clv_wire_apps apps;
static struct clv_wire_app app;

static int
page(const struct clv_list *list, const char *scope, const char *after)
{
	clv_buf_reset(&frame);
	ck_assert_int_eq(
	    clv_wire_apps_format(list, scope, after, &frame), CLV_OK);
	return clv_wire_apps_parse(frame.data, frame.len, after, &apps);
}

START_TEST(applications_of_the_scope_come_with_who_may_what)
{
	struct clv_list *list = new_list(keyring);

	clv_acl_set(&list->system_admins, "group:wheel");
	clv_acl_set(&list->creators, "user:eva,user:ada");
	ck_assert_int_eq(page(list, "all", ""), CLV_OK);
	ck_assert_str_eq(apps.system_admins, "group:wheel");
	ck_assert_str_eq(apps.creators, "user:eva,user:ada");
	ck_assert_mem_eq(apps.cert_thumb, list->cert_thumb, 64);
	ck_assert(!apps.more);
	ck_assert(clv_wire_apps_next(&apps, &app));
	ck_assert_str_eq(app.name, "crm");
	ck_assert_str_eq(app.admins, "user:ada");
	ck_assert_str_eq(app.users, "unit:crm.service");
	ck_assert_uint_eq(app.keep, 3);
	ck_assert(clv_wire_apps_next(&apps, &app));
	ck_assert_str_eq(app.name, "payroll");
	ck_assert_str_eq(app.admins, "");
	ck_assert(!clv_wire_apps_next(&apps, &app));
	clv_list_free(&list);
}
END_TEST

START_TEST(applications_outside_of_the_scope_are_not_named)
{
	struct clv_list *list = new_list(keyring);

	ck_assert_int_eq(page(list, "other,payroll", ""), CLV_OK);
	ck_assert_uint_eq(apps.left, 1);
	ck_assert(clv_wire_apps_next(&apps, &app));
	ck_assert_str_eq(app.name, "payroll");
	ck_assert_int_eq(page(list, "other", ""), CLV_OK);
	ck_assert_uint_eq(apps.left, 0);
	ck_assert_int_eq(page(list, "all", "crm"), CLV_OK);
	ck_assert_uint_eq(apps.left, 1);
	ck_assert_int_eq(
	    clv_wire_apps_format(list, "a,,b", "", &frame), CLV_E_INVALID);
	clv_list_free(&list);
}
END_TEST

static void
fill_acl(char acl[static CLV_ACL_MAX])
{
	size_t n = 0;

	for (int i = 0; n + 40 < CLV_ACL_MAX; i++)
		n += (size_t)snprintf(acl + n, CLV_ACL_MAX - n,
		    "%suser:somebody-with-a-name%d", n > 0 ? "," : "", i);
}

/* Each page is an answer, and all of them are all applications, once. */
START_TEST(many_applications_come_in_pages)
{
	struct clv_list *list = new_list(keyring);
	char acl[CLV_ACL_MAX], after[CLV_NAME_MAX] = "crm", name[32];
	struct clv_wire_answer a = make_answer(), b;
	int i, n = 0, pages = 0;

	fill_acl(acl);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "q%03d", i);
		add_app(list, name, acl, acl);
	}
	memset(a.text, 'x', sizeof(a.text) - 1);
	memset(a.server, 's', sizeof(a.server) - 1);
	do {
		struct clv_buf payload = {0};

		ck_assert_int_eq(
		    clv_wire_apps_format(list, "all", after, &payload), CLV_OK);
		a.payload = payload.data;
		a.payload_len = payload.len;
		format_answer(&a);
		ck_assert_int_eq(parse_answer(&b), CLV_OK);
		ck_assert_int_eq(
		    clv_wire_apps_parse(b.payload, b.payload_len, after, &apps),
		    CLV_OK);
		while (clv_wire_apps_next(&apps, &app)) {
			strcpy(after, app.name);
			n++;
		}
		clv_buf_fini(&payload);
		pages++;
	} while (apps.more);
	ck_assert_int_eq(n, 301);
	ck_assert_int_gt(pages, 5);
	clv_list_free(&list);
}
END_TEST

/* Two access lists of nobody, and two thumbprints. */
#define THUMBS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS
#define HEAD ZEROS THUMBS

static const struct {
	const char *p;
	size_t len;
} bad_apps[] = {
    {"", 0},
    {ZEROS "\0\0\0\0", 12},	     /* ends too early */
    {HEAD "\0\0\0\0", 76},	     /* ends too early */
    {HEAD "\0\0\0\0\0x", 78},	     /* too late */
    {HEAD "\2\0\0\0\0", 77},	     /* more: 2 */
    {HEAD "\1\0\0\0\0", 77},	     /* more without any */
    {HEAD "\0\xff\xff\xff\xff", 77}, /* as many as that */
    {"\0\0\0\1x\0\0\0\0" THUMBS "\0\0\0\0\0", 78},
    {HEAD "\0\0\0\0\1\0\0\0\1-" ZEROS "\0\0\0\0", 94},
    {HEAD "\0\0\0\0\1\0\0\0\1a\0\0\0\1u" ZEROS, 95},
    /* b before a; twice the same; not after "A" */
    {HEAD "\0\0\0\0\2\0\0\0\1b" ZEROS "\0\0\0\0"
	  "\0\0\0\1a" ZEROS "\0\0\0\0",
	111},
    {HEAD "\0\0\0\0\2\0\0\0\1a" ZEROS "\0\0\0\0"
	  "\0\0\0\1a" ZEROS "\0\0\0\0",
	111},
    {HEAD "\0\0\0\0\1\0\0\0\1A" ZEROS "\0\0\0\0", 94},
};

START_TEST(bad_applications_are_refused)
{
	ck_assert_int_eq(
	    clv_wire_apps_parse(HEAD "\0\0\0\0\0", 77, "A", &apps), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_apps_parse(bad_apps[_i].p, bad_apps[_i].len, "A", &apps),
	    CLV_E_FORMAT);
}
END_TEST

static void
add_apps_tests(Suite *s)
{
	TCase *t = tcase_create("applications");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, applications_of_the_scope_come_with_who_may_what);
	tcase_add_test(t, applications_outside_of_the_scope_are_not_named);
	tcase_add_test(t, many_applications_come_in_pages);
	tcase_add_loop_test(t, bad_applications_are_refused, 0,
	    sizeof(bad_apps) / sizeof(bad_apps[0]));
	suite_add_tcase(s, t);
}

static void
add_heads_tests(Suite *s)
{
	TCase *t = tcase_create("what_members_hold");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, what_is_held_comes_back_and_nothing_else_does);
	tcase_add_test(t, as_many_heads_as_a_request_holds_come_back);
	tcase_add_test(t, wrong_heads_are_not_sent);
	tcase_add_loop_test(t, bad_heads_are_refused, 0,
	    sizeof(bad_heads) / sizeof(bad_heads[0]));
	suite_add_tcase(s, t);
}

/* JOIN. */

START_TEST(offer_comes_back_and_nothing_else_does)
{
	struct clv_wire_offer o, back;
	struct clv_buf b = {0};

	randombytes_buf(&o, sizeof(o));
	clv_wire_offer_format(&o, &b);
	ck_assert_uint_eq(b.len, 32 + 32 + 64);
	ck_assert_int_eq(clv_wire_offer_parse(b.data, b.len, &back), CLV_OK);
	ck_assert_mem_eq(&back, &o, sizeof(o));
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_eq(
		    clv_wire_offer_parse(b.data, n, &back), CLV_E_FORMAT);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(
	    clv_wire_offer_parse(b.data, b.len, &back), CLV_E_FORMAT);
	clv_buf_fini(&b);
}
END_TEST

static void
make_join(struct clv_buf *ret)
{
	struct clv_wire_join j = {.party = {.name = ""}};

	memset(j.token_pk, 1, sizeof(j.token_pk));
	memset(j.proof, 2, sizeof(j.proof));
	memset(j.party.thumb, 3, sizeof(j.party.thumb));
	clv_buf_init(ret);
	ck_assert_int_eq(clv_wire_join_format(&j, member, ret), CLV_OK);
}

START_TEST(joining_comes_back_and_fits_with_the_longest_name)
{
	struct clv_wire_request r = make_request(CLV_WIRE_JOIN);
	struct clv_wire_join j;
	struct clv_buf b;

	memset(member->name, 'n', sizeof(member->name) - 1);
	strcpy(r.name, member->name);
	make_join(&b);
	ck_assert_int_eq(clv_wire_join_parse(b.data, b.len, &j), CLV_OK);
	ck_assert_str_eq(j.party.name, member->name);
	ck_assert_mem_eq(j.party.sign_pk, member->sign_pk, 32);
	ck_assert_mem_eq(j.party.box_pk, member->box_pk, 32);
	ck_assert_uint_eq(j.party.thumb[31], 3);
	ck_assert_uint_eq(j.token_pk[31], 1);
	ck_assert_uint_eq(j.proof[63], 2);
	memset(r.challenge, 4, sizeof(r.challenge));
	r.evidence_len = 0;
	r.payload = b.data;
	r.payload_len = b.len;
	ck_assert_int_eq(format_request(&r), CLV_OK);
	ck_assert_uint_le(frame.len, CLV_WIRE_JOIN_MAX);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(every_truncation_and_every_foreign_party_is_refused)
{
	struct clv_wire_join j;
	struct clv_buf b;

	make_join(&b);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(clv_wire_join_parse(b.data, n, &j), CLV_OK);
	for (size_t at = 96 + 4; at < b.len; at++) {
		b.data[at] ^= 1;
		ck_assert_int_ne(
		    clv_wire_join_parse(b.data, b.len, &j), CLV_OK);
		b.data[at] ^= 1;
	}
	ck_assert_int_eq(clv_wire_join_parse(b.data, b.len, &j), CLV_OK);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(clv_wire_join_parse(b.data, b.len, &j), CLV_E_FORMAT);
	clv_buf_fini(&b);
}
END_TEST

static void
add_join_tests(Suite *s)
{
	TCase *t = tcase_create("joining");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, offer_comes_back_and_nothing_else_does);
	tcase_add_test(t, joining_comes_back_and_fits_with_the_longest_name);
	tcase_add_test(t, every_truncation_and_every_foreign_party_is_refused);
	suite_add_tcase(s, t);
}

static void
add_request_tests(Suite *s)
{
	TCase *t = tcase_create("a_request");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, request_comes_back_as_sent, 1, 7);
	tcase_add_test(t, every_changed_byte_of_a_request_is_found);
	tcase_add_test(t, request_of_somebody_else_does_not_verify);
	tcase_add_loop_test(t, wrong_request_is_not_made, 0, 8);
	tcase_add_loop_test(
	    t, bad_request_is_refused, 0, sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(t, largest_request_fits_and_one_more_does_not);
	suite_add_tcase(s, t);
}

static void
add_answer_tests(Suite *s)
{
	TCase *t = tcase_create("an_answer");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, answer_comes_back_as_sent);
	tcase_add_test(t, every_changed_byte_of_an_answer_is_found);
	tcase_add_test(t, payload_of_another_answer_is_found);
	tcase_add_test(t, answer_of_another_system_is_refused);
	tcase_add_test(t, positive_result_is_not_sent);
	tcase_add_test(t, too_long_an_answer_is_not_sent);
	tcase_add_loop_test(
	    t, signed_nonsense_is_refused, 0, sizeof(heads) / sizeof(heads[0]));
	tcase_add_test(t, evidence_is_an_answer_without_its_payload);
	tcase_add_test(t, evidence_fits_into_a_request);
	tcase_add_test(t, what_is_no_answer_gives_no_evidence);
	tcase_add_test(t, answer_is_bound_to_its_request);
	tcase_add_test(t, notice_answers_nobody);
	tcase_add_test(t, what_a_notice_may_not_hold_is_not_sent);
	tcase_add_test(t, op_of_an_answer_is_read_without_verifying);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("wire");
	TCase *k = tcase_create("the_keys_in_an_answer");

	add_request_tests(s);
	add_answer_tests(s);
	add_heads_tests(s);
	add_apps_tests(s);
	add_join_tests(s);
	tcase_add_checked_fixture(k, set_up, tear_down);
	tcase_add_test(k, scope_all_gets_the_distribution_key);
	tcase_add_test(k, narrow_scope_gets_its_applications_keys_only);
	tcase_add_test(k, only_generations_in_use_are_given);
	tcase_add_test(k, generation_that_the_server_lacks_is_a_failure);
	tcase_add_test(k, bad_scope_and_weak_recipient_are_refused);
	tcase_add_test(k, more_keys_than_an_answer_holds_are_refused);
	tcase_add_test(k, keys_of_somebody_else_stay_shut);
	tcase_add_loop_test(k, sealed_nonsense_is_refused, 0,
	    sizeof(bad_keys) / sizeof(bad_keys[0]));
	tcase_add_test(k, no_keys_at_all_are_possible);
	tcase_add_test(k, wrong_terms_are_not_sealed);
	suite_add_tcase(s, k);
	return run_suite(s);
}
