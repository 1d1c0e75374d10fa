/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "keeper_wrap.h"

struct rig rig;
char rig_seed[64];

/* Every epoch that was ever served, and by whom. */
static struct {
	uint64_t epoch;
	uint8_t instance[16];
} owners[8192];
static unsigned owner_count;

/* Every epoch that was ever proposed, and the highest that was served by then:
 * a majority knows that one, so it must be below (S1). With two nodes each may
 * go on alone, when they do not see each other. */
static struct {
	uint64_t epoch, served;
} proposals[8192];
static unsigned proposal_count;

void
rig_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: at %llu ms: %s %s\n", file, line,
	    (unsigned long long)rig.now, what, rig_seed);
	abort();
}

/* Queues. */

void
rig_put(struct rig_queue *q, unsigned type, const struct clv_buf *body)
{
	struct rig_msg *m = calloc(1, sizeof(*m));

	RIG_REQUIRE(m != NULL);
	m->type = type;
	clv_buf_init(&m->body);
	clv_buf_raw(&m->body, body->data, body->len);
	RIG_REQUIRE(clv_buf_result(&m->body) == CLV_OK);
	if (q->head == NULL)
		q->head = m;
	else
		q->last->next = m;
	q->last = m;
	q->n++;
}

struct rig_msg *
rig_take(struct rig_queue *q)
{
	struct rig_msg *m = q->head;

	if (m == NULL)
		return NULL;
	q->head = m->next;
	q->n--;
	m->next = NULL;
	return m;
}

void
rig_msg_free(struct rig_msg *m)
{
	clv_buf_fini(&m->body);
	free(m);
}

void
rig_clear(struct rig_queue *q)
{
	struct rig_msg *m;

	while ((m = rig_take(q)) != NULL)
		rig_msg_free(m);
}

/* The safety rules. */

static uint64_t
highest_served(void)
{
	uint64_t highest = 0;

	for (unsigned i = 0; i < owner_count; i++)
		if (owners[i].epoch > highest)
			highest = owners[i].epoch;
	return highest;
}

static void
note_proposal(const uint8_t *p, size_t len)
{
	struct peer_msg m;

	rig_parse(p, len, &m);
	if (m.kind != PEER_PROPOSE)
		return;
	for (unsigned i = 0; i < proposal_count; i++)
		if (proposals[i].epoch == m.epoch)
			return;
	RIG_REQUIRE(proposal_count < sizeof(proposals) / sizeof(proposals[0]));
	proposals[proposal_count].epoch = m.epoch;
	proposals[proposal_count++].served = highest_served();
}

static void
check_order(uint64_t epoch)
{
	if (rig.n < 3 || rig.few)
		return;
	for (unsigned i = 0; i < proposal_count; i++) {
		if (proposals[i].epoch != epoch)
			continue;
		RIG_REQUIRE(proposals[i].served < epoch);
		return;
	}
	RIG_REQUIRE(!"an epoch that nobody was asked about is served");
}

static void
check_owner(uint64_t epoch, const uint8_t instance[static 16])
{
	RIG_REQUIRE(epoch != 0);
	for (unsigned i = 0; i < owner_count; i++) {
		if (owners[i].epoch != epoch)
			continue;
		/* One epoch is served by one instance (S2). */
		RIG_REQUIRE(memcmp(owners[i].instance, instance, 16) == 0);
		return;
	}
	check_order(epoch);
	RIG_REQUIRE(owner_count < sizeof(owners) / sizeof(owners[0]));
	owners[owner_count].epoch = epoch;
	memcpy(owners[owner_count++].instance, instance, 16);
}

static void
check_node(struct rig_node *n)
{
	struct keeper *k = n->k;

	RIG_REQUIRE(k->seen.epoch == n->state.epoch &&
		    k->seen.list_version == n->state.list_version);
	if (k->secret.list != NULL)
		RIG_REQUIRE(k->secret.list->version >= k->seen.list_version &&
			    k->secret.list_blob.len == n->list.len);
	if (!role_serves(k->serving.state))
		return;
	/* Never without the current generation (S6). */
	RIG_REQUIRE(secret_is_proven(k));
	RIG_REQUIRE(k->node_number != 0);
	RIG_REQUIRE(k->serving.epoch <= k->seen.epoch);
	RIG_REQUIRE((k->serving.epoch & 0xff) == k->node_number);
	check_owner(k->serving.epoch, k->instance);
	/* The right to change anything is the database's to give. */
	if (serving_in_lease(k) && !rig.quiet_checks)
		RIG_REQUIRE(rig_db_took(k->serving.epoch, k->instance));
}

