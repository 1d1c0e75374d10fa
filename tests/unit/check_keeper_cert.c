/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/acks.h"
#include "daemon/keeper/members_live.h"
#include "daemon/keeper/party_cert.h"
#include "keeper_rig.h"
#include "suite.h"

/* The network name's certificate is changed: pinned, used, the old one dropped.
 */

#define INTERVALS_MS 120000 /* two refresh intervals */

static uint8_t first[32], second[32], third[32];

static void
set_up(void)
{
	rig_active();
	memcpy(first, rig_db_list()->cert_thumb[0], sizeof(first));
	crypto_hash_sha256(second, (const uint8_t *)"two", 3);
	crypto_hash_sha256(third, (const uint8_t *)"three", 5);
	rig_run(MEMBERS_MEET_MS);
}

/* The request for a certificate of that text, sealed by a system's keyring. */
static void
next_by(struct clv_buf *b, uint8_t id, const char *cert, bool now,
    const struct clv_keyring *k)
{
	uint8_t thumb[32];
	struct clv_buf row;

	clv_buf_init(&row);
	crypto_hash_sha256(thumb, (const uint8_t *)cert, strlen(cert));
	ck_assert_int_eq(clv_tls_row_seal(rig.guard, k, 1, cert, strlen(cert),
			     "another key", 11, &row),
	    CLV_OK);
	rig_admin_begin(b, ADMIN_CERT_NEXT, id);
	clv_buf_raw(b, thumb, sizeof(thumb));
	clv_buf_u8(b, now);
	clv_buf_bytes(b, row.data, row.len);
	clv_buf_fini(&row);
}

static int
next(unsigned i, uint8_t id, const char *cert, bool now)
{
	struct clv_buf b;

	next_by(&b, id, cert, now, rig.keyring);
	return rig_ask(i, &b, 30000);
}

static uint64_t
version(void)
{
	return rig_db_list()->version;
}

/* A member fetches from node i, and says that it has that list. */
static void
member_has(unsigned i, unsigned member, uint64_t list_version)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_wire_holds said = {1, list_version};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_holds_format(&said, &b);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(i, rig.member[member], NULL, &q);
	rig_settle();
	clv_buf_fini(&b);
}

static void
check_list(const uint8_t *current, const uint8_t *other, bool switched)
{
	static const uint8_t none[32];
	const struct clv_list *l = rig_db_list();

	ck_assert_mem_eq(l->cert_thumb[0], current, 32);
	ck_assert_mem_eq(l->cert_thumb[1], other != NULL ? other : none, 32);
	ck_assert_int_eq(l->cert_switched, switched);
}

/* Every front that runs serves with that certificate. */
static void
check_fronts(const uint8_t *thumb)
{
	for (unsigned i = 0; i < rig.n; i++)
		if (rig.node[i].k != NULL)
			ck_assert_mem_eq(rig.node[i].tls_thumb, thumb, 32);
}

struct told {
	uint8_t phase;
	char why[160], names[ACKS + 1][ACKS_NAMES_MAX];
	uint32_t n[ACKS + 1];
};

static struct told
tell(unsigned i)
{
	struct told t = {0};
	struct clv_buf b;
	struct clv_rd r;
	char text[ADMIN_TEXT_MAX];
	int c;

	rig_admin_begin(&b, ADMIN_CERT_STATE, 77);
	c = rig_admin(i, &b);
	rig_settle();
	clv_buf_fini(&b);
	ck_assert_int_eq(rig_admin_result(i, c, NULL, 0), CLV_OK);
	clv_rd_init(&r, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
	clv_rd_u32(&r);
	clv_rd_str(&r, text, sizeof(text));
	clv_rd_str(&r, text, sizeof(text));
	clv_rd_u32(&r);
	t.phase = clv_rd_u8(&r);
	clv_rd_raw(&r, 64);
	clv_rd_str(&r, t.why, sizeof(t.why));
	for (unsigned n = 0; n <= ACKS; n++) {
		t.n[n] = clv_rd_u32(&r);
		clv_rd_str(&r, t.names[n], sizeof(t.names[n]));
	}
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	rig_hang_up(i, c);
	return t;
}

/* The certificate that node i says it has, or why none. */
static int
certificate_of(unsigned i, uint8_t id, uint8_t ret_thumb[static 32])
{
	struct clv_buf b;
	struct clv_rd r;
	char text[ADMIN_TEXT_MAX];
	const uint8_t *der;
	size_t len;
	int c, result;

	rig_admin_begin(&b, ADMIN_CERTIFICATE, id);
	c = rig_admin(i, &b);
	rig_settle();
	clv_buf_fini(&b);
	result = rig_admin_result(i, c, NULL, 0);
	clv_rd_init(&r, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
	clv_rd_u32(&r);
	clv_rd_str(&r, text, sizeof(text));
	clv_rd_str(&r, text, sizeof(text));
	clv_rd_u32(&r);
	if (result == CLV_OK) {
		der = clv_rd_bytes(&r, &len);
		ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
		crypto_hash_sha256(ret_thumb, der, len);
	}
	rig_hang_up(i, c);
	return result;
}

START_TEST(each_node_tells_the_certificate_that_it_has)
{
	uint8_t thumb[32];

	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(certificate_of(i, 70, thumb), CLV_OK);
		ck_assert_mem_eq(thumb, first, 32);
	}
	ck_assert_int_eq(next(0, 1, "two", true), CLV_OK);
	rig_run(10000);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(certificate_of(i, 71, thumb), CLV_OK);
		ck_assert_mem_eq(thumb, second, 32);
	}
}
END_TEST

