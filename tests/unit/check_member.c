/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"
#include "daemon/front/tls.h"

#include "accounts.h"
#include "core.h"
#include "vault_rig.h"
#include "vault_wrap.h"

/*
 * The member role with a server that the test plays: what the keeper sends to
 * its front is taken, and answered, or not.
 */
static struct clv_keyring *keyring;
static struct clv_list *list;
static struct server {
	uint64_t epoch, list_version;
	uint32_t generation;
	bool encrypt, silent, lies_about_key;
	int result;
	uint32_t permit_ms;
	const char *scope;
	unsigned pages;	      /* of APPS */
	bool wrong_order;     /* ... and what is in them */
	uint64_t head;	      /* counter of shop */
	unsigned list_moves;  /* with each page, so often */
	unsigned many;	      /* so many applications, instead of two */
	const char *users;    /* of bank and shop */
	uint8_t thumb[2][32]; /* that it names; zeros: none */
	uint8_t certs[2][32]; /* accepted of the member itself */
	bool keeps_certs;     /* as they are, whatever it is asked */
	const char *wish;     /* said to who fetches, or renews */
	bool is_older;	      /* does not know of RENEW */
} server;
static uint8_t uplink_cert[32]; /* that the front was told to use */
static unsigned uplinks;
static struct clv_buf question; /* a frame; empty: none */
static struct clv_wire_request q;
static unsigned asked[32];
static struct clv_head told_head; /* of shop, by the member */
static struct clv_wire_holds holds;
static int64_t wall;

static void
on_uplink_order(const struct clv_buf *body)
{
	char host[254];
	const uint8_t *cert;
	struct clv_rd rd;
	size_t len;

	clv_rd_init(&rd, body->data, body->len);
	clv_rd_str(&rd, host, sizeof(host));
	clv_rd_u16(&rd);
	cert = clv_rd_bytes(&rd, &len);
	crypto_hash_sha256(uplink_cert, cert, len);
	uplinks++;
}

int __wrap_keeper_send(
    struct keeper *k, enum chan_type type, const struct clv_buf *body);
int
__wrap_keeper_send(
    struct keeper *k, enum chan_type type, const struct clv_buf *body)
{
	struct clv_rd rd;
	const uint8_t *p;
	size_t len;

	(void)k;
	if (type == CHAN_UPLINK)
		on_uplink_order(body);
	if (type != CHAN_ASK)
		return CLV_OK;
	clv_rd_init(&rd, body->data, body->len);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	clv_buf_reset(&question);
	clv_buf_raw(&question, p, len);
	ck_assert_int_eq(
	    clv_wire_request_parse(question.data, question.len, &q), CLV_OK);
	ck_assert_int_eq(clv_wire_request_verify(question.data, question.len,
			     rig.k.identity->sign_pk),
	    CLV_OK);
	asked[q.op]++;
	return CLV_OK;
}

time_t __wrap_time(time_t *ret);
time_t
__wrap_time(time_t *ret)
{
	if (ret != NULL)
		*ret = (time_t)wall;
	return (time_t)wall;
}

static struct clv_wire_answer
head_of(uint8_t op)
{
	struct clv_wire_answer a = {.op = op,
	    .result = server.result,
	    .epoch = server.epoch,
	    .list_version = server.list_version,
	    .generation = server.generation,
	    .encrypt = server.encrypt,
	    .server = "n1"};
	uint8_t key[CLV_KEY_LEN];

	memcpy(a.system_id, clv_keyring_system_id(keyring), 16);
	ck_assert_int_eq(clv_keyring_subkey(keyring, server.generation,
			     CLV_SUBKEY_DISTRIBUTION, key),
	    CLV_OK);
	if (server.lies_about_key)
		key[0] ^= 1;
	clv_key_check(key, a.check);
	return a;
}

static void
deliver(const struct clv_buf *frame)
{
	struct clv_buf b;
	struct clv_rd rd;

	clv_buf_init(&b);
	clv_buf_bytes(&b, frame->data, frame->len);
	clv_rd_init(&rd, b.data, b.len);
	member_on_reply(&rig.k, &rd);
	clv_buf_fini(&b);
}

static void
send_answer(struct clv_wire_answer *a, const struct clv_keyring *by)
{
	struct clv_buf frame;

	clv_buf_init(&frame);
	ck_assert_int_eq(clv_wire_answer_format(a, by, &frame), CLV_OK);
	deliver(&frame);
	clv_buf_fini(&frame);
}

/* The longest access list of units, which nobody has to look up. */
static const char *
long_acl(void)
{
	static char acl[CLV_ACL_MAX];
	size_t len = 0;

	for (unsigned i = 0; len + 20 < sizeof(acl); i++)
		len += (size_t)sprintf(
		    acl + len, "%sunit:u%03u.service", i > 0 ? "," : "", i);
	return acl;
}

static void
put_many(struct clv_buf *b, const char *after)
{
	unsigned at = after[0] == '\0' ? 0 : (unsigned)atoi(after + 3) + 1;
	unsigned n = server.many - at < 25 ? server.many - at : 25;
	char name[16];

	clv_buf_str(b, "user:root");
	clv_buf_str(b, "");
	clv_buf_raw(b, server.thumb, sizeof(server.thumb));
	clv_buf_u8(b, at + n < server.many);
	clv_buf_u32(b, n);
	for (; n > 0; n--, at++) {
		sprintf(name, "app%04u", at % 10000);
		clv_buf_str(b, name);
		clv_buf_str(b, long_acl());
		clv_buf_str(b, long_acl());
		clv_buf_u32(b, 3);
	}
}

/* bank and shop; in pages when there are several. */
static void
put_apps(struct clv_buf *b, const char *after)
{
	static const char *const names[] = {"bank", "shop"};
	uint32_t n = 0;
	bool more = false;
	struct clv_buf apps;

	clv_buf_init(&apps);
	for (size_t i = 0; i < 2; i++) {
		if (strcmp(names[i], after) <= 0)
			continue;
		if (n == 1 && server.pages > 1) {
			more = true;
			break;
		}
		clv_buf_str(&apps, names[server.wrong_order ? 1 - i : i]);
		clv_buf_str(&apps, "user:root");
		clv_buf_str(&apps, server.users);
		clv_buf_u32(&apps, 3);
		n++;
	}
	clv_buf_str(b, "user:root");
	clv_buf_str(b, "");
	clv_buf_raw(b, server.thumb, sizeof(server.thumb));
	clv_buf_u8(b, more);
	clv_buf_u32(b, n);
	clv_buf_raw(b, apps.data, apps.len);
	clv_buf_fini(&apps);
	if (server.list_moves > 0) {
		server.list_moves--;
		server.list_version++;
	}
}

static void
put_heads(const uint8_t *p, size_t len, struct clv_buf *b)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX], ours;
	size_t n;

	ck_assert_int_eq(clv_wire_heads_parse(p, len, heads, &n), CLV_OK);
	for (size_t i = 0; i < n; i++)
		if (strcmp(heads[i].app, "shop") == 0)
			told_head = heads[i].head;
	memset(&ours, 0, sizeof(ours));
	strcpy(ours.app, "shop");
	ours.head.counter = server.head;
	ours.head.linked = server.head > 0 ? server.head - 1 : 0;
	memset(
	    ours.head.link, server.head > 0 ? 's' : 0, sizeof(ours.head.link));
	ck_assert_int_eq(
	    clv_wire_heads_format(&ours, server.head > 0, b), CLV_OK);
}

static void
put_keys(struct clv_buf *b)
{
	struct clv_wire_terms terms = {60, server.permit_ms};

	ck_assert_int_eq(
	    clv_wire_holds_parse(q.payload, q.payload_len, &holds), CLV_OK);
	ck_assert_int_eq(clv_wire_keys_seal(rig.k.guard, keyring, list,
			     server.scope, &terms, rig.k.identity->box_pk, b),
	    CLV_OK);
}

static void
renew(struct clv_buf *b)
{
	ck_assert_uint_gt(q.payload_len, CLV_WIRE_HOLDS_LEN);
	ck_assert_int_eq(
	    clv_wire_holds_parse(q.payload, CLV_WIRE_HOLDS_LEN, &holds),
	    CLV_OK);
	put_heads(q.payload + CLV_WIRE_HOLDS_LEN,
	    q.payload_len - CLV_WIRE_HOLDS_LEN, b);
}

/* As party_cert.c does it: what it was asked for is there the next time. */
static int
take_cert(void)
{
	struct clv_rd rd;
	const uint8_t *current, *next;
	bool now;

	clv_rd_init(&rd, q.payload, q.payload_len);
	current = clv_rd_raw(&rd, 32);
	next = clv_rd_raw(&rd, 32);
	now = clv_rd_u8(&rd) != 0;
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_mem_eq(current, uplink_cert, 32);
	if (memcmp(server.certs[now ? 0 : 1], next, 32) == 0)
		return CLV_OK;
	if (!server.keeps_certs) {
		memcpy(server.certs[0], now ? next : current, 32);
		memcpy(server.certs[1], next, 32);
		if (now)
			memset(server.certs[1], 0, 32);
		server.list_version++;
	}
	return CLV_E_AGAIN;
}