/* Never do two say that a member may encrypt. What a failover of the database
 * has lost it cannot tell: for one lease from then on. */
static void
check_alone(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig.n; i++)
		n += rig.node[i].k != NULL && serving_encrypts(rig.node[i].k);
	RIG_REQUIRE(n <= 1 || rig.quiet_checks || rig.forge != NULL ||
		    rig.now < rig.failover + KEEPER_LEASE_MS);
}

void
rig_check(void)
{
	for (unsigned i = 0; i < rig.n; i++)
		if (rig.node[i].k != NULL)
			check_node(&rig.node[i]);
	check_alone();
}

/* The front. */

static void
on_answer(struct rig_node *n, struct clv_rd *r)
{
	const uint8_t *p;
	size_t len;

	n->answer_conn = clv_rd_u64(r);
	p = clv_rd_bytes(r, &len);
	n->answer_close = clv_rd_u8(r) != 0;
	RIG_REQUIRE(clv_rd_end(r) == CLV_OK);
	clv_buf_reset(&n->answer_body);
	clv_buf_raw(&n->answer_body, p, len);
	RIG_REQUIRE(
	    clv_wire_answer_parse(n->answer_body.data, n->answer_body.len,
		n->k->secret.list->sign_pk, &n->answer) == CLV_OK);
	n->answers++;
	if (n->answer.epoch != 0)
		check_owner(n->answer.epoch, n->k->instance);
	if (n->answer.encrypt)
		RIG_REQUIRE(serving_encrypts(n->k));
}

static void
on_notice(struct rig_node *n, struct clv_rd *r)
{
	const uint8_t *p;
	size_t len;

	p = clv_rd_bytes(r, &len);
	RIG_REQUIRE(clv_rd_end(r) == CLV_OK);
	RIG_REQUIRE(clv_wire_answer_parse(p, len, n->k->secret.list->sign_pk,
			&n->notice) == CLV_OK);
	RIG_REQUIRE(n->notice.op == CLV_WIRE_NOTICE);
	n->notice.payload = NULL;
	n->notices++;
	check_owner(n->notice.epoch, n->k->instance);
	RIG_REQUIRE(n->notice.encrypt == serving_encrypts(n->k));
}

static void
on_listen(struct rig_node *n)
{
	struct clv_buf b;

	clv_buf_init(&b);
	n->listens++;
	n->listening = n->listen_result == CLV_OK;
	clv_buf_u32(&b, (uint32_t)n->listen_result);
	clv_buf_str(&b, "");
	rig_put(&n->from_net, CHAN_LISTENING, &b);
	clv_buf_fini(&b);
}

static void
on_cast(struct rig_node *n, struct clv_rd *r)
{
	size_t len;
	const uint8_t *p = clv_rd_bytes(r, &len);

	RIG_REQUIRE(clv_rd_end(r) == CLV_OK);
	n->casts++;
	note_proposal(p, len);
	rig_cast(n->i, p, len);
}

static void
on_tls(struct rig_node *n, struct clv_rd *r)
{
	const uint8_t *cert;
	size_t len;

	cert = clv_rd_bytes(r, &len);
	RIG_REQUIRE(cert != NULL);
	crypto_hash_sha256(n->tls_thumb, cert, len);
	n->has_tls = true;
}

static bool
is_audit(const struct clv_buf *sql)
{
	struct clv_rd r;
	uint32_t stmt;

	clv_rd_init(&r, sql->data, sql->len);
	(void)clv_rd_raw(&r, 9); /* id, lane */
	stmt = clv_rd_u32(&r);
	return stmt == CLV_STMT_PUT_AUDIT || stmt == CLV_STMT_GET_AUDIT_HEAD;
}

void
rig_on_keeper(
    struct rig_node *n, enum chan_type type, const struct clv_buf *body)
{
	struct clv_buf empty;
	struct clv_rd r;