START_TEST(live_hosts_know_the_next_one_before_it_is_used)
{
	struct told t;

	member_has(0, 0, version());
	t = tell(0);
	ck_assert_uint_eq(t.phase, TLSNEXT_NONE);
	ck_assert_str_eq(t.names[ACK_GIVEN], "n1, n2, n3, m1");
	ck_assert_str_eq(t.names[ACKS], "m2");
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_run(10000);
	check_list(first, second, false);
	check_fronts(first);
	t = tell(0);
	ck_assert_uint_eq(t.phase, TLSNEXT_NEXT);
	ck_assert_str_eq(
	    t.why, "hosts learn of the next certificate first: m1");
	ck_assert_str_eq(t.names[ACK_GIVEN], "n1, n2, n3");
	ck_assert_str_eq(t.names[ACK_LATE], "m1");
	ck_assert_str_eq(t.names[ACK_AWAY], "m2");
	ck_assert_uint_eq(t.n[ACK_AWAY], 1);
	member_has(0, 0, version());
	rig_run(1000);
	check_list(second, first, true);
	rig_run(5000);
	check_fronts(second);
	ck_assert_uint_eq(tell(0).phase, TLSNEXT_SWITCHED);
	rig_run(INTERVALS_MS - 10000);
	check_list(second, first, true);
	rig_run(10000);
	check_list(second, NULL, false);
	ck_assert_uint_eq(tell(0).phase, TLSNEXT_NONE);
}
END_TEST

START_TEST(server_nodes_are_waited_for_while_they_live)
{
	rig_db_mode(2, RIG_DB_DOWN);
	rig_side(2, 1); /* its heartbeats are heard for a while yet */
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	check_list(first, second, false);
	rig_run(KEEPER_LIVE_MS + 1000);
	check_list(second, first, true);
}
END_TEST

START_TEST(nobody_is_waited_for_who_does_not_live)
{
	member_has(0, 0, version());
	rig_run(MEMBERS_LIVE_MS + 1000);
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_run(1000);
	check_list(second, first, true);
}
END_TEST

START_TEST(what_was_published_outlives_its_server)
{
	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(MEMBERS_MEET_MS - 10000);
	check_list(first, second, false);
	ck_assert_str_eq(tell(1).why,
	    "hosts learn of the next certificate first: they have not all come "
	    "yet");
	member_has(1, 0, version() - 1);
	rig_run(10500);
	check_list(first, second, false);
	ck_assert_str_eq(tell(1).names[ACK_LATE], "m1");
	member_has(1, 0, version());
	rig_run(6000);
	check_list(second, first, true);
	check_fronts(second);
}
END_TEST

START_TEST(when_all_have_come_nobody_else_is_waited_for)
{
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_run(1000);
	check_list(second, first, true);
	rig_run(INTERVALS_MS);
	check_list(second, NULL, false);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_up(0);
	rig_run(6000);
	ck_assert_int_eq(next(1, 2, "three", false), CLV_OK);
	member_has(1, 0, version());
	rig_run(1000);
	check_list(second, third, false);
	member_has(1, 1, version());
	rig_run(1000);
	check_list(third, second, true);
}
END_TEST

START_TEST(the_next_server_drops_the_old_one)
{
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_run(1000);
	check_list(second, first, true);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(INTERVALS_MS - 10000);
	check_list(second, first, true);
	rig_run(10000);
	check_list(second, NULL, false);
}
END_TEST

START_TEST(a_compromise_waits_for_nobody)
{
	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", true), CLV_OK);
	check_list(second, NULL, false);
	rig_run(6000);
	check_fronts(second);
	/* whatever is under way */
	ck_assert_int_eq(next(0, 2, "three", false), CLV_OK);
	check_list(second, third, false);
	ck_assert_int_eq(next(0, 3, "four", true), CLV_OK);
	ck_assert_mem_ne(rig_db_list()->cert_thumb[0], third, 32);
	ck_assert(sodium_is_zero(rig_db_list()->cert_thumb[1], 32));
}
END_TEST

