/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/*
 * Everything at once, in an order that a seed decides: messages that are late,
 * nodes that die, databases that hang, lose and fail over, partitions,
 * promotions, administration. The rig checks the safety rules after each event
 * (one epoch is served by one process, nobody serves without the current
 * generation, nothing on disk goes back, no list is written but under the
 * epoch in force, the lease is for an epoch that the database gave). At the
 * end all is mended: then everybody was answered and the system serves.
 *
 * KEEPER_SEED=N runs that one, KEEPER_SEEDS=N so many.
 */
#define STEPS 1500
#define NAMES 6

static uint64_t state;
static uint8_t next_id;
static bool lost; /* the database has forgotten something */
static struct {
	bool revoked, asked; /* revocation answered; asked for again since */
	int node, conn;	     /* of the revocation under way, conn < 0: none */
} names[NAMES];

static unsigned
pick(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 11) % n);
}

static struct rig_node *
any_node(void)
{
	return &rig.node[pick(rig.n)];
}

/* A connection that has its answer is closed, now and then one without. */
static void
tidy(struct rig_node *n, bool all)
{
	for (int c = 0; c < RIG_CONNS; c++) {
		struct rig_conn *conn = &n->conns[c];

		if (conn->used && (conn->answers > 0 || all)) {
			for (int i = 0; i < NAMES; i++) {
				if (names[i].node != (int)n->i ||
				    names[i].conn != c)
					continue;
				names[i].conn = -1;
				names[i].revoked = conn->answers > 0 &&
						   conn->result == CLV_OK &&
						   !names[i].asked;
			}
			rig_hang_up(n->i, c);
		}
	}
}

static int
ask(struct rig_node *n, enum ctl_op op, const void *p, size_t len)
{
	int c, used = 0;

	tidy(n, false);
	for (c = 0; c < RIG_CONNS; c++)
		used += n->conns[c].used;
	if (used > RIG_CONNS / 2)
		return -1;
	c = rig_connect(n->i);
	rig_send(n->i, c, op, p, len);
	return c;
}

static void
kill_node(struct rig_node *n)
{
	tidy(n, true);
	rig_kill(n->i);
}

static void
administrate(struct rig_node *n)
{
	unsigned which = pick(NAMES), what = pick(12);
	struct clv_buf b;
	char name[16];
	int c;

	snprintf(name, sizeof(name), "app%u", which);
	next_id = (uint8_t)(next_id % 200 + 1);
	if (what < 5) {
		rig_member_add(&b, next_id, name);
		names[which].asked = true;
		names[which].revoked = false;
	} else if (what < 9) {
		rig_named(&b, ADMIN_MEMBER_REVOKE, next_id, name);
	} else if (what == 9) {
		rig_named(&b, ADMIN_NODE_REVOKE, next_id, "n3");
		if (pick(10) != 0)
			what = 12;
		else
			rig.few = true;
	} else if (what == 10) {
		rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, next_id);
	} else {
		rig_admin_begin(&b, ADMIN_ROTATE_FINISH, next_id);
		clv_buf_u32(&b, 1 + clv_list_current(rig_db_list())->number);
		clv_buf_str(&b, "n1:/root/b.age");
	}
	if (what < 12) {
		c = ask(n, CTL_ADMIN, b.data, b.len);
		if (c >= 0 && what >= 5 && what < 9 && names[which].conn < 0) {
			names[which].node = (int)n->i;
			names[which].conn = c;
			names[which].asked = false;
		}
	}
	clv_buf_fini(&b);
}

static void
replay(struct rig_node *n)
{
	struct rig_msg *m = rig.heard.head;

	if (m == NULL)
		return;
	for (unsigned i = pick(rig.heard.n); i > 0; i--)
		m = m->next;
	rig_replay(n->i, m, 1);
}

static void
fetch(struct rig_node *n)
{
	const struct clv_wire_holds holds = {1, 1};
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_buf evidence, payload;

	clv_buf_init(&evidence);
	clv_buf_init(&payload);
	clv_wire_holds_format(&holds, &payload);
	q.payload = payload.data;
	q.payload_len = payload.len;
	if (n->answers > 0 && clv_wire_evidence_cut(n->answer_body.data,
				  n->answer_body.len, &evidence) == CLV_OK) {
		q.evidence = evidence.data;
		q.evidence_len = evidence.len;
	}
	rig_request(any_node()->i, rig.member[pick(2)], NULL, &q);
	clv_buf_fini(&payload);
	clv_buf_fini(&evidence);
}

static void
disturb(struct rig_node *n)
{
	struct ctl_start start = {.resource = "mss"};

	if (n->k == NULL) {
		rig_start(n->i);
		ask(n, CTL_START, &start, sizeof(start));
		return;
	}
	switch (pick(24)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4: ask(n, CTL_PROMOTE, NULL, 0); break;
	case 5:
	case 6: ask(n, CTL_DEMOTE, NULL, 0); break;
	case 7:
		if (pick(3) == 0)
			ask(n, CTL_STOP, NULL, 0);
		break;
	case 8: ask(n, CTL_START, &start, sizeof(start)); break;
	case 9:
		if (pick(2) == 0)
			kill_node(n);
		break;
	case 10: rig_side(n->i, pick(2)); break;
	case 11: rig_db_mode(n->i, (enum rig_db_mode)pick(3)); break;
	case 12: rig_db_mode(n->i, RIG_DB_UP); break;
	case 13: rig_lose_sql(n); break;
	case 14: n->silent = pick(3) == 0; break;
	case 15: n->disk_full = pick(4) == 0; break;
	case 16: n->listen_result = pick(4) == 0 ? CLV_E_IN_USE : 0; break;
	case 17: replay(n); break;
	case 18: fetch(n); break;
	case 19: tidy(n, true); break;
	case 20:
		if (pick(8) == 0) {
			rig_db_failover();
			lost = true;
		}
		break;
	case 21: rig_db_save(); break;
	default: administrate(n);
	}
}