	clv_rd_init(&r, body->data, body->len);
	clv_buf_init(&empty);
	switch (type) {
	case CHAN_SQL:
		rig_put(
		    is_audit(body) ? &n->audit_sql : &n->sql, CHAN_SQL, body);
		break;
	case CHAN_TLS: on_tls(n, &r); break;
	case CHAN_PINS: n->pins = clv_rd_u32(&r); break;
	case CHAN_JOINERS: n->joiners_s = clv_rd_u32(&r); break;
	case CHAN_LISTEN: on_listen(n); break;
	case CHAN_UNLISTEN:
		n->unlistens++;
		n->listening = false;
		rig_put(&n->from_net, CHAN_CLOSED, &empty);
		break;
	case CHAN_ANSWER: on_answer(n, &r); break;
	case CHAN_NOTICE: on_notice(n, &r); break;
	case CHAN_CAST: on_cast(n, &r); break;
	default: RIG_REQUIRE(!"a message of the front's from the keeper");
	}
}

static void
result_without_rows(
    struct rig_node *n, const struct clv_buf *sql, int result, const char *text)
{
	struct clv_buf b;
	struct clv_rd r;

	clv_rd_init(&r, sql->data, sql->len);
	clv_buf_init(&b);
	rig_result_put(&b, clv_rd_u64(&r), result, text, 0, 0);
	rig_put(&n->from_db, CHAN_SQL_RESULT, &b);
	clv_buf_fini(&b);
}

void
rig_do_sql(struct rig_node *n)
{
	struct rig_msg *m = rig_take(&n->sql);
	enum clv_stmt stmt;
	struct clv_buf b;

	if (m == NULL)
		return;
	clv_buf_init(&b);
	rig_db_do(n, &m->body, &b, &stmt);
	if (rig.forge != NULL)
		rig.forge(n, stmt, &b);
	rig_put(&n->from_db, CHAN_SQL_RESULT, &b);
	clv_buf_fini(&b);
	rig_msg_free(m);
}

void
rig_audit(struct rig_node *n)
{
	struct rig_msg *m;
	enum clv_stmt stmt;
	struct clv_buf b;
	struct clv_rd r;

	while (n->k != NULL && n->db_mode == RIG_DB_UP && !n->hold_audit &&
	       (m = rig_take(&n->audit_sql)) != NULL) {
		clv_buf_init(&b);
		rig_db_do(n, &m->body, &b, &stmt);
		if (n->lose_audit) {
			clv_buf_reset(&b);
			clv_rd_init(&r, m->body.data, m->body.len);
			rig_result_put(&b, clv_rd_u64(&r), CLV_E_UNKNOWN,
			    "connection lost", 0, 0);
		}
		clv_rd_init(&r, b.data, b.len);
		n->fn(n->arg, CHAN_SQL_RESULT, &r);
		clv_buf_fini(&b);
		rig_msg_free(m);
		rig_check();
	}
}

void
rig_lose_sql(struct rig_node *n)
{
	struct rig_msg *m = rig_take(&n->sql);
	enum clv_stmt stmt;
	struct clv_buf b;

	if (m == NULL)
		return;
	clv_buf_init(&b);
	rig_db_do(n, &m->body, &b, &stmt);
	clv_buf_fini(&b);
	result_without_rows(n, &m->body, CLV_E_UNKNOWN, "connection lost");
	rig_msg_free(m);
}

void
rig_db_mode(unsigned i, enum rig_db_mode mode)
{
	struct rig_node *n = &rig.node[i];
	struct rig_msg *m;
	struct clv_buf b;

	if (mode == RIG_DB_DOWN)
		while ((m = rig_take(&n->audit_sql)) != NULL) {
			result_without_rows(
			    n, &m->body, CLV_E_DATABASE_AWAY, "lost");
			rig_msg_free(m);
		}
	if (mode == RIG_DB_DOWN) /* what was not sent is refused */
		while ((m = rig_take(&n->sql)) != NULL) {
			result_without_rows(
			    n, &m->body, CLV_E_DATABASE_AWAY, "lost");
			rig_msg_free(m);
		}
	if (n->db_mode != mode &&
	    (mode == RIG_DB_DOWN || n->db_mode == RIG_DB_DOWN)) {
		clv_buf_init(&b);
		clv_buf_u8(&b, mode != RIG_DB_DOWN);
		clv_buf_str(&b, mode == RIG_DB_DOWN ? "connection lost" : "");
		rig_put(&n->from_db, CHAN_DATABASE, &b);
		clv_buf_fini(&b);
	}
	n->db_mode = mode;
}