START_TEST(both_places_may_be_taken)
{
	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	ck_assert_int_eq(next(0, 2, "three", false), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(rig.said, "--now replaces it"));
	ck_assert_int_eq(next(0, 3, "two", false), CLV_OK); /* goes on */
	member_has(0, 0, version());
	rig_run(1000);
	check_list(second, first, true);
	ck_assert_int_eq(next(0, 4, "three", false), CLV_E_BUSY);
	ck_assert_int_eq(next(0, 5, "two", false), CLV_OK); /* is it already */
	check_list(second, first, true);
	ck_assert_uint_eq(rig_db.more_tls[1].row.len, 0); /* nothing is left */
}
END_TEST

START_TEST(a_repeated_request_is_done_once)
{
	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	ck_assert_uint_eq(version(), 2);
	ck_assert_int_eq(next(0, 9, "two", true), CLV_OK);
	ck_assert_int_eq(next(0, 9, "two", true), CLV_OK);
	ck_assert_uint_eq(version(), 3);
}
END_TEST

START_TEST(nobody_but_the_server_itself_goes_on)
{
	const uint8_t ops[] = {ADMIN_CERT_SWITCH, ADMIN_CERT_DROP};
	struct clv_buf b;

	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	for (unsigned i = 0; i < 4; i++) {
		rig_admin_begin(&b, ops[i % 2], (uint8_t)(20 + i));
		clv_buf_raw(&b, second, sizeof(second));
		ck_assert_int_eq(rig_ask(i / 2, &b, 1000), CLV_E_DENIED);
	}
	check_list(first, second, false);
}
END_TEST

START_TEST(a_row_that_the_system_did_not_seal_is_refused)
{
	struct clv_keyring *other = NULL;
	struct clv_buf b;

	ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
	next_by(&b, 1, "two", false, other);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_E_SIGNATURE);
	next_by(&b, 2, "two", false, rig.keyring);
	b.data[1 + 16] ^= 1; /* another thumbprint than its own */
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_E_MISMATCH);
	rig_admin_begin(&b, ADMIN_CERT_NEXT, 3);
	clv_buf_raw(&b, second, 20);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_E_PROTOCOL);
	check_list(first, NULL, false);
	ck_assert_uint_eq(rig_db.more_tls[0].row.len, 0);
	clv_keyring_free(&other);
}
END_TEST

START_TEST(a_next_one_without_its_row_is_never_switched_to)
{
	struct clv_buf row = {0};

	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	row = rig_db.more_tls[0].row;
	memset(&rig_db.more_tls[0].row, 0, sizeof(row));
	member_has(0, 0, version());
	rig_run(5000);
	check_list(first, second, false);
	ck_assert_str_eq(tell(0).why, clv_result_text(CLV_E_NOT_FOUND));
	rig_db.more_tls[0].row = row;
	rig_run(5000);
	check_list(second, first, true);
}
END_TEST

START_TEST(without_an_active_server_the_next_one_goes_on)
{
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(20000);
	ck_assert_int_eq(next(1, 1, "two", false), CLV_OK);
	rig_run(5000);
	check_list(first, second, false);
	ck_assert_int_eq(rig_promote(2), CLV_OK);
	rig_run(MEMBERS_MEET_MS + 1000);
	check_list(second, first, true);
	check_fronts(second);
}
END_TEST

/* Loses so many answers of one statement. */
static enum clv_stmt lose_stmt;
static unsigned lose;

static void
lose_answers(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != lose_stmt || lose == 0)
		return;
	lose--;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_E_UNKNOWN, "connection lost", 0, 0);
}

static const enum clv_stmt steps[] = {CLV_STMT_PUT_TLS, CLV_STMT_PUT_LIST};

START_TEST(a_lost_answer_is_made_good)
{
	rig.forge = lose_answers;
	lose_stmt = steps[_i];
	lose = 2;
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	ck_assert_uint_eq(lose, 0);
	lose = 2;
	rig_run(6000);
	check_list(second, first, true);
	check_fronts(second);
	lose = 2;
	rig_run(INTERVALS_MS + 3000);
	check_list(second, NULL, false);
}
END_TEST

START_TEST(a_rotation_rewraps_both_keys)
{
	const struct rig_tls *row = &rig_db.more_tls[0];
	uint32_t generation = 0;
	struct clv_buf b;

	member_has(0, 0, version());
	ck_assert_int_eq(next(0, 1, "two", false), CLV_OK);
	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_run(1000);
	rig_admin_begin(&b, ADMIN_ROTATE_FINISH, 3);
	clv_buf_u32(&b, 2);
	clv_buf_str(&b, "n1:/root/two.age");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_run(MEMBERS_LIVE_MS + MEMBERS_WAIT_MS);
	ck_assert_int_eq(clv_tls_row_generation(row->row.data, row->row.len,
			     clv_keyring_sign_pk(rig.keyring), &generation),
	    CLV_OK);
	ck_assert_uint_eq(generation, 2);
	ck_assert_mem_eq(rig_db_list()->cert_thumb[0], second, 32);
	check_fronts(second);
}
END_TEST