static void
advance(void)
{
	uint64_t next = rig_next(rig.now + 1 + pick(200));

	if (next > rig.now)
		rig.now = next;
	rig_check();
	if (rig.now >= rig.tick) {
		rig.tick = rig.now + 1000;
		rig_membership();
	}
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		if (n->k != NULL && rig_due(n))
			rig_fire_one(n);
	}
}

/* Something that is on its way arrives; false when nothing is. */
static bool
arrive(void)
{
	struct rig_node *n = any_node();

	rig_audit(n);
	for (unsigned i = pick(4), tries = 0; tries < 4; i++, tries++) {
		if (i % 4 == 0 && n->from_cpg.head != NULL)
			return rig_deliver(n, &n->from_cpg), true;
		if (i % 4 == 1 && n->from_db.head != NULL)
			return rig_deliver(n, &n->from_db), true;
		if (i % 4 == 2 && n->from_net.head != NULL)
			return rig_deliver(n, &n->from_net), true;
		if (i % 4 == 3 && n->sql.head != NULL &&
		    n->db_mode == RIG_DB_UP)
			return rig_do_sql(n), true;
	}
	return false;
}

/* What was broken is mended now and then, or little would happen. */
static void
calm(void)
{
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		n->silent = n->disk_full = false;
		n->listen_result = CLV_OK;
		if (n->k == NULL)
			disturb(n);
		if (pick(3) != 0)
			rig_db_mode(i, RIG_DB_UP);
		if (pick(3) != 0)
			rig_side(i, 0);
	}
	rig_run(pick(3000));
}

static void
step(void)
{
	unsigned what = pick(100);

	if (what < 80) {
		if (!arrive() && pick(4) == 0)
			advance();
	} else if (what < 91) {
		advance();
	} else if (what < 93) {
		calm();
	} else {
		disturb(any_node());
	}
}

static void
mend(void)
{
	struct ctl_start start = {.resource = "mss"};

	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		n->silent = n->disk_full = false;
		n->side = 0;
		n->listen_result = CLV_OK;
		if (n->k == NULL)
			rig_start(i);
		rig_db_mode(i, RIG_DB_UP);
		ask(n, CTL_START, &start, sizeof(start));
	}
	rig_membership();
	rig_run(45000);
}

/* No request without its answer, nothing half-done. */
static void
check_idle(struct rig_node *n)
{
	for (int c = 0; c < RIG_CONNS; c++)
		RIG_REQUIRE(!n->conns[c].used || n->conns[c].answers == 1);
	RIG_REQUIRE(n->k->admin == NULL && n->k->questions == NULL);
	RIG_REQUIRE(!n->k->secret.fetching && n->k->db.known);
	RIG_REQUIRE(!role_promoting(n->k->serving.state));
	RIG_REQUIRE(n->k->witness.fn == NULL);
	RIG_REQUIRE(n->listening == role_serves(n->k->serving.state));
	RIG_REQUIRE(n->k->serving.listening == n->listening);
}

static void
check_end(void)
{
	unsigned serving = 0;

	for (unsigned i = 0; i < rig.n; i++) {
		check_idle(&rig.node[i]);
		tidy(&rig.node[i], false);
		serving += role_serves(rig_state(i));
	}
	RIG_REQUIRE(serving <= 1);
	for (int i = 0; i < NAMES && !lost; i++) {
		char name[16];
		const struct clv_list_member *m;

		snprintf(name, sizeof(name), "app%d", i);
		m = clv_list_member_by_name(rig_db_list(), name);
		RIG_REQUIRE(!names[i].revoked || m == NULL || m->revoked);
	}
	if (serving == 0)
		RIG_REQUIRE(rig_promote(0) == CLV_OK || lost);
	rig_run(20000);
	if (lost) /* older than its nodes: then nobody may change anything */
		return;
	serving = 0;
	for (unsigned i = 0; i < rig.n; i++)
		serving += serving_in_lease(rig_keeper(i));
	RIG_REQUIRE(serving == 1);
}

static void
run(uint64_t seed)
{
	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	next_id = 0;
	lost = false;
	memset(names, 0, sizeof(names));
	for (int i = 0; i < NAMES; i++)
		names[i].conn = -1;
	rig_init(pick(4) == 0 ? 2 : 3);
	for (unsigned i = 0; i < rig.n; i++)
		rig_up(i);
	rig_db_save();
	for (int i = 0; i < STEPS; i++)
		step();
	mend();
	check_end();
	rig_fini();
}

START_TEST(no_order_of_events_breaks_a_rule)
{
	const char *one = getenv("KEEPER_SEED"), *many = getenv("KEEPER_SEEDS");
	uint64_t n = many != NULL ? strtoull(many, NULL, 10) : 40;

	if (one != NULL) {
		run(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= n; seed++) {
		snprintf(rig_seed, sizeof(rig_seed), "KEEPER_SEED=%llu",
		    (unsigned long long)seed);
		run(seed);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keeper_random");
	TCase *t = tcase_create("order");

	tcase_set_timeout(t, 0);
	tcase_add_test(t, no_order_of_events_breaks_a_rule);
	suite_add_tcase(s, t);
	return suite_run(s);
}