/* Answer the question that is there. */
static void
answer(const struct clv_keyring *by)
{
	struct clv_wire_answer a = head_of(q.op);
	struct clv_buf payload;
	struct clv_rd rd;
	char after[CLV_NAME_MAX] = "";

	memcpy(a.nonce, q.nonce, sizeof(a.nonce));
	strcpy(a.name, q.name);
	clv_buf_init(&payload);
	clv_rd_init(&rd, q.payload, q.payload_len);
	if (server.wish != NULL &&
	    (q.op == CLV_WIRE_FETCH || q.op == CLV_WIRE_RENEW))
		strcpy(a.text, server.wish);
	if (server.result != CLV_OK)
		strcpy(a.text, "the test says no");
	else if (q.op == CLV_WIRE_FETCH)
		put_keys(&payload);
	else if (q.op == CLV_WIRE_RENEW)
		renew(&payload);
	else if (q.op == CLV_WIRE_HEADS)
		put_heads(q.payload, q.payload_len, &payload);
	else if (q.op == CLV_WIRE_CERT)
		a.result = take_cert();
	else if (q.op == CLV_WIRE_CHAIN)
		clv_wire_chain_format(list, &payload);
	else if (q.op == CLV_WIRE_APPS) {
		clv_rd_str(&rd, after, sizeof(after));
		if (server.many > 0)
			put_many(&payload, after);
		else
			put_apps(&payload, after);
	}
	a.payload = payload.data;
	a.payload_len = payload.len;
	clv_buf_reset(&question);
	send_answer(&a, by);
	clv_buf_fini(&payload);
}

static void
serve(void)
{
	for (unsigned n = 0; question.len > 0 && !server.silent; n++) {
		if (server.is_older && q.op == CLV_WIRE_RENEW)
			break;
		ck_assert_uint_lt(n, 300);
		answer(keyring);
	}
}

/* Time passes, and the server answers. */
static void
run(uint64_t ms)
{
	for (serve(); ms > 0; ms -= ms < 50 ? ms : 50) {
		rig_advance(ms < 50 ? ms : 50);
		serve();
	}
}

static void
uplink_is(bool up, int result, const char *why)
{
	struct clv_buf b;
	struct clv_rd rd;

	clv_buf_init(&b);
	clv_buf_u8(&b, up);
	clv_buf_u32(&b, (uint32_t)result);
	clv_buf_str(&b, why);
	clv_rd_init(&rd, b.data, b.len);
	member_on_uplink(&rig.k, &rd);
	clv_buf_fini(&b);
}

static void
uplink(bool up, const char *why)
{
	uplink_is(up, up ? CLV_OK : CLV_E_NO_SERVER, why);
}

static struct member *m;

static int
start(void)
{
	int r = member_init(&rig.k);

	m = rig.k.member;
	return r;
}

static void
restart(void)
{
	member_fini(&rig.k);
	clv_buf_reset(&question);
	ck_assert_int_eq(start(), CLV_OK);
}

static void
set_up(void)
{
	rig_init();
	vault_free(&rig.vault);
	clv_guard_put(rig.k.guard, rig.member.keys);
	rig.member.keys = NULL;
	rig.k.member = NULL;
	guard = rig.k.guard;
	rig.k.identity = new_identity("m1");
	keyring = new_keyring();
	list = new_list(keyring);
	memcpy(rig.k.system_pk, clv_keyring_sign_pk(keyring), CLV_SIGN_PK_LEN);
	strcpy(rig.config.state_dir, rig.dir);
	sodium_bin2base64(rig.config.system, sizeof(rig.config.system),
	    rig.k.system_pk, CLV_SIGN_PK_LEN, sodium_base64_VARIANT_ORIGINAL);
	rig.config.refresh_interval = 60;
	strcpy(rig.config.cache, "none");
	rig.config.cache_max_age = 3600;
	server = (struct server){.epoch = 257,
	    .list_version = 7,
	    .generation = 1,
	    .encrypt = true,
	    .permit_ms = 65000,
	    .scope = "all",
	    .pages = 1,
	    .users = "user:root,unit:shop.service"};
	memset(asked, 0, sizeof(asked));
	memset(&told_head, 0, sizeof(told_head));
	wall = 1800000000;
	clv_buf_init(&question);
	ck_assert_int_eq(start(), CLV_OK);
}

static void
tear_down(void)
{
	static const char *const files[] = {"state", "state.bak", "evidence",
	    "cache.age", "pins", "successor", "tls.crt", "tls.key", "tls.next"};
	char path[128];

	member_fini(&rig.k);
	expiry_fini(&rig.k);
	clv_list_free(&list);
	clv_keyring_free(&keyring);
	clv_identity_free(&rig.k.identity);
	clv_buf_fini(&question);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rig.dir, files[i]);
		(void)unlink(path);
	}
	rig_fini();
}

static void
make_fresh(void)
{
	uplink(true, "");
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(m->step, MEMBER_IDLE);
}

static uint32_t
seal_under(void)
{
	static struct rig_got got;
	uint32_t version = 0;

	memset(&got, 0, sizeof(got));
	vault_seal(m->vault, "shop", "", "x", 1, rig_on_reply, &got);
	rig_settle();
	ck_assert_msg(got.result == CLV_OK, "%s", got.text);
	ck_assert_int_eq(
	    clv_record_key_version(got.value, got.len, &version), CLV_OK);
	return version;
}

static int
may_write(const char *part)
{
	char why[256] = "";
	int r = member_may_write(m, why);

	ck_assert_msg(strstr(why, part) != NULL, "%s", why);
	return r;
}

static bool
has_key(const char *app)
{
	uint8_t key[CLV_KEY_LEN], own[CLV_KEY_LEN], dist[CLV_KEY_LEN];

	if (member_app_key(&rig.k, app, 1, key) != CLV_OK)
		return false;
	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, dist);
	clv_app_key(dist, clv_keyring_system_id(keyring), app, own);
	return memcmp(key, own, sizeof(key)) == 0;
}

static bool
exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	return access(path, F_OK) == 0;
}

/* Refreshing. */

/* New data keys are not told; whoever seals asks after each refresh. */
START_TEST(a_new_data_key_seals_from_the_next_refresh_on)
{
	memcpy(rig.system_id, clv_keyring_system_id(keyring), 16);
	ck_assert_int_eq(clv_keyring_subkey(
			     keyring, 1, CLV_SUBKEY_DISTRIBUTION, rig.dist[0]),
	    CLV_OK);
	rig_drop_app("shop");
	rig_add_app("shop", 1);
	make_fresh();
	ck_assert_uint_eq(seal_under(), 1);
	rig_add_key("shop", 2, 1);
	ck_assert_uint_eq(seal_under(), 1);
	run(66000);
	ck_assert_uint_eq(seal_under(), 2);
}
END_TEST

START_TEST(a_refresh_brings_all)
{
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_int_eq(may_write("has no keys"), CLV_E_AWAY);
	ck_assert(!has_key("shop"));
	make_fresh();
	ck_assert_int_eq(may_write(""), CLV_OK);
	ck_assert(has_key("shop"));
	ck_assert_uint_eq(m->app_count, 2);
	ck_assert_ptr_nonnull(member_app_find(m, "shop"));
	ck_assert_uint_eq(member_app_find(m, "bank")->keep, 3);
	ck_assert_ptr_null(member_app_find(m, "none"));
	ck_assert_uint_eq(member_epoch(&rig.k), 257);
	ck_assert_mem_eq(member_system_id(&rig.k),
	    clv_keyring_system_id(keyring), CLV_SYSTEM_ID_LEN);
	/* It says what it holds now, by asking once more. */
	ck_assert_uint_eq(asked[CLV_WIRE_RENEW], 1);
	ck_assert_uint_eq(holds.generation, 1);
	ck_assert_uint_eq(holds.list_version, 7);
	run(66000); /* and again within an interval */
	ck_assert_uint_ge(asked[CLV_WIRE_RENEW], 2);
	ck_assert_uint_le(asked[CLV_WIRE_RENEW], 3);
	ck_assert_uint_eq(asked[CLV_WIRE_FETCH], 1);
	ck_assert_uint_eq(asked[CLV_WIRE_APPS], 1);
	ck_assert_uint_eq(asked[CLV_WIRE_HEADS], 1);
	ck_assert_int_eq(may_write(""), CLV_OK);
}
END_TEST

/* With or without keys. */
static unsigned
refreshes(void)
{
	return asked[CLV_WIRE_FETCH] + asked[CLV_WIRE_RENEW];
}