/* The active node is killed after its n-th statement, and once more with the
 * answer to it still on its way: the next one goes on, or the command does. */
static bool
killed_after(unsigned n, bool answered)
{
	struct rig_node *node = &rig.node[0];
	struct clv_buf b;
	bool all;

	set_up();
	next_by(&b, 1, "two", false, rig.keyring);
	rig_db_mode(0, RIG_DB_HUNG);
	rig_admin(0, &b);
	clv_buf_fini(&b);
	for (unsigned i = 0; i < n; i++) {
		rig_run(TLSNEXT_LOOK_MS);
		rig_do_sql(node);
	}
	if (answered)
		rig_settle();
	all = tlsnext_phase(rig_keeper(0)->secret.list) == TLSNEXT_SWITCHED;
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	/* the command once more */
	ck_assert_int_eq(next(1, 2, "two", false), CLV_OK);
	rig_run(MEMBERS_MEET_MS + 6000);
	ck_assert_mem_eq(rig_db_list()->cert_thumb[0], second, 32);
	check_fronts(second);
	rig_run(INTERVALS_MS);
	check_list(second, NULL, false);
	rig_fini();
	return all;
}

START_TEST(a_killed_server_is_followed_by_one_that_goes_on)
{
	unsigned n = 0;

	while (!killed_after(n, false) && !killed_after(n, true))
		ck_assert_uint_lt(n++, 60);
	ck_assert_uint_gt(n, 4);
}
END_TEST

/* ---- a host's own ---- */

static const uint8_t no_thumb[32];

/* Member i asks for it on a connection with that certificate. */
static int
ask_by(unsigned i, unsigned member, const uint8_t *thumb,
    const uint8_t *current, const uint8_t *next_one, bool now)
{
	struct clv_wire_request q = {.op = CLV_WIRE_CERT,
	    .seen_list = rig_keeper(i)->secret.list->version};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_raw(&b, current, 32);
	clv_buf_raw(&b, next_one, 32);
	clv_buf_u8(&b, now);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(i, rig.member[member], thumb, &q);
	rig_settle();
	clv_buf_fini(&b);
	return rig.node[i].answer.result;
}

static void
fetch_by(unsigned i, unsigned member, const uint8_t *thumb)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_wire_holds said = {1, version()};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_holds_format(&said, &b);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(i, rig.member[member], thumb, &q);
	rig_settle();
	ck_assert_int_eq(rig.node[i].answer.result, CLV_OK);
	clv_buf_fini(&b);
}

static void
check_member(const uint8_t *current, const uint8_t *next_one)
{
	const struct clv_list_member *m =
	    clv_list_member_by_name(rig_db_list(), "m1");

	ck_assert_mem_eq(m->party.thumb, current, 32);
	ck_assert_mem_eq(
	    m->next_thumb, next_one != NULL ? next_one : no_thumb, 32);
}

/* m1's, before any change. */
static void
own(uint8_t ret[static 32])
{
	rig_thumb(rig.member[0], ret);
	fetch_by(0, 0, ret);
	check_member(ret, NULL);
}

START_TEST(a_member_changes_its_own_certificate)
{
	uint32_t pins = rig.node[0].pins;
	uint8_t was[32];

	own(was);
	ck_assert_int_eq(ask_by(0, 0, was, was, second, false), CLV_E_AGAIN);
	rig_run(1000);
	check_member(was, second);
	ck_assert_uint_eq(rig.node[0].pins, pins + 1);
	ck_assert_int_eq(ask_by(0, 0, was, was, second, false), CLV_OK);
	/* both are accepted, until it comes with the new one for a while */
	rig_run(INTERVALS_MS);
	fetch_by(0, 0, was);
	rig_run(INTERVALS_MS);
	fetch_by(0, 0, second);
	rig_run(INTERVALS_MS / 2);
	fetch_by(0, 0, was);
	fetch_by(0, 0, second);
	rig_run(INTERVALS_MS - 1000);
	fetch_by(0, 0, second);
	rig_run(1000);
	check_member(was, second);
	fetch_by(0, 0, second);
	rig_run(1000);
	check_member(second, NULL);
	ck_assert_uint_eq(rig.node[0].pins, pins);
	ck_assert_int_eq(
	    ask_by(0, 0, was, was, third, false), CLV_E_UNKNOWN_PEER);
}
END_TEST

START_TEST(the_next_server_accepts_both_and_drops_the_old_one)
{
	uint8_t was[32];

	own(was);
	(void)ask_by(0, 0, was, was, second, false);
	rig_run(100);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	fetch_by(1, 0, was);
	fetch_by(1, 0, second);
	rig_run(INTERVALS_MS);
	check_member(was, second);
	fetch_by(1, 0, second);
	rig_run(1000);
	check_member(second, NULL);
}
END_TEST