void
rig_db_mode_all(enum rig_db_mode mode)
{
	for (unsigned i = 0; i < rig.n; i++)
		rig_db_mode(i, mode);
}

/* Cluster. */

void
rig_cluster(struct rig_node *n)
{
	uint32_t members = 0;
	struct clv_buf b;

	if (n->silent || n->k == NULL)
		return;
	for (unsigned i = 0; i < rig.n; i++)
		members += rig.node[i].k != NULL && rig.node[i].side == n->side;
	if (rig.members != 0)
		members = rig.members;
	clv_buf_init(&b);
	clv_buf_u8(&b, true);
	clv_buf_u8(&b, true);
	clv_buf_u8(&b, members * 2 > rig.n || rig.n <= 2);
	clv_buf_u32(&b, members);
	clv_buf_u64(&b, rig.now);
	rig_put(&n->from_cpg, CHAN_CLUSTER, &b);
	clv_buf_fini(&b);
}

void
rig_membership(void)
{
	for (unsigned i = 0; i < rig.n; i++)
		rig_cluster(&rig.node[i]);
}

void
rig_side(unsigned i, unsigned side)
{
	rig.node[i].side = side;
	rig_membership();
}

void
rig_cast(unsigned from, const void *p, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_raw(&b, p, len);
	rig_put(&rig.heard, 0, &b);
	if (rig.heard.n > 256)
		rig_msg_free(rig_take(&rig.heard));
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		if (n->k == NULL || n->side != rig.node[from].side)
			continue;
		clv_buf_reset(&b);
		clv_buf_u32(&b, from + 1);
		clv_buf_u8(&b, i == from);
		clv_buf_bytes(&b, p, len);
		rig_put(&n->from_cpg, CHAN_DELIVER, &b);
	}
	clv_buf_fini(&b);
}

void
rig_replay(unsigned i, const struct rig_msg *m, uint32_t from)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u32(&b, from);
	clv_buf_u8(&b, 0);
	clv_buf_bytes(&b, m->body.data, m->body.len);
	rig_put(&rig.node[i].from_cpg, CHAN_DELIVER, &b);
	clv_buf_fini(&b);
}

/* Time. */

void
rig_deliver(struct rig_node *n, struct rig_queue *q)
{
	struct rig_msg *m = rig_take(q);
	struct clv_rd r;

	if (m == NULL)
		return;
	if (n->k != NULL) {
		clv_rd_init(&r, m->body.data, m->body.len);
		n->fn(n->arg, (enum chan_type)m->type, &r);
		rig_check();
	}
	rig_msg_free(m);
}

void
rig_tell(unsigned i, unsigned type, struct clv_buf *body)
{
	rig_put(&rig.node[i].from_net, type, body);
	clv_buf_fini(body);
}

static bool
settle_node(struct rig_node *n)
{
	bool did = false;

	if (n->sql.head != NULL && n->db_mode == RIG_DB_UP) {
		rig_do_sql(n);
		did = true;
	}
	if ((n->from_net.head != NULL && !n->hold_net) ||
	    n->from_cpg.head != NULL ||
	    (n->from_db.head != NULL && !n->hold_db))
		did = true;
	if (!n->hold_net)
		rig_deliver(n, &n->from_net);
	rig_deliver(n, &n->from_cpg);
	if (!n->hold_db)
		rig_deliver(n, &n->from_db);
	rig_audit(n);
	if (n->k != NULL && rig_due(n)) {
		rig_fire(n->loop, rig_first_timer(n->loop));
		rig_check();
		did = true;
	}
	return did;
}

bool
rig_due(struct rig_node *n)
{
	struct loop_timer *t = rig_first_timer(n->loop);

	return t != NULL && t->at <= rig.now;
}