START_TEST(another_list_is_a_reason_to_fetch)
{
	make_fresh();
	run(1000);
	server.list_version++; /* no notice came */
	member_refresh_begin(m);
	run(100);
	ck_assert_uint_eq(asked[CLV_WIRE_FETCH], 2);
	ck_assert_uint_eq(m->apps_version, 8);
	ck_assert_uint_eq(holds.list_version, 8);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

START_TEST(keys_that_the_list_does_not_name_any_more_are_fetched)
{
	make_fresh();
	run(1000);
	server.lies_about_key = true;
	member_refresh_begin(m);
	run(100);
	ck_assert_uint_eq(asked[CLV_WIRE_FETCH], 2);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("shop"));
}
END_TEST

START_TEST(an_older_server_is_asked_for_keys)
{
	make_fresh();
	server.is_older = true;
	run(66000 + MEMBER_TRY_MS);
	ck_assert_uint_ge(asked[CLV_WIRE_FETCH], 2);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(may_write(""), CLV_OK);
}
END_TEST

START_TEST(counters_that_do_not_fit_are_asked_for_besides)
{
	unsigned had;

	server.many = CLV_WIRE_HEADS_MAX + 1;
	make_fresh();
	run(1000);
	had = asked[CLV_WIRE_HEADS];
	member_refresh_begin(m);
	run(100);
	ck_assert_uint_eq(asked[CLV_WIRE_HEADS], had + 1);
	ck_assert_uint_eq(asked[CLV_WIRE_FETCH], 1);
	ck_assert_int_eq(m->step, MEMBER_IDLE);
}
END_TEST

/* Whom the member accepts as its server. */
static void
check_pins(int first, int second)
{
	ck_assert_uint_eq(m->pins.thumb[0][0], first);
	ck_assert_uint_eq(m->pins.thumb[0][31], first);
	ck_assert_uint_eq(m->pins.thumb[1][0], second);
	ck_assert_uint_eq(m->pins.thumb[1][31], second);
}

static void
name_certs(int first, int second)
{
	memset(server.thumb[0], first, 32);
	memset(server.thumb[1], second, 32);
	server.list_version++;
	run(66000);
}

static void
pin_by_hand(const char *pair)
{
	for (unsigned i = 0; i < 32; i++)
		memcpy(rig.config.server_thumbprint + 2 * i, pair, 3);
}

START_TEST(the_server_is_known_by_what_it_said_last)
{
	pin_by_hand("01");
	restart();
	check_pins(1, 0);
	make_fresh();
	check_pins(1, 0); /* of a server that names none */
	name_certs(1, 2);
	check_pins(1, 2);
	ck_assert_uint_eq(holds.list_version, server.list_version);
	restart();
	check_pins(1, 2);
	make_fresh();
	name_certs(2, 1);
	name_certs(2, 0);
	check_pins(2, 0);
	restart();
	check_pins(2, 0);
	pin_by_hand("09"); /* that is what counts then */
	restart();
	check_pins(9, 0);
}
END_TEST

START_TEST(a_list_whose_pins_are_not_on_disk_is_not_acknowledged)
{
	pin_by_hand("01");
	restart();
	make_fresh();
	rig.config.state_dir[0] = '\0'; /* there is no such place */
	name_certs(1, 2);
	ck_assert_uint_eq(m->apps_version, 7);
	ck_assert_uint_eq(holds.list_version, 7);
	check_pins(1, 0);
	strcpy(rig.config.state_dir, rig.dir);
	run(66000);
	ck_assert_uint_eq(holds.list_version, 8);
	check_pins(1, 2);
}
END_TEST

START_TEST(a_damaged_file_of_pins_leaves_the_configurations)
{
	struct server_pins pins;
	char path[128];

	pin_by_hand("01");
	memset(&pins, 2, sizeof(pins));
	ck_assert_int_eq(server_pins_save(&rig.config, &pins), CLV_OK);
	restart();
	check_pins(2, 2);
	snprintf(path, sizeof(path), "%s/pins", rig.dir);
	ck_assert_int_eq(truncate(path, 50), 0);
	ck_assert_int_eq(server_pins_load(&rig.config, &pins), CLV_E_DAMAGED);
	restart();
	check_pins(1, 0);
	rig.config.server_thumbprint[0] = '\0';
	ck_assert_int_eq(server_pins_load(&rig.config, &pins), CLV_E_CONFIG);
	ck_assert_int_eq(server_pins_save(&rig.config, &pins), CLV_E_CONFIG);
}
END_TEST