START_TEST(a_member_whose_key_is_known_is_known_by_the_new_one_alone)
{
	uint8_t was[32];

	own(was);
	ck_assert_int_eq(ask_by(0, 0, was, was, second, true), CLV_E_AGAIN);
	rig_run(100);
	check_member(second, NULL);
	ck_assert_int_eq(
	    ask_by(0, 0, was, was, second, true), CLV_E_UNKNOWN_PEER);
	ck_assert_int_eq(ask_by(0, 0, second, was, second, true), CLV_OK);
	rig_run(PARTY_CERT_EVERY_MS);
	/* also in the midst of another change, and by either */
	ck_assert_int_eq(
	    ask_by(0, 0, second, second, third, false), CLV_E_AGAIN);
	rig_run(PARTY_CERT_EVERY_MS);
	check_member(second, third);
	ck_assert_int_eq(
	    ask_by(0, 0, second, second, third, true), CLV_E_AGAIN);
	rig_run(100);
	check_member(third, NULL);
}
END_TEST

START_TEST(one_change_follows_another)
{
	uint8_t was[32];

	own(was);
	(void)ask_by(0, 0, was, was, second, false);
	rig_run(100);
	ck_assert_int_eq(
	    ask_by(0, 0, second, second, third, false), CLV_E_AGAIN);
	rig_run(100);
	check_member(was, second); /* not so soon */
	rig_run(PARTY_CERT_EVERY_MS);
	ck_assert_int_eq(
	    ask_by(0, 0, second, second, third, false), CLV_E_AGAIN);
	rig_run(100);
	check_member(second, third);
}
END_TEST

START_TEST(what_nobody_may_ask_for_is_not_written)
{
	struct clv_wire_request q = {.op = CLV_WIRE_CERT};
	uint8_t was[32], of_other[32];
	uint64_t before;
	struct clv_buf b;

	own(was);
	rig_thumb(rig.member[1], of_other);
	before = version();
	/* what it does not have; none; another host's */
	(void)ask_by(0, 0, was, third, second, false);
	rig_run(PARTY_CERT_EVERY_MS);
	(void)ask_by(0, 0, was, was, no_thumb, false);
	rig_run(PARTY_CERT_EVERY_MS);
	(void)ask_by(0, 0, was, was, of_other, false);
	rig_run(PARTY_CERT_EVERY_MS);
	/* a request for a list that is old, and one that is none */
	q.payload = (const uint8_t *)"x";
	q.payload_len = 1;
	rig_request(0, rig.member[0], NULL, &q);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_PROTOCOL);
	clv_buf_init(&b);
	clv_buf_raw(&b, was, 32);
	clv_buf_raw(&b, second, 32);
	clv_buf_u8(&b, 0);
	q.payload = b.data;
	q.payload_len = b.len;
	q.seen_list = before - 1;
	rig_request(0, rig.member[0], NULL, &q);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_AGAIN);
	rig_run(1000);
	clv_buf_fini(&b);
	/* an administrator, whoever he is */
	rig_named(&b, ADMIN_PARTY_CERT, 9, "m1");
	clv_buf_u8(&b, 1);
	clv_buf_raw(&b, was, 32);
	clv_buf_raw(&b, second, 32);
	ck_assert_int_eq(rig_ask(0, &b, 1000), CLV_E_DENIED);
	ck_assert_uint_eq(version(), before);
	check_member(was, NULL);
}
END_TEST

START_TEST(a_server_node_changes_its_own_certificate)
{
	struct clv_wire_request q = {
	    .op = CLV_WIRE_CERT, .seen_list = version()};
	uint8_t was[32];
	struct clv_buf b;

	rig_thumb(rig.node[1].id, was);
	clv_buf_init(&b);
	clv_wire_holds_format(&(struct clv_wire_holds){1, version()}, &b);
	q.op = CLV_WIRE_FETCH;
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(0, rig.node[1].id, NULL, &q);
	rig_settle();
	clv_buf_reset(&b);
	clv_buf_raw(&b, was, 32);
	clv_buf_raw(&b, second, 32);
	clv_buf_u8(&b, 0);
	q.op = CLV_WIRE_CERT;
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(0, rig.node[1].id, NULL, &q);
	rig_run(1000);
	clv_buf_fini(&b);
	ck_assert_mem_eq(
	    clv_list_node_by_name(rig_db_list(), "n2")->next_thumb, second, 32);
}
END_TEST

/* What ADMIN_MEMBER_ROTATE says. */
struct rotation {
	uint8_t instead[64];
	uint8_t done;
	uint8_t in_use[32];
	char why[160];
};