void
rig_settle(void)
{
	bool did = true;

	/* Who goes on for ever without time passing goes round in circles. */
	for (unsigned round = 0; did; round++) {
		RIG_REQUIRE(round < 2000);
		did = false;
		for (unsigned i = 0; i < rig.n; i++)
			did |= settle_node(&rig.node[i]);
	}
}

void
rig_fire_one(struct rig_node *n)
{
	rig_fire(n->loop, rig_first_timer(n->loop));
	rig_check();
}

void
rig_timers(void)
{
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		while (n->k != NULL && rig_due(n)) {
			rig_fire(n->loop, rig_first_timer(n->loop));
			rig_check();
		}
	}
}

uint64_t
rig_next(uint64_t end)
{
	for (unsigned i = 0; i < rig.n; i++) {
		struct loop_timer *t = NULL;

		if (rig.node[i].k != NULL)
			t = rig_first_timer(rig.node[i].loop);
		if (t != NULL && t->at < end)
			end = t->at;
	}
	return rig.tick < end ? rig.tick : end;
}

void
rig_run(uint64_t ms)
{
	uint64_t end = rig.now + ms;

	rig_settle();
	while (rig.now < end) {
		rig.now = rig_next(end);
		if (rig.now >= rig.tick) {
			rig.tick += 1000;
			rig_membership();
		}
		rig_settle();
	}
}

/* Keepers. */

struct keeper *
rig_keeper(unsigned i)
{
	return rig.node[i].k;
}

void
rig_start(unsigned i)
{
	struct rig_node *n = &rig.node[i];
	struct keeper_fds fds = {FD_BASE + 100 * (int)i,
	    FD_BASE + 100 * (int)i + FD_FRONT, FD_BASE + 100 * (int)i + FD_LINK,
	    -1, -1, .machine = n->machine};
	struct clv_buf b;

	RIG_REQUIRE(n->k == NULL);
	n->k = calloc(1, sizeof(*n->k));
	RIG_REQUIRE(n->k != NULL);
	RIG_REQUIRE(keeper_init(n->k, &n->config, &fds) == CLV_OK);
	n->loop = n->k->loop;
	secret_prove(n->k);
	rig_membership();
	clv_buf_init(&b);
	clv_buf_u8(&b, n->db_mode != RIG_DB_DOWN);
	clv_buf_str(&b, n->db_mode != RIG_DB_DOWN ? "" : "no connection");
	rig_put(&n->from_db, CHAN_DATABASE, &b);
	clv_buf_fini(&b);
}

void
rig_kill(unsigned i)
{
	struct rig_node *n = &rig.node[i];

	if (n->k == NULL)
		return;
	keeper_fini(n->k);
	free(n->k);
	n->k = NULL;
	n->loop = NULL;
	n->listening = n->has_tls = false;
	rig_clear(&n->sql);
	rig_clear(&n->audit_sql);
	rig_clear(&n->from_db);
	rig_clear(&n->from_cpg);
	rig_clear(&n->from_net);
	for (int c = 0; c < RIG_CONNS; c++)
		RIG_REQUIRE(!n->conns[c].used);
	rig_membership();
}

void
rig_fini(void)
{
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *n = &rig.node[i];

		rig_kill(i);
		rig_clear(&n->sql);
		rig_clear(&n->audit_sql);
		rig_clear(&n->from_db);
		rig_clear(&n->from_cpg);
		rig_clear(&n->from_net);
		clv_identity_free(&n->id);
		clv_buf_fini(&n->list);
		clv_buf_fini(&n->heads[0]);
		clv_buf_fini(&n->heads[1]);
		clv_buf_fini(&n->audit);
		clv_buf_fini(&n->successor);
		clv_buf_fini(&n->marks);
		clv_buf_fini(&n->answer_body);
	}
	rig_clear(&rig.heard);
	rig_db_fini();
	clv_identity_free(&rig.member[0]);
	clv_identity_free(&rig.member[1]);
	clv_keyring_free(&rig.keyring);
	RIG_REQUIRE(clv_guard_used(rig.guard) == 0);
	clv_guard_free_all(&rig.guard);
	memset(&rig, 0, sizeof(rig));
	owner_count = proposal_count = 0;
}