/* It is held from the first, and the one that is current stays in use. */
START_TEST(key_that_is_only_published_is_fetched_and_held)
{
	uint8_t key[CLV_KEY_LEN];
	uint32_t number;

	make_fresh();
	ck_assert_int_eq(clv_keyring_add(keyring, &number), CLV_OK);
	add_generation(list, keyring, number, CLV_GEN_PUBLISHED);
	server.list_version++;
	run(66000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(m->generation, 1);
	ck_assert_uint_eq(m->newest, 2);
	ck_assert_uint_eq(holds.generation, 2); /* and the server hears it */
	ck_assert_int_eq(member_app_key(&rig.k, "shop", 1, key), CLV_OK);
	ck_assert_int_eq(member_app_key(&rig.k, "shop", 2, key), CLV_OK);
	ck_assert_int_eq(may_write(""), CLV_OK);
}
END_TEST

START_TEST(a_member_of_some_applications)
{
	uint8_t key[CLV_KEY_LEN];

	server.scope = "shop";
	make_fresh();
	ck_assert_int_eq(member_app_key(&rig.k, "shop", 1, key), CLV_OK);
	ck_assert_int_eq(
	    member_app_key(&rig.k, "shop", 2, key), CLV_E_GENERATION);
	ck_assert_int_eq(member_app_key(&rig.k, "bank", 1, key), CLV_E_DENIED);
}
END_TEST

START_TEST(away_after_two_tries_and_back)
{
	make_fresh();
	server.silent = true;
	run(66000);
	run(MEMBER_TRY_MS); /* one try has failed at the most */
	run(2 * MEMBER_TRY_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_int_eq(
	    may_write("cannot be reached since 2027-01-15"), CLV_E_AWAY);
	ck_assert_int_eq(may_write("no answer in time"), CLV_E_AWAY);
	ck_assert(has_key("shop"));
	rig.config.encrypt_when_away = true;
	ck_assert_int_eq(may_write(""), CLV_OK);
	rig.config.encrypt_when_away = false;
	server.silent = false;
	run(MEMBER_AGAIN_MS + MEMBER_TRY_MS + 100);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(may_write(""), CLV_OK);
}
END_TEST

START_TEST(one_lost_answer_is_no_absence)
{
	make_fresh();
	server.silent = true;
	member_refresh_begin(m);
	run(MEMBER_TRY_MS - 100);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	server.silent = false;
	clv_buf_reset(&question);
	run(200);
	ck_assert_int_eq(m->step, MEMBER_IDLE);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

START_TEST(a_lost_connection_is_asked_over_again)
{
	make_fresh();
	server.silent = true;
	member_refresh_begin(m);
	uplink(false, "connection reset");
	uplink(true, "");
	server.silent = false;
	run(100);
	ck_assert_int_eq(m->step, MEMBER_IDLE);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	uplink(false, "connection refused");
	run(2 * MEMBER_TRY_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_int_eq(may_write("connection refused"), CLV_E_AWAY);
	uplink(true, "");
	run(100);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

START_TEST(a_refusal_is_told)
{
	make_fresh();
	server.result = CLV_E_BUSY;
	member_refresh_begin(m);
	run(100);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_int_eq(may_write("server n1: the test says no"), CLV_E_AWAY);
	ck_assert(has_key("shop"));
}
END_TEST

/* A server behind. */

static void
is_refused_until_newer(void)
{
	unsigned n;

	member_refresh_begin(m);
	ck_assert_uint_eq(q.evidence_len, 0);
	run(100);
	ck_assert_ptr_nonnull(strstr(rig.log, "is behind"));
	ck_assert_int_eq(m->step, MEMBER_RENEW);
	n = asked[CLV_WIRE_FETCH];
	server.silent = true; /* look at the next question */
	run(MEMBER_EVIDENCE_MS);
	ck_assert_uint_eq(asked[CLV_WIRE_FETCH], n + 1);
	ck_assert_uint_gt(q.evidence_len, 0);
	server.silent = false;
}

START_TEST(a_lower_epoch_is_refused)
{
	struct clv_wire_answer shown;

	make_fresh();
	server.epoch = 256;
	is_refused_until_newer();
	ck_assert_int_eq(clv_wire_evidence_parse(q.evidence, q.evidence_len,
			     rig.k.system_pk, &shown),
	    CLV_OK);
	ck_assert_uint_eq(shown.epoch, 257);
	run(10 * MEMBER_TRY_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_int_eq(may_write("is behind: epoch 256"), CLV_E_AWAY);
	server.epoch = 513; /* it took a newer one */
	run(2 * MEMBER_AGAIN_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(member_epoch(&rig.k), 513);
}
END_TEST

START_TEST(a_lower_list_is_refused)
{
	make_fresh();
	server.list_version = 6;
	server.epoch = 300;
	is_refused_until_newer();
	server.list_version = 8;
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(m->apps_version, 8);
}
END_TEST

START_TEST(a_lower_generation_is_refused)
{
	struct state s;

	make_fresh();
	ck_assert_int_eq(state_load(rig.dir, &s), CLV_OK);
	s.generation = 2; /* which it held before a rotation was undone */
	ck_assert_int_eq(state_save(rig.dir, &s), CLV_OK);
	restart();
	server.epoch = 513;
	server.list_version = 9;
	uplink(true, "");
	run(1000);
	ck_assert_ptr_nonnull(strstr(rig.log, "is behind"));
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert(!has_key("shop"));
	ck_assert_int_eq(may_write("no keys"), CLV_E_AWAY);
}
END_TEST

START_TEST(what_was_seen_survives)
{
	make_fresh();
	restart();
	ck_assert_uint_eq(member_epoch(&rig.k), 257);
	ck_assert_uint_gt(m->evidence.len, 0);
	server.epoch = 256;
	uplink(true, "");
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_int_eq(may_write("no keys"), CLV_E_AWAY);
	server.epoch = 257;
	run(3 * MEMBER_TRY_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

static void
damage(const char *name)
{
	char path[128];
	FILE *f;
	int was;

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	ck_assert_int_eq(chmod(path, 0600), 0);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	fseek(f, -1, SEEK_END);
	was = fgetc(f);
	fseek(f, -1, SEEK_END);
	fputc(was + 1, f);
	fclose(f);
}

START_TEST(what_was_seen_stands_twice)
{
	make_fresh();
	damage("state");
	restart();
	ck_assert_uint_eq(member_epoch(&rig.k), 257);
	damage("state");
	damage("state.bak");
	member_fini(&rig.k);
	ck_assert_int_eq(start(), CLV_E_DAMAGED);
	ck_assert_ptr_nonnull(strstr(rig.log, "not guessed"));
}
END_TEST

/* Forged and replayed. */

START_TEST(a_forged_answer_is_refused)
{
	struct clv_keyring *other = new_keyring();

	uplink(true, "");
	ck_assert_uint_gt(question.len, 0);
	/* of another system's key */
	struct clv_wire_answer a = head_of(CLV_WIRE_FETCH);

	memcpy(a.nonce, q.nonce, sizeof(a.nonce));
	strcpy(a.name, q.name);
	send_answer(&a, other);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_int_eq(m->step, MEMBER_CHAIN); /* is it the system's? */
	answer(keyring);
	ck_assert_ptr_nonnull(strstr(rig.log, "not signed by the system"));
	ck_assert_int_eq(m->step, MEMBER_FETCH);
	/* to another question, and to another member */
	rig.log[0] = '\0';
	memcpy(a.nonce, q.nonce, sizeof(a.nonce));
	a.nonce[0] ^= 1;
	send_answer(&a, keyring);
	ck_assert_ptr_nonnull(strstr(rig.log, "was refused"));
	rig.log[0] = '\0';
	a.nonce[0] ^= 1;
	strcpy(a.name, "m2");
	send_answer(&a, keyring);
	ck_assert_ptr_nonnull(strstr(rig.log, "was refused"));
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_int_eq(m->step, MEMBER_FETCH);
	clv_keyring_free(&other);
	/* of another operation */
	a = head_of(CLV_WIRE_HEADS);
	memcpy(a.nonce, q.nonce, sizeof(a.nonce));
	strcpy(a.name, q.name);
	send_answer(&a, keyring);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

/* The system's signing key is changed. */

static void
hand_over(void)
{
	struct clv_succession s;
	uint32_t number;

	ck_assert_int_eq(clv_keyring_add(keyring, &number), CLV_OK);
	clv_keyring_add_next(keyring);
	ck_assert_int_eq(clv_succession_make(keyring, 1, &s), CLV_OK);
	ck_assert_int_eq(clv_keyring_follow(keyring, s.new_pk), CLV_OK);
	*clv_list_add_succession(list) = s;
}

static void
check_pin(const uint8_t *pk)
{
	uint8_t on_disk[CLV_SIGN_PK_LEN];

	ck_assert_mem_eq(rig.k.system_pk, pk, CLV_SIGN_PK_LEN);
	ck_assert_int_eq(system_pin_load(&rig.config, on_disk), CLV_OK);
	ck_assert_mem_eq(on_disk, pk, CLV_SIGN_PK_LEN);
}

START_TEST(a_new_signing_key_is_followed)
{
	make_fresh();
	hand_over();
	run(MEMBER_AGAIN_MS + 70000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(asked[CLV_WIRE_CHAIN], 1);
	check_pin(clv_keyring_sign_pk(keyring));
	ck_assert_str_eq(rig.log, "");
	/* and while it is away, several */
	uplink(false, "gone");
	hand_over();
	hand_over();
	uplink(true, "");
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(asked[CLV_WIRE_CHAIN], 2);
	check_pin(clv_keyring_sign_pk(keyring));
	ck_assert(has_key("shop"));
}
END_TEST

/* It comes first of all by a notice. */
START_TEST(a_notice_by_a_new_key_is_a_reason_to_follow)
{
	struct clv_wire_answer a = head_of(CLV_WIRE_NOTICE);

	make_fresh();
	member_refresh_begin(m);
	run(100);
	hand_over();
	send_answer(&a, keyring);
	ck_assert_uint_eq(asked[CLV_WIRE_CHAIN], 0); /* one a second */
	run(MEMBER_SOON_MS + 100);
	ck_assert_uint_eq(asked[CLV_WIRE_CHAIN], 1);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	check_pin(clv_keyring_sign_pk(keyring));
}
END_TEST

static void
forget_first(void)
{
	list->succession_count--;
	memmove(list->successions, list->successions + 1,
	    list->succession_count * sizeof(*list->successions));
}

/* Its chain is true, and leads from another key than ours: somebody else's, or
 * too much was forgotten there. */
START_TEST(a_key_that_does_not_follow_is_refused)
{
	uint8_t pin[CLV_SIGN_PK_LEN];

	make_fresh();
	memcpy(pin, rig.k.system_pk, sizeof(pin));
	hand_over();
	hand_over();
	forget_first();
	run(140000);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_ptr_nonnull(strstr(m->failure, "claviger settings pin"));
	check_pin(pin);
	ck_assert_uint_gt(asked[CLV_WIRE_CHAIN], 1);
	ck_assert_uint_lt(asked[CLV_WIRE_CHAIN], 40);
	ck_assert(has_key("shop"));
}
END_TEST

/* Whoever answers has the old chain, and not the key to which it leads; or
 * plays an answer once more. */
START_TEST(a_chain_alone_proves_nothing)
{
	struct clv_keyring *other = new_keyring();
	struct clv_wire_answer a;
	struct clv_buf payload;
	uint8_t pin[CLV_SIGN_PK_LEN];

	memcpy(pin, rig.k.system_pk, sizeof(pin));
	make_fresh();
	hand_over();
	run(MEMBER_SOON_MS);
	a = head_of(CLV_WIRE_NOTICE);
	send_answer(&a, keyring);
	ck_assert_int_eq(m->step, MEMBER_CHAIN);
	a = head_of(CLV_WIRE_CHAIN);
	memcpy(a.nonce, q.nonce, sizeof(a.nonce));
	strcpy(a.name, q.name);
	clv_buf_init(&payload);
	clv_wire_chain_format(list, &payload);
	a.payload = payload.data;
	a.payload_len = payload.len;
	send_answer(&a, other);
	check_pin(pin);
	ck_assert_int_eq(m->step, MEMBER_IDLE);
	clv_buf_reset(&question);
	run(MEMBER_AGAIN_MS);
	check_pin(clv_keyring_sign_pk(keyring));
	hand_over();
	run(MEMBER_SOON_MS);
	memcpy(pin, rig.k.system_pk, sizeof(pin));
	send_answer(&a, keyring); /* nobody has asked */
	check_pin(pin);
	clv_buf_fini(&payload);
	clv_keyring_free(&other);
}
END_TEST

/* Pinned anew by hand: the file is about another key. */
START_TEST(the_configuration_is_where_the_chain_begins)
{
	uint8_t pk[CLV_SIGN_PK_LEN];

	make_fresh();
	hand_over();
	run(MEMBER_AGAIN_MS + 70000);
	check_pin(clv_keyring_sign_pk(keyring));
	memset(pk, 9, sizeof(pk));
	sodium_bin2base64(rig.config.system, sizeof(rig.config.system), pk,
	    sizeof(pk), sodium_base64_VARIANT_ORIGINAL);
	memset(pk, 0, sizeof(pk));
	ck_assert_int_eq(system_pin_load(&rig.config, pk), CLV_OK);
	ck_assert_uint_eq(pk[0], 9);
	damage("successor");
	ck_assert_int_eq(system_pin_load(&rig.config, pk), CLV_E_DAMAGED);
	ck_assert_uint_eq(pk[0], 9);
	strcpy(rig.config.system, "no key");
	ck_assert_int_eq(system_pin_load(&rig.config, pk), CLV_E_CONFIG);
	ck_assert_int_eq(system_pin_save(&rig.config, pk), CLV_E_CONFIG);
}
END_TEST

START_TEST(keys_that_the_list_does_not_name_are_refused)
{
	server.lies_about_key = true;
	uplink(true, "");
	run(100);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert(!has_key("shop"));
}
END_TEST

/* No file may grow: as on a full disk. */
static void
disk_is_full(bool full)
{
	struct rlimit lim;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = full ? 0 : lim.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

START_TEST(with_a_full_disk_a_host_reads_on)
{
	make_fresh();
	disk_is_full(true);
	member_refresh_begin(m); /* nothing new: nothing to write */
	run(1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(may_write(""), CLV_OK);
	server.list_version = 8;
	member_refresh_begin(m);
	run(1000);
	disk_is_full(false);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("shop"));
	ck_assert_int_eq(
	    may_write("state cannot be written: File too large"), CLV_E_AWAY);
	ck_assert_uint_eq(m->apps_version, 7);
	run(MEMBER_AGAIN_MS + 1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_uint_eq(m->apps_version, 8);
	restart();
	ck_assert_uint_eq(m->seen.list_version, 8);
}
END_TEST

START_TEST(revoked_hosts_lose_their_keys)
{
	static const int results[] = {CLV_E_REVOKED, CLV_E_UNKNOWN_PEER};

	strcpy(rig.config.cache, "sealed");
	for (size_t i = 0; i < 2; i++) {
		make_fresh();
		ck_assert(exists("cache.age"));
		server.result = results[i];
		member_refresh_begin(m);
		run(100);
		ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
		ck_assert(!has_key("shop"));
		ck_assert_ptr_null(m->keys);
		ck_assert(!exists("cache.age"));
		ck_assert_int_eq(may_write("the test says no"), CLV_E_AWAY);
		server.result = CLV_OK; /* enrolled again */
		run(MEMBER_AGAIN_MS + 1000);
		ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	}
}
END_TEST

/* Notices. */

static unsigned
refreshes_after_notice_to(const char *name)
{
	struct clv_wire_answer a = head_of(CLV_WIRE_NOTICE);
	unsigned n = refreshes();

	strcpy(a.text, name);
	send_answer(&a, keyring);
	run(MEMBER_JITTER_MS + 1);
	return refreshes() - n;
}

static unsigned
refreshes_after_notice(void)
{
	return refreshes_after_notice_to("");
}

START_TEST(a_notice_is_a_reason_to_ask)
{
	unsigned had;

	make_fresh();
	run(1000);
	ck_assert_uint_eq(refreshes_after_notice(), 0); /* nothing new */
	server.list_version++;
	ck_assert_uint_ge(refreshes_after_notice(), 1);
	ck_assert_uint_eq(m->apps_version, 8);
	run(1000);
	server.encrypt = false;
	ck_assert_uint_ge(refreshes_after_notice(), 1);
	ck_assert_int_eq(may_write("for reading only"), CLV_E_AWAY);
	run(1000);
	server.list_version = 3; /* an old one, played again */
	ck_assert_uint_eq(refreshes_after_notice(), 0);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	server.list_version = 8;
	ck_assert_uint_eq(refreshes_after_notice_to("m2"), 0);
	had = refreshes();
	ck_assert_uint_eq(refreshes_after_notice_to("m1"), 1);
	/* however often it is played again, once a second */
	for (unsigned i = 0; i < 100; i++)
		(void)refreshes_after_notice_to("m1");
	ck_assert_uint_le(refreshes() - had, 25);
}
END_TEST

START_TEST(the_list_is_old_from_the_notice_on_until_it_is_here)
{
	struct clv_wire_answer a;

	make_fresh();
	run(1000);
	ck_assert(!member_list_is_old(m));
	server.list_version++;
	a = head_of(CLV_WIRE_NOTICE);
	send_answer(&a, keyring);
	ck_assert(member_list_is_old(m));
	run(MEMBER_JITTER_MS + 1000);
	ck_assert_uint_eq(m->apps_version, 8);
	ck_assert(!member_list_is_old(m));
}
END_TEST

START_TEST(who_misses_a_key_does_not_flood_the_server)
{
	unsigned n;

	make_fresh();
	run(2000);
	n = refreshes();
	for (unsigned i = 0; i < 200; i++) {
		member_refresh_soon(&rig.k);
		run(10);
	}
	ck_assert_uint_ge(refreshes(), n + 2);
	ck_assert_uint_le(refreshes(), n + 4);
}
END_TEST

/* Permits. */

START_TEST(a_permit_ends)
{
	server.permit_ms = 5000;
	make_fresh();
	ck_assert_int_eq(may_write(""), CLV_OK);
	server.silent = true;
	run(5000);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(may_write("for too long"), CLV_E_AWAY);
	ck_assert(has_key("shop"));
}
END_TEST

START_TEST(no_permit_is_endless)
{
	server.permit_ms = CLV_WIRE_REFRESH_MAX * 1000u;
	make_fresh();
	ck_assert_uint_le(m->permit_until_ms, rig.now + MEMBER_PERMIT_MAX_MS);
}
END_TEST

/* Applications and heads. */

START_TEST(applications_come_in_pages)
{
	server.pages = 2;
	make_fresh();
	ck_assert_uint_eq(asked[CLV_WIRE_APPS], 2);
	ck_assert_uint_eq(m->app_count, 2);
	ck_assert_ptr_nonnull(member_app_find(m, "bank"));
	ck_assert_ptr_nonnull(member_app_find(m, "shop"));
}
END_TEST

START_TEST(a_list_that_changes_between_pages)
{
	server.pages = 2;
	server.list_moves = 1;
	make_fresh();
	ck_assert_uint_eq(m->app_count, 2);
	run(2000);
	ck_assert_uint_eq(m->apps_version, 8);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

START_TEST(pages_out_of_order_are_refused)
{
	server.wrong_order = true;
	uplink(true, "");
	run(100);
	ck_assert_uint_eq(m->app_count, 0);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
}
END_TEST

static int64_t
user(size_t i)
{
	const struct auth_id *id = &member_app_find(m, "shop")->users.ids[i];

	return id->known ? (int64_t)id->id : -1;
}

START_TEST(names_are_looked_up_at_each_refresh)
{
	server.users = "user:eve,group:eve,unit:shop.service,user:ada";
	make_fresh();
	ck_assert_int_eq(user(0), -1);
	ck_assert_int_eq(user(3), 1001);
	accounts_set("eve", 3001); /* made later, */
	run(66000);
	ck_assert_int_eq(user(0), 3001);
	ck_assert_int_eq(user(1), 3001);
	accounts_set("eve", 3002); /* with another number, */
	run(66000);
	ck_assert_int_eq(user(0), 3002);
	ck_assert_int_eq(user(3), 1001);
	server.silent = true;
	accounts_set("eve", ACCOUNTS_GONE); /* and gone, */
	run(66000 + 2 * MEMBER_TRY_MS + MEMBER_NAMES_AWAY_MS);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert_int_eq(user(0), -1);
	accounts_set("eve", 3003); /* also while the server is away. */
	accounts_asked = 0;
	run(MEMBER_NAMES_AWAY_MS + MEMBER_AGAIN_MS + 2 * MEMBER_TRY_MS);
	ck_assert_int_eq(user(0), 3003);
	ck_assert_uint_le(accounts_asked, 8);
}
END_TEST

START_TEST(names_stay_while_nobody_can_tell)
{
	server.users = "user:ada";
	make_fresh();
	accounts_fail = EIO;
	server.list_version++;
	server.users = "user:bob,user:ada";
	run(66000);
	ck_assert_uint_eq(m->apps_version, 8);
	ck_assert_int_eq(user(0), -1);
	ck_assert_int_eq(user(1), 1001);
	accounts_fail = 0;
	run(66000);
	ck_assert_int_eq(user(0), 1002);
}
END_TEST

static void
takes_a_second(void)
{
	rig.now += 1000;
}

/* Five names in two lists each, at one a second. */
START_TEST(a_slow_name_service_is_not_asked_for_long)
{
	make_fresh();
	server.users = "user:ada,user:bob,group:dev,group:wheel,user:eve";
	accounts_set("eve", 3001);
	accounts_hook = takes_a_second;
	run(66000);
	server.list_version++;
	accounts_asked = 0;
	member_refresh_begin(m);
	serve();
	ck_assert_int_eq(m->step, MEMBER_IDLE);
	ck_assert_uint_le(accounts_asked, 4);
	/* What is asked for, none is forgotten, and each in its turn. */
	for (int i = 0; i < 2; i++)
		run(66000);
	ck_assert_int_eq(user(0), 1001);
	ck_assert_int_eq(user(4), 3001);
	accounts_set("ada", 3004);
	accounts_set("eve", 3005);
	for (int i = 0; i < 4; i++) {
		accounts_asked = 0;
		ck_assert(member_apps_look_up(m, 0));
		ck_assert_uint_le(accounts_asked, 2);
	}
	ck_assert_int_eq(user(0), 3004);
	ck_assert_int_eq(user(4), 3005);
}
END_TEST

START_TEST(heads_are_exchanged)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	struct clv_head head;

	server.head = 44;
	make_fresh();
	ck_assert_uint_eq(heads_get(m->k->heads, "shop"), 44);
	ck_assert_uint_eq(heads_look(m->k->heads, "shop").linked, 43);
	memset(mac, 'm', sizeof(mac));
	heads_see(m->k->heads, "shop", 50, mac);
	server.head = 52;
	member_refresh_begin(m);
	run(100);
	ck_assert_uint_eq(told_head.counter, 50);
	ck_assert_uint_eq(told_head.linked, 50);
	ck_assert_mem_eq(told_head.link, mac, sizeof(told_head.link));
	/* The server's may be of a database that was set back. */
	head = heads_look(m->k->heads, "shop");
	ck_assert_uint_eq(head.counter, 52);
	ck_assert_uint_eq(head.linked, 50);
	ck_assert_mem_eq(head.link, mac, sizeof(head.link));
}
END_TEST

/* What only the process still knows: the file says less. */
static uint64_t
head_on_disk(void)
{
	struct heads *h = NULL;
	uint64_t counter;

	ck_assert_int_eq(heads_open(NULL, rig.dir, 1000, &h), CLV_OK);
	counter = heads_get(h, "shop");
	heads_close(&h);
	return counter;
}

START_TEST(heads_are_written_once_there_is_room)
{
	heads_raise(m->k->heads, "shop", 50);
	run(1000);
	ck_assert_uint_eq(head_on_disk(), 50);
	disk_is_full(true);
	heads_raise(m->k->heads, "shop", 60);
	run(1000);
	heads_raise(m->k->heads, "shop", 70);
	run(30000);
	disk_is_full(false);
	ck_assert_ptr_nonnull(
	    strstr(rig.log, "heads cannot be written: File too large"));
	ck_assert_uint_le(rig.errors, 4);
	ck_assert_uint_eq(head_on_disk(), 50);
	run(10000);
	ck_assert_uint_eq(head_on_disk(), 70);
}
END_TEST

/* The sealed cache. */

static void
with_cache(void)
{
	strcpy(rig.config.cache, "sealed");
	make_fresh();
	ck_assert(exists("cache.age"));
}

/* By both clocks. */
static void
pass(unsigned seconds)
{
	wall += seconds;
	rig_advance(seconds * UINT64_C(1000));
}

START_TEST(the_sealed_cache_serves_after_a_restart)
{
	with_cache();
	wall += 3598;
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("shop"));
	ck_assert_uint_eq(m->app_count, 2);
	ck_assert_int_eq(
	    may_write("cannot be reached since 2027-01-15"), CLV_E_AWAY);
	/* It becomes too old while it is used, */
	pass(1);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	pass(1);
	ck_assert_int_eq(m->state, CLV_MEMBER_EXPIRED);
	ck_assert(!has_key("shop"));
	ck_assert(exists("cache.age"));
	/* and the server brings all back. */
	make_fresh();
	ck_assert(has_key("shop"));
	pass(3600 * 2);
	ck_assert(has_key("shop"));
}
END_TEST

static void
is_refused_by_the_clock(const char *why)
{
	ck_assert_int_eq(m->state, CLV_MEMBER_EXPIRED);
	ck_assert(!has_key("shop"));
	ck_assert_ptr_null(m->keys);
	ck_assert_ptr_nonnull(strstr(rig.log, why));
	ck_assert_int_eq(may_write(why), CLV_E_AWAY);
	ck_assert(exists("cache.age"));
}

static void
is_used_again(void)
{
	rig_advance(10000);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("shop"));
	ck_assert_ptr_nonnull(member_app_find(m, "shop"));
	ck_assert_int_eq(
	    may_write("cannot be reached since 2027-01-15"), CLV_E_AWAY);
}

START_TEST(a_cache_that_is_too_old_by_the_clock)
{
	with_cache();
	wall += 3600;
	restart();
	is_refused_by_the_clock("older than cache_max_age");
	wall -= 1;
	is_used_again();
}
END_TEST

START_TEST(a_cache_of_the_future)
{
	with_cache();
	wall -= 1;
	restart();
	is_refused_by_the_clock("is this host's clock right?");
	rig_advance(60000); /* nothing of it is used meanwhile, */
	is_refused_by_the_clock("is this host's clock right?");
	restart(); /* and it outlives that */
	wall += 1;
	is_used_again();
}
END_TEST

START_TEST(a_clock_that_is_set_while_the_cache_is_used)
{
	with_cache();
	restart();
	for (int i = 0; i < 2; i++) {
		int64_t by = i == 0 ? 86400 : -86400;

		ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
		wall += by;
		rig_advance(10000);
		is_refused_by_the_clock(i == 0 ? "older than" : "future");
		wall -= by;
		is_used_again();
	}
}
END_TEST

START_TEST(a_clock_that_stands_does_not_keep_the_cache_young)
{
	with_cache();
	restart();
	rig_advance(3599 * 1000);
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	rig_advance(1000);
	is_refused_by_the_clock("older than cache_max_age");
	rig_advance(60000); /* for good, */
	ck_assert_int_eq(m->state, CLV_MEMBER_EXPIRED);
	make_fresh(); /* until there is a newer one */
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
}
END_TEST

START_TEST(a_refused_cache_goes_when_the_host_is_revoked)
{
	with_cache();
	wall -= 1;
	restart();
	server.result = CLV_E_REVOKED;
	uplink(true, "");
	run(100);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert(!exists("cache.age"));
	wall += 1;
	rig_advance(20000);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert(!has_key("shop"));
}
END_TEST

/* 4096 applications, each with the longest access lists. */
START_TEST(the_largest_list_is_kept)
{
	server.many = CLV_LIST_APPS_MAX;
	with_cache();
	ck_assert_uint_eq(m->app_count, CLV_LIST_APPS_MAX);
	ck_assert_uint_gt(m->pages.len, 7u << 20);
	ck_assert_uint_eq(rig.errors, 0);
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("app4095"));
	ck_assert_uint_eq(m->app_count, CLV_LIST_APPS_MAX);
	ck_assert_str_eq(member_app_find(m, "app4095")->users.text, long_acl());
}
END_TEST

START_TEST(a_cache_that_cannot_be_written_is_an_alarm)
{
	void *all[1024];
	size_t n = 0;

	with_cache();
	while (n < 1024 && (all[n] = clv_guard_get(rig.k.guard, 1024)) != NULL)
		n++;
	member_cache_save(m);
	ck_assert_uint_eq(rig.errors, 1);
	ck_assert_ptr_nonnull(strstr(rig.log, "ALARM"));
	ck_assert_ptr_nonnull(strstr(rig.log, "cannot be written"));
	while (n > 0)
		clv_guard_put(rig.k.guard, all[--n]);
	restart(); /* what was written last is there */
	ck_assert_int_eq(m->state, CLV_MEMBER_AWAY);
	ck_assert(has_key("shop"));
}
END_TEST

START_TEST(a_damaged_cache_is_not_used)
{
	with_cache();
	damage("cache.age");
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_ptr_nonnull(strstr(rig.log, "is not used"));
	ck_assert_uint_eq(m->generation, 0);
	ck_assert_int_eq(m->refreshed_at, 0);
	ck_assert_ptr_null(m->keys);
	make_fresh();
}
END_TEST

START_TEST(a_cache_older_than_what_was_seen)
{
	struct state s;

	with_cache();
	ck_assert_int_eq(state_load(rig.dir, &s), CLV_OK);
	s.epoch++;
	ck_assert_int_eq(state_save(rig.dir, &s), CLV_OK);
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert_ptr_nonnull(strstr(rig.log, "is not used"));
	ck_assert_int_eq(m->refreshed_at, 0);
	ck_assert_uint_eq(m->generation, 0);
}
END_TEST

START_TEST(another_hosts_cache_is_not_used)
{
	with_cache();
	clv_identity_free(&rig.k.identity);
	rig.k.identity = new_identity("m1");
	restart();
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	ck_assert(!has_key("shop"));
}
END_TEST

START_TEST(a_cache_that_is_switched_off_goes)
{
	with_cache();
	strcpy(rig.config.cache, "none");
	restart();
	ck_assert(!exists("cache.age"));
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
	make_fresh();
	ck_assert(!exists("cache.age"));
}
END_TEST

/* This host's own certificate. */

static void
save_own(void)
{
	const char *names[] = {"m1", "10.0.0.7"};
	struct clv_buf cert, key, pem;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	clv_buf_init(&pem);
	ck_assert_int_eq(cert_make("m1", names, 2, &cert, &key), CLV_OK);
	crypto_hash_sha256(server.certs[0], cert.data, cert.len);
	ck_assert_int_eq(cert_to_pem(cert.data, cert.len, &pem), CLV_OK);
	ck_assert_int_eq(
	    file_replace(rig.dir, "tls.crt", pem.data, pem.len, 0444), CLV_OK);
	clv_buf_reset(&pem);
	ck_assert_int_eq(cert_key_to_pem(key.data, key.len, &pem), CLV_OK);
	ck_assert_int_eq(
	    file_replace(rig.dir, "tls.key", pem.data, pem.len, 0400), CLV_OK);
	clv_buf_fini(&pem);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
}

static void
set_up_cert(void)
{
	set_up();
	pin_by_hand("01");
	save_own();
	restart();
	make_fresh();
}

static bool
accepts(const uint8_t *thumb)
{
	return memcmp(server.certs[0], thumb, 32) == 0 ||
	       memcmp(server.certs[1], thumb, 32) == 0;
}

/* The front does what it was told, and the server lets in whom it knows. */
static void
connect_as_told(void)
{
	for (unsigned had = 0, n = 0; had != uplinks; n++) {
		ck_assert_uint_lt(n, 5);
		had = uplinks;
		uplink(false, "not connected yet");
		if (accepts(uplink_cert))
			uplink(true, "");
		else
			uplink_is(false, CLV_E_UNKNOWN_PEER, "unknown");
		serve();
	}
}

/* So long that whatever is tried twice was. */
static void
reconnect(void)
{
	connect_as_told();
	for (unsigned i = 0; i < 15; i++) {
		unsigned had = uplinks;

		run(1000);
		if (had != uplinks)
			connect_as_told();
	}
}

static void
check_own(const uint8_t *thumb)
{
	struct clv_buf cert, key;
	const char *name;
	uint8_t has[32];

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_pair_load(rig.dir, &cert, &key, &name), CLV_OK);
	crypto_hash_sha256(has, cert.data, cert.len);
	ck_assert_mem_eq(has, thumb, 32);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
}

static void
check_changed(const uint8_t *before)
{
	ck_assert(!m->cert.wanted);
	ck_assert(!exists("tls.next"));
	ck_assert_mem_ne(uplink_cert, before, 32);
	ck_assert(accepts(uplink_cert));
	check_own(uplink_cert);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}

START_TEST(a_new_certificate_is_used_when_the_list_has_it)
{
	uint8_t first[32];

	memcpy(first, server.certs[0], 32);
	server.keeps_certs = true;
	ck_assert_int_eq(member_cert_rotate(m, false), CLV_OK);
	run(10000);
	ck_assert_uint_ge(asked[CLV_WIRE_CERT], 5);
	ck_assert_mem_eq(uplink_cert, first, 32);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(may_write(""), CLV_OK);
	server.keeps_certs = false;
	run(3000);
	ck_assert_mem_eq(server.certs[0], first, 32);
	connect_as_told();
	ck_assert_int_eq(may_write(""), CLV_OK);
	check_changed(first);
	ck_assert_mem_eq(uplink_cert, server.certs[1], 32);
}
END_TEST

/* One that was about to be used may be in wrong hands as well as the one in
 * use; and of one that the next answer asks for there is no other made. */
START_TEST(the_system_may_ask_for_a_new_certificate)
{
	uint8_t first[32], pending[32];

	memcpy(first, server.certs[0], 32);
	server.wish = "rotated";
	run(66000);
	ck_assert(!m->cert.wanted);
	server.keeps_certs = true;
	server.wish = CLV_WIRE_ROTATE;
	run(66000);
	ck_assert(m->cert.wanted && !m->cert.now);
	memcpy(pending, m->cert.next, 32);
	run(66000);
	ck_assert_mem_eq(m->cert.next, pending, 32);
	server.wish = CLV_WIRE_ROTATE_NOW;
	run(5000);
	ck_assert(m->cert.wanted && m->cert.now);
	ck_assert_mem_ne(m->cert.next, pending, 32);
	ck_assert_mem_eq(uplink_cert, first, 32);
	memcpy(pending, m->cert.next, 32);
	server.wish = CLV_WIRE_ROTATE; /* it is more than that */
	run(5000);
	ck_assert(m->cert.now);
	ck_assert_mem_eq(m->cert.next, pending, 32);
	server.wish = "";
	server.keeps_certs = false;
	run(3000);
	connect_as_told();
	check_changed(first);
	ck_assert_mem_eq(uplink_cert, pending, 32);
	ck_assert(!accepts(first));
}
END_TEST

START_TEST(a_copy_of_another_host_changes_no_certificate)
{
	strcpy(rig.k.copied, "a copy");
	server.wish = CLV_WIRE_ROTATE_NOW;
	run(66000);
	ck_assert(!m->cert.wanted);
	ck_assert_int_eq(member_cert_rotate(m, false), CLV_E_NOT_READY);
	ck_assert(!exists("tls.next"));
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	rig.k.copied[0] = '\0';
	run(66000);
	ck_assert(m->cert.now || exists("tls.next"));
}
END_TEST

/* A server that does not answer that question is asked for keys all the same.
 */
START_TEST(a_server_that_is_silent_about_it_is_no_reason_to_be_away)
{
	ck_assert_int_eq(member_cert_rotate(m, false), CLV_OK);
	for (unsigned i = 0; i < 2000; i++) {
		if (question.len > 0 && q.op == CLV_WIRE_CERT)
			clv_buf_reset(&question);
		else if (question.len > 0)
			answer(keyring);
		else
			rig_advance(50);
	}
	ck_assert_uint_ge(asked[CLV_WIRE_CERT], 3);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
}
END_TEST

START_TEST(who_is_cut_off_by_its_own_wish_comes_with_the_new_one)
{
	uint8_t first[32];

	memcpy(first, server.certs[0], 32);
	ck_assert_int_eq(member_cert_rotate(m, true), CLV_OK);
	serve();
	ck_assert(!accepts(first));
	uplink(false, "closed");
	uplink_is(false, CLV_E_UNKNOWN_PEER, "unknown");
	ck_assert_mem_eq(uplink_cert, server.certs[0], 32);
	connect_as_told();
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	check_changed(first);
}
END_TEST

/* It was let in as somebody who might have a join token, and answered. */
START_TEST(a_stranger_that_has_another_certificate_is_not_revoked)
{
	ck_assert_int_eq(member_cert_rotate(m, true), CLV_OK);
	serve();
	uplink(false, "closed");
	server.result = CLV_E_UNKNOWN_PEER;
	uplink(true, "");
	ck_assert_uint_gt(question.len, 0);
	answer(keyring);
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	ck_assert_mem_eq(uplink_cert, server.certs[0], 32);
	server.result = CLV_OK;
	connect_as_told();
	ck_assert(!m->cert.wanted);
	/* but then it is */
	server.result = CLV_E_UNKNOWN_PEER;
	run(66000);
	ck_assert_int_eq(m->state, CLV_MEMBER_NONE);
}
END_TEST

/* The process is killed when the server has been asked n questions, and the
 * last of them was answered, or only heard, or lost. */
static bool
killed_after(unsigned n, unsigned how, bool now)
{
	uint8_t first[32];
	bool all;

	set_up_cert();
	memcpy(first, server.certs[0], 32);
	uplinks = 0;
	ck_assert_int_eq(member_cert_rotate(m, now), CLV_OK);
	for (unsigned i = 0; i < n; i++) {
		if (question.len == 0)
			run(MEMBER_CERT_MS / 2);
		if (question.len > 0 && i + 1 < n)
			answer(keyring);
	}
	if (how == 0 && question.len > 0)
		answer(keyring);
	else if (how == 1 && question.len > 0 && q.op == CLV_WIRE_CERT)
		(void)take_cert();
	all = !m->cert.wanted || (now && !accepts(first));
	restart();
	reconnect();
	ck_assert_int_eq(m->state, CLV_MEMBER_FRESH);
	check_changed(first);
	ck_assert(!now || !accepts(first)); /* whoever took it has it no more */
	tear_down();
	return all;
}

START_TEST(a_killed_member_connects_with_one_of_the_two)
{
	unsigned n = 0, how;
	bool all = false;

	for (; !all; n++) {
		ck_assert_uint_lt(n, 40);
		for (how = 0; how < 3; how++)
			all |= killed_after(n, how, _i);
	}
	ck_assert_uint_gt(n, 2);
}
END_TEST

static void
put_file(const char *name,
    int (*to_pem)(const void *, size_t, struct clv_buf *),
    const struct clv_buf *der)
{
	struct clv_buf pem;

	clv_buf_init(&pem);
	ck_assert_int_eq(to_pem(der->data, der->len, &pem), CLV_OK);
	ck_assert_int_eq(
	    file_replace(rig.dir, name, pem.data, pem.len, 0400), CLV_OK);
	clv_buf_fini(&pem);
}

/* Its key is there, or its certificate too, and the file of both. */
START_TEST(a_member_killed_while_it_writes_has_a_pair_that_fits)
{
	struct clv_buf cert, key;
	const char *name;
	uint8_t first[32];

	memcpy(first, server.certs[0], 32);
	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(member_cert_rotate(m, false), CLV_OK);
	answer(keyring);
	memcpy(server.certs[1], m->cert.next, 32);
	ck_assert_int_eq(cert_pair_next(rig.dir, &cert, &key, &name), CLV_OK);
	put_file("tls.key", cert_key_to_pem, &key);
	check_own(m->cert.next);
	if (_i > 0)
		put_file("tls.crt", cert_to_pem, &cert);
	check_own(m->cert.next);
	restart();
	reconnect();
	check_changed(first);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
}
END_TEST

START_TEST(a_pair_that_does_not_fit_is_not_loaded)
{
	struct clv_buf cert, key;
	const char *name;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_pair_load(rig.dir, &cert, &key, &name), CLV_OK);
	save_own();
	put_file("tls.key", cert_key_to_pem, &key);
	ck_assert_int_eq(
	    cert_pair_load(rig.dir, &cert, &key, &name), CLV_E_MISMATCH);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
}
END_TEST

START_TEST(a_next_one_that_cannot_be_read_is_left_alone)
{
	uint8_t first[32];

	memcpy(first, uplink_cert, 32);
	ck_assert_int_eq(
	    file_replace(rig.dir, "tls.next", "x", 1, 0400), CLV_OK);
	restart();
	ck_assert(!m->cert.wanted);
	make_fresh();
	ck_assert_mem_eq(uplink_cert, first, 32);
	/* and does not keep another one from being made */
	ck_assert_int_eq(member_cert_rotate(m, false), CLV_OK);
	run(3000);
	connect_as_told();
	check_changed(first);
}
END_TEST

/* So many days are left; what the log says in the hours from then on. */
static const char *
said_at(int days)
{
	wall = rig.k.expiry.end_s[EXPIRY_HOST] - days * INT64_C(86400);
	rig.log[0] = '\0';
	rig_advance(EXPIRY_LOOK_MS);
	return rig.log;
}

START_TEST(the_end_of_a_certificate_is_said_once_at_each_step)
{
	static const struct {
		int days;
		const char *log; /* NULL: nothing */
	} steps[] = {{31, NULL}, {30, "ends in 30 days"}, {29, NULL},
	    {15, NULL}, {14, "ends in 14 days"}, {8, NULL},
	    {7, "ends in 7 days"}, {2, NULL}, {1, "ends in 1 day:"}, {0, NULL},
	    {-1, "ended 1 day ago; who has it pinned goes on trusting it"},
	    {-5, NULL}};

	ck_assert_int_eq(rig.k.expiry.end_s[EXPIRY_HOST], 0);
	expiry_look(&rig.k);
	ck_assert_int_ne(rig.k.expiry.end_s[EXPIRY_HOST], 0);
	server.silent = true;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const char *log = said_at(steps[i].days);

		if (steps[i].log == NULL)
			ck_assert_ptr_null(strstr(log, "certificate"));
		else
			ck_assert_msg(
			    strstr(log, steps[i].log) != NULL, "%s", log);
	}
	/* a new one is another matter */
	wall = 1800000000;
	save_own();
	expiry_look(&rig.k);
	ck_assert_int_eq(rig.k.expiry.told[EXPIRY_HOST], EXPIRY_NONE);
}
END_TEST

static Suite *
member_suite(void)
{
	Suite *s = suite_create("member");
	TCase *t = tcase_create("refresh");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_refresh_brings_all);
	tcase_add_test(t, the_server_is_known_by_what_it_said_last);
	tcase_add_test(
	    t, a_list_whose_pins_are_not_on_disk_is_not_acknowledged);
	tcase_add_test(t, a_damaged_file_of_pins_leaves_the_configurations);
	tcase_add_test(t, key_that_is_only_published_is_fetched_and_held);
	tcase_add_test(t, a_new_data_key_seals_from_the_next_refresh_on);
	tcase_add_test(t, a_member_of_some_applications);
	tcase_add_test(t, away_after_two_tries_and_back);
	tcase_add_test(t, one_lost_answer_is_no_absence);
	tcase_add_test(t, a_lost_connection_is_asked_over_again);
	tcase_add_test(t, a_refusal_is_told);
	tcase_add_test(t, a_lower_epoch_is_refused);
	tcase_add_test(t, a_lower_list_is_refused);
	tcase_add_test(t, a_lower_generation_is_refused);
	tcase_add_test(t, what_was_seen_survives);
	tcase_add_test(t, what_was_seen_stands_twice);
	tcase_add_test(t, another_list_is_a_reason_to_fetch);
	tcase_add_test(
	    t, keys_that_the_list_does_not_name_any_more_are_fetched);
	tcase_add_test(t, an_older_server_is_asked_for_keys);
	tcase_add_test(t, counters_that_do_not_fit_are_asked_for_besides);
	tcase_add_test(t, a_forged_answer_is_refused);
	tcase_add_test(t, a_new_signing_key_is_followed);
	tcase_add_test(t, a_notice_by_a_new_key_is_a_reason_to_follow);
	tcase_add_test(t, a_key_that_does_not_follow_is_refused);
	tcase_add_test(t, a_chain_alone_proves_nothing);
	tcase_add_test(t, the_configuration_is_where_the_chain_begins);
	tcase_add_test(t, keys_that_the_list_does_not_name_are_refused);
	tcase_add_test(t, with_a_full_disk_a_host_reads_on);
	tcase_add_test(t, revoked_hosts_lose_their_keys);
	tcase_add_test(t, a_notice_is_a_reason_to_ask);
	tcase_add_test(t, the_list_is_old_from_the_notice_on_until_it_is_here);
	tcase_add_test(t, who_misses_a_key_does_not_flood_the_server);
	tcase_add_test(t, a_permit_ends);
	tcase_add_test(t, no_permit_is_endless);
	tcase_add_test(t, applications_come_in_pages);
	tcase_add_test(t, a_list_that_changes_between_pages);
	tcase_add_test(t, pages_out_of_order_are_refused);
	tcase_add_test(t, names_are_looked_up_at_each_refresh);
	tcase_add_test(t, names_stay_while_nobody_can_tell);
	tcase_add_test(t, a_slow_name_service_is_not_asked_for_long);
	tcase_add_test(t, heads_are_exchanged);
	tcase_add_test(t, heads_are_written_once_there_is_room);
	suite_add_tcase(s, t);
	t = tcase_create("certificate");
	tcase_add_checked_fixture(t, set_up_cert, tear_down);
	tcase_add_test(t, a_new_certificate_is_used_when_the_list_has_it);
	tcase_add_test(t, the_system_may_ask_for_a_new_certificate);
	tcase_add_test(t, a_copy_of_another_host_changes_no_certificate);
	tcase_add_test(
	    t, a_server_that_is_silent_about_it_is_no_reason_to_be_away);
	tcase_add_test(
	    t, who_is_cut_off_by_its_own_wish_comes_with_the_new_one);
	tcase_add_test(
	    t, a_stranger_that_has_another_certificate_is_not_revoked);
	tcase_add_loop_test(
	    t, a_member_killed_while_it_writes_has_a_pair_that_fits, 0, 2);
	tcase_add_test(t, a_pair_that_does_not_fit_is_not_loaded);
	tcase_add_test(t, the_end_of_a_certificate_is_said_once_at_each_step);
	tcase_add_test(t, a_next_one_that_cannot_be_read_is_left_alone);
	suite_add_tcase(s, t);
	t = tcase_create("certificate, killed");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, a_killed_member_connects_with_one_of_the_two, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("cache");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_sealed_cache_serves_after_a_restart);
	tcase_add_test(t, a_cache_that_is_too_old_by_the_clock);
	tcase_add_test(t, a_cache_of_the_future);
	tcase_add_test(t, a_clock_that_is_set_while_the_cache_is_used);
	tcase_add_test(t, a_clock_that_stands_does_not_keep_the_cache_young);
	tcase_add_test(t, a_refused_cache_goes_when_the_host_is_revoked);
	tcase_add_test(t, a_cache_that_cannot_be_written_is_an_alarm);
	tcase_add_test(t, a_damaged_cache_is_not_used);
	tcase_add_test(t, a_cache_older_than_what_was_seen);
	tcase_add_test(t, another_hosts_cache_is_not_used);
	tcase_add_test(t, a_cache_that_is_switched_off_goes);
	suite_add_tcase(s, t);
	t = tcase_create("cache, large");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_largest_list_is_kept);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(member_suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