static int
rotate(unsigned i, const char *name, bool now, struct rotation *r)
{
	struct clv_buf b;
	struct clv_rd rd;
	char text[ADMIN_TEXT_MAX];
	int c, result;

	rig_named(&b, ADMIN_MEMBER_ROTATE, 80, name);
	clv_buf_u8(&b, now);
	clv_buf_raw(&b, r->instead, sizeof(r->instead));
	c = rig_admin(i, &b);
	rig_settle();
	clv_buf_fini(&b);
	result = rig_admin_result(i, c, rig.said, sizeof(rig.said));
	if (result == CLV_OK) {
		clv_rd_init(
		    &rd, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
		clv_rd_u32(&rd);
		clv_rd_str(&rd, text, sizeof(text));
		clv_rd_str(&rd, text, sizeof(text));
		clv_rd_u32(&rd);
		clv_rd_copy(&rd, r->instead, sizeof(r->instead));
		r->done = clv_rd_u8(&rd);
		clv_rd_copy(&rd, r->in_use, sizeof(r->in_use));
		clv_rd_str(&rd, r->why, sizeof(r->why));
		ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	}
	rig_hang_up(i, c);
	return result;
}

/* What m1 is told when it fetches. */
static const char *
told_by(unsigned i, const uint8_t *thumb)
{
	fetch_by(i, 0, thumb);
	return rig.node[i].answer.text;
}

START_TEST(a_host_is_asked_for_another_certificate)
{
	unsigned notices = rig.node[0].notices;
	struct rotation r = {.done = 9};
	uint8_t was[32];

	own(was);
	ck_assert_str_eq(told_by(0, was), "");
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 0);
	ck_assert_mem_eq(r.in_use, was, 32);
	ck_assert_mem_eq(r.instead, was, 32);
	ck_assert(sodium_is_zero(r.instead + 32, 32));
	ck_assert_uint_eq(rig.node[0].notices, notices + 1);
	ck_assert_str_eq(rig.node[0].notice.text, "m1");
	ck_assert_str_eq(told_by(0, was), CLV_WIRE_ROTATE);
	/* the question once more asks for no other one */
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(rig.node[0].notices, notices + 1);
	(void)ask_by(0, 0, was, was, second, false);
	rig_run(1000);
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 0);
	ck_assert_str_eq(r.why,
	    "the signed list has its next certificate; it comes with that when "
	    "it next fetches");
	ck_assert_str_eq(told_by(0, was), CLV_WIRE_ROTATE);
	ck_assert_str_eq(told_by(0, second), "");
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 1);
	ck_assert_mem_eq(r.in_use, second, 32);
	/* and instead of that one, from which it has not changed for good */
	memset(r.instead, 0, sizeof(r.instead));
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_mem_eq(r.instead, second, 32);
	ck_assert_str_eq(told_by(0, second), CLV_WIRE_ROTATE);
}
END_TEST

START_TEST(after_a_compromise_the_next_one_is_not_enough)
{
	struct rotation r = {.done = 9};
	uint8_t was[32];

	own(was);
	(void)ask_by(0, 0, was, was, second, false);
	rig_run(PARTY_CERT_EVERY_MS);
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	memset(r.instead, 0, sizeof(r.instead));
	ck_assert_int_eq(rotate(0, "m1", true, &r), CLV_OK);
	ck_assert_mem_eq(r.instead, was, 32);
	ck_assert_mem_eq(r.instead + 32, second, 32);
	ck_assert_str_eq(told_by(0, second), CLV_WIRE_ROTATE_NOW);
	/* nor is less than that enough, for whoever asks */
	ck_assert_int_eq(
	    rotate(0, "m1", false, &(struct rotation){.done = 9}), CLV_OK);
	ck_assert_str_eq(told_by(0, was), CLV_WIRE_ROTATE_NOW);
	ck_assert_int_eq(rotate(0, "m1", true, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 0);
	/* less is not done in its name meanwhile: the former one would stay */
	(void)ask_by(0, 0, was, was, third, false);
	rig_run(1000);
	check_member(was, second);
	(void)ask_by(0, 0, was, was, third, true);
	rig_run(1000);
	check_member(third, NULL);
	ck_assert_int_eq(rotate(0, "m1", true, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 0); /* it has not come with it yet */
	ck_assert_str_eq(told_by(0, third), "");
	ck_assert_int_eq(rotate(0, "m1", true, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 1);
	ck_assert_mem_eq(r.in_use, third, 32);
}
END_TEST

START_TEST(who_waits_for_it_asks_the_next_server)
{
	struct rotation r = {.done = 9}, nothing = {.done = 9};
	uint8_t was[32];

	own(was);
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_int_eq(rotate(1, "m1", false, &r), CLV_E_NOT_ACTIVE);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(rotate(1, "m1", false, &nothing), CLV_E_AWAY);
	ck_assert_int_eq(rotate(1, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 0);
	ck_assert_str_eq(told_by(1, was), "");
	ck_assert_int_eq(rotate(1, "m1", false, &r), CLV_OK);
	ck_assert_str_eq(told_by(1, was), CLV_WIRE_ROTATE);
	(void)ask_by(1, 0, was, was, second, false);
	rig_run(1000);
	ck_assert_str_eq(told_by(1, second), "");
	ck_assert_int_eq(rotate(1, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(r.done, 1);
}
END_TEST

START_TEST(a_host_that_is_not_live_is_not_asked)
{
	struct rotation r = {.done = 9};
	uint8_t was[32];

	own(was);
	ck_assert_int_eq(rotate(0, "m9", false, &r), CLV_E_NOT_FOUND);
	ck_assert_str_eq(rig.said, "no host m9 is enrolled");
	ck_assert_int_eq(rotate(0, "m2", false, &r), CLV_E_AWAY);
	ck_assert_str_eq(rig.said,
	    "m2 is not live: it has not fetched from this active server yet");
	rig_run(MEMBERS_LIVE_MS + 1000);
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_E_AWAY);
	ck_assert_str_eq(told_by(0, was), "");
}
END_TEST

/* A host asks for one certificate after another; or all that there are do. */
static unsigned
lists_written_by(unsigned hosts, unsigned seconds)
{
	const struct clv_identity *id[] = {rig.member[0], rig.member[1],
	    rig.node[0].id, rig.node[1].id, rig.node[2].id};
	uint64_t before = version();
	uint8_t thumb[5][32];
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_holds_format(&(struct clv_wire_holds){1, before}, &b);
	for (unsigned i = 0; i < hosts; i++) {
		struct clv_wire_request q = {.op = CLV_WIRE_FETCH,
		    .payload = b.data,
		    .payload_len = b.len};

		rig_thumb(id[i], thumb[i]);
		rig_request(0, id[i], NULL, &q);
		rig_settle();
	}
	for (unsigned s = 0; s < seconds; s++) {
		for (unsigned i = 0; i < hosts; i++) {
			struct clv_wire_request q = {
			    .op = CLV_WIRE_CERT, .seen_list = version()};
			unsigned name[] = {i, s};
			uint8_t other[32];

			crypto_hash_sha256(
			    other, (const uint8_t *)name, sizeof(name));
			clv_buf_reset(&b);
			clv_buf_raw(&b, thumb[i], 32);
			clv_buf_raw(&b, other, 32);
			clv_buf_u8(&b, 0);
			q.payload = b.data;
			q.payload_len = b.len;
			rig_request(0, id[i], NULL, &q);
			rig_settle();
		}
		rig_run(1000);
	}
	clv_buf_fini(&b);
	return (unsigned)(version() - before);
}

START_TEST(an_enrolled_host_cannot_have_list_after_list_written)
{
	struct rotation r = {.done = 9};
	unsigned n = lists_written_by(1, 600);

	ck_assert_uint_ge(n, PARTY_CERT_BURST + 9);
	ck_assert_uint_le(n, PARTY_CERT_BURST + 10);
	/* one that is wanted is written, and then none again */
	while (lists_written_by(1, 1) == 0)
		ck_assert_uint_lt(n++, 100);
	ck_assert_int_eq(rotate(0, "m1", false, &r), CLV_OK);
	ck_assert_uint_eq(lists_written_by(1, 20), 1);
}
END_TEST

START_TEST(nor_can_all_of_them_together)
{
	unsigned n;

	rig_keeper(0)->own_config.refresh_interval = 5;
	n = lists_written_by(5, 200);
	ck_assert_uint_ge(n, PARTY_CERT_BURST_ALL + 25);
	ck_assert_uint_le(n, PARTY_CERT_BURST_ALL + 40);
}
END_TEST

/* ---- a hundred of them ---- */

/* A host at work: it asks all the time, on connections of its own. */
struct worker {
	unsigned member;
	uint8_t thumb[32];    /* that it uses, */
	uint8_t next_one[32]; /* and is about to; zeros: none */
	uint8_t pins[2][32];  /* that the server may have, as it was told, */
	uint64_t list;	      /* in this one */
	unsigned made, requests;
};

/* Everything that fails when a real one would. */
static void
work(struct worker *w)
{
	const uint8_t *served = rig.node[0].tls_thumb;
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_buf b;
	const char *text;

	ck_assert(memcmp(served, w->pins[0], 32) == 0 ||
		  memcmp(served, w->pins[1], 32) == 0);
	clv_buf_init(&b);
	clv_wire_holds_format(&(struct clv_wire_holds){1, w->list}, &b);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(0, rig.member[w->member], w->thumb, &q);
	rig_settle();
	clv_buf_fini(&b);
	ck_assert_int_eq(rig.node[0].answer.result, CLV_OK);
	w->requests++;
	text = rig.node[0].answer.text;
	if (text[0] != '\0' && sodium_is_zero(w->next_one, 32)) {
		ck_assert_str_eq(text, CLV_WIRE_ROTATE);
		w->made++;
		memcpy(w->next_one, w->thumb, 32);
		crypto_hash_sha256(w->next_one, w->next_one, 32);
	}
	w->list = rig.node[0].answer.list_version;
	memcpy(
	    w->pins, rig_keeper(0)->secret.list->cert_thumb, sizeof(w->pins));
	if (!sodium_is_zero(w->next_one, 32) &&
	    ask_by(0, w->member, w->thumb, w->thumb, w->next_one, false) ==
		CLV_OK) {
		memcpy(w->thumb, w->next_one, 32);
		memset(w->next_one, 0, 32);
	}
}

static void
work_for(struct worker w[static 2], unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++) {
		work(&w[i % 2]);
		rig_run(200);
	}
}

static void
rotate_server(struct worker w[static 2], unsigned n)
{
	char cert[16];

	snprintf(cert, sizeof(cert), "cert %u", n);
	ck_assert_int_eq(next(0, (uint8_t)(100 + n), cert, false), CLV_OK);
	for (unsigned i = 0; tlsnext_phase(rig_db_list()) != TLSNEXT_NONE;
	     i++) {
		ck_assert_uint_lt(i, 500);
		work_for(w, 2);
	}
}

static void
rotate_worker(struct worker w[static 2], unsigned n)
{
	struct rotation r = {.done = 0};

	for (unsigned i = 0; r.done == 0; i++) {
		ck_assert_uint_lt(i, 500);
		ck_assert_int_eq(
		    rotate(0, n % 2 == 0 ? "m1" : "m2", false, &r), CLV_OK);
		work_for(w, 2);
	}
	ck_assert_mem_eq(w[n % 2].thumb, r.in_use, 32);
}

START_TEST(a_hundred_rotations_fail_no_request)
{
	struct worker w[2] = {{.member = 0}, {.member = 1}};
	uint8_t server[32];

	for (unsigned i = 0; i < rig.n; i++)
		rig_keeper(i)->own_config.refresh_interval = 5;
	for (unsigned i = 0; i < 2; i++) {
		rig_thumb(rig.member[i], w[i].thumb);
		memcpy(w[i].pins, rig_db_list()->cert_thumb, sizeof(w[i].pins));
		w[i].list = version();
	}
	work_for(w, 2);
	for (unsigned n = 0; n < 50; n++) {
		memcpy(server, rig_db_list()->cert_thumb[0], 32);
		rotate_server(w, n);
		ck_assert_mem_ne(rig_db_list()->cert_thumb[0], server, 32);
		rotate_worker(w, n);
	}
	ck_assert_uint_eq(w[0].made + w[1].made, 50);
	ck_assert_uint_gt(w[0].requests + w[1].requests, 2000);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_cert");
	TCase *t = tcase_create("change");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, each_node_tells_the_certificate_that_it_has);
	tcase_add_test(t, live_hosts_know_the_next_one_before_it_is_used);
	tcase_add_test(t, server_nodes_are_waited_for_while_they_live);
	tcase_add_test(t, nobody_is_waited_for_who_does_not_live);
	tcase_add_test(t, what_was_published_outlives_its_server);
	tcase_add_test(t, when_all_have_come_nobody_else_is_waited_for);
	tcase_add_test(t, the_next_server_drops_the_old_one);
	tcase_add_test(t, a_compromise_waits_for_nobody);
	tcase_add_test(t, both_places_may_be_taken);
	tcase_add_test(t, a_repeated_request_is_done_once);
	tcase_add_test(t, nobody_but_the_server_itself_goes_on);
	tcase_add_test(t, a_row_that_the_system_did_not_seal_is_refused);
	tcase_add_test(t, a_next_one_without_its_row_is_never_switched_to);
	tcase_add_test(t, without_an_active_server_the_next_one_goes_on);
	tcase_add_loop_test(
	    t, a_lost_answer_is_made_good, 0, sizeof(steps) / sizeof(steps[0]));
	tcase_add_test(t, a_rotation_rewraps_both_keys);
	suite_add_tcase(s, t);
	t = tcase_create("own");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, a_member_changes_its_own_certificate);
	tcase_add_test(t, the_next_server_accepts_both_and_drops_the_old_one);
	tcase_add_test(
	    t, a_member_whose_key_is_known_is_known_by_the_new_one_alone);
	tcase_add_test(t, one_change_follows_another);
	tcase_add_test(t, what_nobody_may_ask_for_is_not_written);
	tcase_add_test(t, a_server_node_changes_its_own_certificate);
	tcase_add_test(t, a_host_is_asked_for_another_certificate);
	tcase_add_test(t, after_a_compromise_the_next_one_is_not_enough);
	tcase_add_test(t, who_waits_for_it_asks_the_next_server);
	tcase_add_test(t, a_host_that_is_not_live_is_not_asked);
	tcase_add_test(t, an_enrolled_host_cannot_have_list_after_list_written);
	tcase_add_test(t, nor_can_all_of_them_together);
	suite_add_tcase(s, t);
	t = tcase_create("many");
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, a_hundred_rotations_fail_no_request);
	suite_add_tcase(s, t);
	t = tcase_create("killed");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_killed_server_is_followed_by_one_that_goes_on);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
