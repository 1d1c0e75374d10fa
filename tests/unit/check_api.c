/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <claviger/client.h>

#include "daemon/admin/admin.h"
#include "daemon/api/api_impl.h"
#include "daemon/vault/vault_impl.h"
#include "accounts.h"
#include "vault_rig.h"
#include "vault_wrap.h"

/* Who the callers are, as the kernel would say. */
static uid_t caller_uid, peer_uid;
static bool no_groups;

int __wrap_auth_caller_get(int fd, struct auth_caller *ret);
int
__wrap_auth_caller_get(int fd, struct auth_caller *ret)
{
	(void)fd;
	if (no_groups)
		return CLV_E_SYSTEM;
	*ret = (struct auth_caller){.uid = caller_uid, .gid = caller_uid};
	return CLV_OK;
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int r = __real_getsockopt(fd, level, name, value, len);

	if (r == 0 && level == SOL_SOCKET && name == SO_PEERCRED)
		((struct ucred *)value)->uid = peer_uid;
	return r;
}

static char api_path[108], credentials_path[108];
static int api_fd, credentials_fd;

static int
listener(const char *name, int type, char path[static 108])
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(path, 108, "%s/%s", rig.dir, name);
	strcpy(sa.sun_path, path);
	(void)unlink(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 1024), 0);
	return fd;
}

/* User 1000 may use shop, 1001 administers it, 1002 the system. */
static struct auth_id users[] = {{CLV_SUBJECT_USER, true, 1000}};
static struct auth_id admins[] = {{CLV_SUBJECT_USER, true, 1001}};
static struct auth_id system_admins[] = {{CLV_SUBJECT_USER, true, 1002}};
static struct member_app apps[2];
static char shop_users[64], bank_users[64], shop_admins[16], chiefs[16];

static void
listen_again(void)
{
	api_fd = listener("api.sock", SOCK_SEQPACKET, api_path);
	credentials_fd = listener("cred.sock", SOCK_STREAM, credentials_path);
	ck_assert_int_eq(api_init(&rig.k, api_fd, credentials_fd), CLV_OK);
}

static void
set_up(void)
{
	struct member *m = &rig.member;

	rig_init();
	caller_uid = 1000;
	peer_uid = 0;
	no_groups = false;
	strcpy(shop_users, "user:web,unit:shop.service");
	strcpy(shop_admins, "user:boss");
	strcpy(chiefs, "user:chief");
	strcpy(bank_users, "user:nobody");
	accounts_set("web", 1000);
	accounts_set("boss", 1001);
	accounts_set("chief", 1002);
	memset(apps, 0, sizeof(apps));
	strcpy(apps[0].name, "bank");
	apps[0].users = (struct auth_acl){bank_users, NULL, 0};
	strcpy(apps[1].name, "shop");
	apps[1].keep = 5;
	apps[1].users = (struct auth_acl){shop_users, users, 1};
	apps[1].admins = (struct auth_acl){shop_admins, admins, 1};
	m->system_admins = (struct auth_acl){chiefs, system_admins, 1};
	m->apps = apps;
	m->app_count = 2;
	m->apps_version = m->who_version = 3;
	m->lease = true;
	m->permit_until_ms = rig.now + 60000;
	listen_again();
}

static void
api_end(void)
{
	api_fini(&rig.k);
	close(api_fd);
	close(credentials_fd);
}

static void
tear_down(void)
{
	if (rig.k.api != NULL)
		api_end();
	unlink(api_path);
	unlink(credentials_path);
	auth_names_fini(&rig.member.names);
	rig_fini();
}

/* A client by hand. */

static int
dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, api_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	rig_poll();
	return fd;
}

static struct {
	struct clv_api_header h;
	uint8_t body[CLV_API_MSG_MAX];
} msg;
static struct clv_buf body;

static void
say(int fd, uint16_t op, uint16_t flags, uint64_t id)
{
	msg.h = (struct clv_api_header){.magic = CLV_API_MAGIC,
	    .op = op,
	    .flags = flags,
	    .len = (uint32_t)body.len,
	    .id = id};
	if (body.len > 0)
		memcpy(msg.body, body.data, body.len);
	ck_assert_int_eq(send(fd, &msg, sizeof(msg.h) + body.len, MSG_NOSIGNAL),
	    (ssize_t)(sizeof(msg.h) + body.len));
	clv_buf_fini(&body);
	rig_poll();
}

/* Result of the answer with that id; 1: none there; -1000: closed. */
static int
hear(int fd, uint64_t id, struct clv_rd *rd)
{
	ssize_t n;

	rig_poll();
	n = recv(fd, &msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n <= 0)
		return -1000;
	ck_assert_uint_eq(msg.h.magic, CLV_API_MAGIC);
	ck_assert_uint_eq(msg.h.len + sizeof(msg.h), (size_t)n);
	ck_assert_uint_eq(msg.h.id, id);
	clv_rd_init(rd, msg.body, msg.h.len);
	return msg.h.result;
}

static int
ask(int fd, uint16_t op, struct clv_rd *rd)
{
	static uint64_t id = 100;

	say(fd, op, 0, ++id);
	rig_settle();
	return hear(fd, id, rd);
}

static void
in_app(const char *app, const char *name)
{
	clv_buf_init(&body);
	clv_buf_str(&body, app);
	clv_buf_str(&body, name);
}

static const char *
text_of(struct clv_rd *rd)
{
	static char text[1024];

	clv_rd_str(rd, text, sizeof(text));
	ck_assert_int_eq(clv_rd_end(rd), CLV_OK);
	return text;
}

static void
begin_put(const char *app, const char *name, uint8_t op, const char *value)
{
	uint8_t id[CLV_API_ID_LEN];

	memset(id, op, sizeof(id));
	in_app(app, name);
	clv_buf_raw(&body, id, sizeof(id));
	clv_buf_u32(&body, CLV_API_KEEP_DEFAULT);
	clv_buf_bytes(&body, value, strlen(value));
}

static void
begin_get(const char *app, const char *name)
{
	in_app(app, name);
	clv_buf_u64(&body, 0);
}

static int
request(int fd, uint16_t op, const char *app, struct clv_rd *rd)
{
	static const uint8_t id[CLV_API_ID_LEN] = {77};

	in_app(app, "a");
	switch (op) {
	case CLV_API_GET: clv_buf_u64(&body, 0); break;
	case CLV_API_PUT:
		clv_buf_raw(&body, id, sizeof(id));
		clv_buf_u32(&body, 0);
		clv_buf_bytes(&body, "x", 1);
		break;
	case CLV_API_DELETE: clv_buf_raw(&body, id, sizeof(id)); break;
	case CLV_API_SEAL:
	case CLV_API_OPEN: clv_buf_bytes(&body, "x", 1); break;
	default: break;
	}
	return ask(fd, op, rd);
}

START_TEST(each_operation_answers)
{
	struct clv_rd rd;
	const uint8_t *p;
	size_t len;
	int fd = dial();

	begin_put("shop", "a", 1, "geheim");
	ck_assert_int_eq(ask(fd, CLV_API_PUT, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 1);
	begin_get("shop", "a");
	ck_assert_int_eq(ask(fd, CLV_API_GET, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 1);
	ck_assert_uint_eq(clv_rd_u8(&rd), 0);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(p, "geheim", 6);
	ck_assert_int_eq(request(fd, CLV_API_LIST, "shop", &rd), CLV_OK);
	ck_assert_int_eq(request(fd, CLV_API_HISTORY, "shop", &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u32(&rd), 1);
	ck_assert_int_eq(request(fd, CLV_API_SEAL, "shop", &rd), CLV_OK);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_uint_eq(len, 1 + CLV_RECORD_EXTRA);
	ck_assert_int_eq(request(fd, CLV_API_OPEN, "shop", &rd), CLV_E_FORMAT);
	ck_assert_int_eq(request(fd, CLV_API_DELETE, "shop", &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 2);
	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_STATUS, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u8(&rd), CLV_MEMBER_FRESH);
	clv_buf_init(&body);
	clv_buf_str(&body, "");
	ck_assert_int_eq(ask(fd, CLV_API_APPS, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u8(&rd), 0);
	ck_assert_uint_eq(clv_rd_u32(&rd), 1);
	close(fd);
}
END_TEST

/* An inspection, part by part: what it found. */
static int
inspect_part(
    int fd, const char *app, bool begin, bool *ret_more, unsigned *ret_found)
{
	struct clv_rd rd;
	int r;

	clv_buf_init(&body);
	clv_buf_str(&body, app);
	clv_buf_u8(&body, begin);
	r = ask(fd, CLV_API_INSPECT, &rd);
	*ret_more = false;
	if (r != CLV_OK)
		return r;
	*ret_more = clv_rd_u8(&rd) != 0;
	(void)clv_rd_u64(&rd);
	(void)clv_rd_u64(&rd);
	*ret_found += clv_rd_u32(&rd);
	return rd.failed ? CLV_E_PROTOCOL : CLV_OK;
}

START_TEST(an_inspection_comes_part_by_part)
{
	struct rig_row *row;
	unsigned found = 0;
	struct clv_rd rd;
	bool more;
	int fd, other;

	fd = dial();
	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	close(fd);
	rig_poll();
	caller_uid = 1001;
	fd = dial();
	other = dial();
	ck_assert_int_eq(inspect_part(fd, "shop", false, &more, &found),
	    CLV_E_NOT_FOUND); /* it was not begun */
	ck_assert_int_eq(inspect_part(fd, "shop", true, &more, &found), CLV_OK);
	ck_assert(more);
	ck_assert_int_eq(
	    inspect_part(other, "shop", true, &more, &found), CLV_E_BUSY);
	do {
		ck_assert_int_eq(
		    inspect_part(fd, "shop", false, &more, &found), CLV_OK);
	} while (more);
	ck_assert_uint_eq(found, 0);
	row = rig_row("shop", "a", 0);
	row->record[row->len - 1] ^= 1;
	ck_assert_int_eq(
	    inspect_part(other, "shop", true, &more, &found), CLV_OK);
	while (more)
		ck_assert_int_eq(
		    inspect_part(other, "shop", false, &more, &found), CLV_OK);
	ck_assert_uint_eq(found, 1);
	/* Whoever hangs up, or is refused by the database, leaves room. */
	ck_assert_int_eq(
	    inspect_part(other, "shop", true, &more, &found), CLV_OK);
	close(other);
	rig_poll();
	rig.away = true;
	ck_assert_int_eq(
	    inspect_part(fd, "shop", true, &more, &found), CLV_E_DATABASE_AWAY);
	rig.away = false;
	ck_assert_int_eq(inspect_part(fd, "shop", true, &more, &found), CLV_OK);
	clv_buf_init(&body);
	clv_buf_str(&body, "shop");
	ck_assert_int_eq(ask(fd, CLV_API_INSPECT, &rd), CLV_E_FORMAT);
	close(fd);
}
END_TEST

START_TEST(administrators_alone_inspect)
{
	static const struct {
		uid_t uid;
		int inspect, database;
	} callers[] = {{0, CLV_OK, CLV_OK}, {1002, CLV_OK, CLV_OK},
	    {1001, CLV_OK, CLV_E_DENIED}, {1000, CLV_E_DENIED, CLV_E_DENIED},
	    {1003, CLV_E_DENIED, CLV_E_DENIED}};
	unsigned found = 0;
	struct clv_rd rd;
	bool more;
	int fd;

	rig.k.db.up = rig.k.db.known = true;
	rig.k.db.timeline = 4;
	rig.k.db.server_id = 99;
	caller_uid = callers[_i].uid;
	fd = dial();
	ck_assert_int_eq(
	    inspect_part(fd, "shop", true, &more, &found), callers[_i].inspect);
	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_DATABASE, &rd), callers[_i].database);
	if (callers[_i].database == CLV_OK) {
		ck_assert_uint_eq(clv_rd_u8(&rd), 1);
		clv_rd_str(&rd, (char[8]){0}, 8);
		(void)clv_rd_u64(&rd);
		(void)clv_rd_u64(&rd);
		ck_assert_uint_eq(clv_rd_u64(&rd), 4);
		ck_assert_uint_eq(clv_rd_u64(&rd), 99);
		ck_assert_uint_eq(clv_rd_u64(&rd), 0);
		ck_assert_uint_eq(clv_rd_u64(&rd), 0);
		ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	}
	close(fd);
}
END_TEST

static void
many_versions(struct rig_call *x)
{
	struct db_field *f;
	size_t n = 3000;

	if (x->stmt != CLV_STMT_HISTORY)
		return;
	f = calloc(n * 5, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < n; i++)
		memcpy(&f[i * 5], x->result.fields, 5 * sizeof(*f));
	free((void *)(uintptr_t)x->result.fields);
	x->result.fields = f;
	x->result.rows = n;
}

START_TEST(a_history_fits_into_its_answer)
{
	struct clv_rd rd;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	rig.forge = many_versions;
	ck_assert_int_eq(request(fd, CLV_API_HISTORY, "shop", &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u32(&rd), 1000);
	ck_assert_uint_eq(rd.len, 1000 * 22);
	close(fd);
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_a_failure)
{
	static const uint8_t big[CLV_API_MSG_MAX];
	struct clv_rd rd;
	int fd = dial();

	api_send(rig.k.api->conns, CLV_API_ADMIN, 5, CLV_OK, big,
	    sizeof(big) - sizeof(struct clv_api_header), NULL, 0);
	ck_assert_int_eq(hear(fd, 5, &rd), CLV_OK);
	api_send(rig.k.api->conns, CLV_API_ADMIN, 6, CLV_OK, big,
	    sizeof(big) - sizeof(struct clv_api_header), big, 1);
	ck_assert_int_eq(hear(fd, 6, &rd), CLV_E_FULL);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "too long"));
	close(fd);
}
END_TEST

START_TEST(roles_decide)
{
	static const uint16_t ops[] = {CLV_API_GET, CLV_API_PUT, CLV_API_DELETE,
	    CLV_API_LIST, CLV_API_HISTORY, CLV_API_SEAL, CLV_API_OPEN};
	static const struct {
		uid_t uid;
		bool shop, bank;
	} callers[] = {{0, true, true}, {1000, true, false},
	    {1001, true, false}, {1002, false, false}, {1003, false, false}};
	struct clv_rd rd;

	rig_add_app("bank", 1);
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
		int fd;

		caller_uid = callers[i].uid;
		fd = dial();
		for (size_t j = 0; j < sizeof(ops) / sizeof(ops[0]); j++) {
			ck_assert_msg((request(fd, ops[j], "shop", &rd) !=
					  CLV_E_DENIED) == callers[i].shop,
			    "user %u, operation %u", callers[i].uid, ops[j]);
			ck_assert((request(fd, ops[j], "bank", &rd) !=
				      CLV_E_DENIED) == callers[i].bank);
		}
		close(fd);
	}
	/* What does not exist looks like what is not for him. */
	caller_uid = 1000;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_GET, "none", &rd), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "user 1000 may not"));
	close(fd);
	caller_uid = 0;
	fd = dial();
	ck_assert_int_eq(
	    request(fd, CLV_API_GET, "none", &rd), CLV_E_NOT_FOUND);
	close(fd);
}
END_TEST

START_TEST(a_user_who_was_made_meanwhile_is_known_when_he_asks)
{
	struct clv_rd rd;
	int fd;

	caller_uid = 1003;
	fd = dial();
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	accounts_set("web", 1003); /* another number */
	/* He is not looked up each time that he asks, */
	accounts_asked = 0;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(
		    request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	rig_advance(MEMBER_NAMES_MS - 1);
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	ck_assert_uint_eq(accounts_asked, 0);
	rig_advance(1); /* but now, */
	ck_assert_int_ne(request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	ck_assert_uint_eq(accounts_asked, 3); /* each name once */
	close(fd);
	caller_uid = 1000; /* and whose number it was is nobody any more. */
	fd = dial();
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	close(fd);
}
END_TEST

START_TEST(a_user_who_was_made_meanwhile_sees_his_applications)
{
	struct clv_rd rd;
	int fd;

	accounts_set("web", 1003);
	caller_uid = 1003;
	fd = dial();
	clv_buf_init(&body);
	clv_buf_str(&body, "");
	ck_assert_int_eq(ask(fd, CLV_API_APPS, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u8(&rd), 0);
	ck_assert_uint_eq(clv_rd_u32(&rd), 1);
	close(fd);
}
END_TEST

/* Administration: what comes of a request, others test; here, which of them
 * are passed on, and whose answer is whose. */
static struct admin_origin origin;
static unsigned admin_requests;
static uint8_t admin_op;
static uid_t admin_uid;

void __wrap_admin_request(struct keeper *k, const struct admin_origin *from,
    const void *p, size_t len);
void
__wrap_admin_request(struct keeper *k, const struct admin_origin *from,
    const void *p, size_t len)
{
	ck_assert_ptr_eq(k, &rig.k);
	ck_assert_uint_gt(len, 0);
	ck_assert_ptr_null(from->conn);
	ck_assert(!from->remote);
	admin_requests++;
	admin_op = *(const uint8_t *)p;
	admin_uid = from->caller->uid;
	origin = *from;
}

static void
admin_answers(const char *answer)
{
	origin.done(&rig.k, origin.arg, CLV_OK, answer, strlen(answer));
	rig_settle();
}

static void
begin_admin(uint8_t op, const char *first)
{
	static const uint8_t id[16] = {1};

	clv_buf_init(&body);
	clv_buf_u8(&body, op);
	clv_buf_raw(&body, id, sizeof(id));
	clv_buf_str(&body, first);
}

START_TEST(only_administration_of_applications_is_passed_on)
{
	static const struct {
		uint8_t op;
		const char *first;
		bool passed;
	} requests[] = {{ADMIN_NODE_APPROVE, "n2", false},
	    {ADMIN_NODE_REVOKE, "n2", false}, {ADMIN_MEMBER_ADD, "m1", false},
	    {ADMIN_MEMBER_REVOKE, "m1", false}, {ADMIN_TOKEN_ADD, "m1", false},
	    {ADMIN_TOKEN_DROP, "m1", false}, {ADMIN_MEMBER_JOIN, "m1", false},
	    {ADMIN_MEMBER_ROTATE, "m1", false},
	    {ADMIN_SETTING, "escrow_policy", false},
	    {ADMIN_SETTING, "address", false},
	    {ADMIN_SETTING, "system_admins", true},
	    {ADMIN_SETTING, "app_creators", true},
	    {ADMIN_SETTING, "system_admins2", false},
	    {ADMIN_BACKUP_DONE, "", false}, {ADMIN_JOINS, "", false},
	    {ADMIN_CERT_NEXT, "", false}, {ADMIN_CERT_STATE, "", false},
	    {ADMIN_CERTIFICATE, "", false}, {ADMIN_BACKUPS, "", false},
	    {ADMIN_ESCROW, "", false}, {ADMIN_ROTATE_BEGIN, "", false},
	    {ADMIN_ROTATE_FINISH, "", false}, {ADMIN_REENCRYPT, "", false},
	    {ADMIN_APP_ADD, "shop", true}, {ADMIN_APP_REMOVE, "shop", true},
	    {ADMIN_APP_GRANT, "shop", true}, {ADMIN_APP_REVOKE, "shop", true},
	    {ADMIN_APPS, "", true}, {ADMIN_APP_COUNT, "shop", true},
	    {0, "", false}, {255, "", false}};
	struct clv_rd rd;
	int fd;

	caller_uid = 1002;
	rig.member.is_server_node = true;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		unsigned before = admin_requests;

		fd = dial();
		begin_admin(requests[i].op, requests[i].first);
		ck_assert_int_eq(ask(fd, CLV_API_ADMIN, &rd),
		    requests[i].passed ? 1 : CLV_E_DENIED);
		ck_assert_uint_eq(admin_requests, before + requests[i].passed);
		if (requests[i].passed) {
			ck_assert_uint_eq(admin_op, requests[i].op);
			ck_assert_uint_eq(admin_uid, 1002);
			admin_answers("done");
		}
		close(fd);
		rig_settle();
	}
	fd = dial();
	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_ADMIN, &rd), CLV_E_DENIED);
	close(fd);
}
END_TEST

START_TEST(answer_about_administration_reaches_whoever_waits_for_it)
{
	struct clv_rd rd;
	int fd = dial();

	rig.member.is_server_node = true;
	begin_admin(ADMIN_APPS, "");
	say(fd, CLV_API_ADMIN, 0, 7);
	admin_answers("the answer");
	ck_assert_int_eq(hear(fd, 7, &rd), CLV_OK);
	ck_assert_uint_eq(rd.len, 10);
	ck_assert_mem_eq(rd.p, "the answer", 10);
	begin_admin(ADMIN_APPS, "");
	say(fd, CLV_API_ADMIN, 0, 8);
	close(fd);
	rig_settle();
	admin_answers("nobody hears it");
}
END_TEST

START_TEST(member_host_administers_nothing)
{
	struct clv_rd rd;
	unsigned before = admin_requests;
	int fd = dial();

	rig.member.is_server_node = false;
	begin_admin(ADMIN_APPS, "");
	ck_assert_int_eq(ask(fd, CLV_API_ADMIN, &rd), CLV_E_NOT_ACTIVE);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "on a server node"));
	ck_assert_uint_eq(admin_requests, before);
	close(fd);
}
END_TEST

START_TEST(a_changed_list_counts_at_once)
{
	struct clv_rd rd;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	apps[1].users.count = 0;
	rig.member.who_version++;
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_E_DENIED);
	close(fd);
}
END_TEST

START_TEST(without_a_permit_nothing_is_written)
{
	struct clv_rd rd;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	rig.now += 60001;
	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_E_AWAY);
	ck_assert_int_eq(request(fd, CLV_API_SEAL, "shop", &rd), CLV_E_AWAY);
	ck_assert_int_eq(request(fd, CLV_API_DELETE, "shop", &rd), CLV_E_AWAY);
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_OK);
	rig.member.state = CLV_MEMBER_AWAY;
	strcpy(rig.member.failure, "no answer in time");
	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_E_AWAY);
	ck_assert_ptr_nonnull(
	    strstr(text_of(&rd), "cannot be reached since the start"));
	rig.config.encrypt_when_away = true;
	ck_assert_int_eq(request(fd, CLV_API_SEAL, "shop", &rd), CLV_OK);
	close(fd);
}
END_TEST

START_TEST(a_copy_of_another_host_reads_and_writes_nothing)
{
	struct clv_rd rd;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	strcpy(rig.k.copied, "a copy");
	/* It does not wait, as a write does while the service moves, */
	member_permit(&rig.member, rig.now + 60000);
	ck_assert_int_eq(
	    request(fd, CLV_API_PUT, "shop", &rd), CLV_E_NOT_READY);
	ck_assert_str_eq(text_of(&rd), "a copy");
	ck_assert_int_eq(
	    request(fd, CLV_API_SEAL, "shop", &rd), CLV_E_NOT_READY);
	ck_assert_int_eq(
	    request(fd, CLV_API_DELETE, "shop", &rd), CLV_E_NOT_READY);
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_OK);
	/* and is not let by what lets a host go on alone. */
	rig.member.state = CLV_MEMBER_AWAY;
	rig.config.encrypt_when_away = true;
	ck_assert_int_eq(
	    request(fd, CLV_API_SEAL, "shop", &rd), CLV_E_NOT_READY);
	close(fd);
}
END_TEST

/* The service moves: nothing may be written from now on. */
static void
service_leaves(void)
{
	member_permit(&rig.member, rig.now + 60000);
	member_permit(&rig.member, 0);
	rig.member.state = CLV_MEMBER_AWAY;
	api_on_change(&rig.k);
}

static void
service_is_back(void)
{
	member_permit(&rig.member, rig.now + 60000);
	rig.member.state = CLV_MEMBER_FRESH;
	api_on_change(&rig.k);
}

START_TEST(a_write_waits_while_the_service_moves)
{
	int fd = dial(), other = dial();
	struct clv_rd rd;
	const uint8_t *p;
	size_t len;

	service_leaves();
	begin_put("shop", "a", 1, "geheim");
	say(fd, CLV_API_PUT, 0, 1);
	in_app("shop", "");
	clv_buf_bytes(&body, "x", 1);
	say(other, CLV_API_SEAL, 0, 2);
	rig_advance(API_HOLD_MS - 1);
	ck_assert_int_eq(hear(fd, 1, &rd), 1);
	ck_assert_int_eq(hear(other, 2, &rd), 1);
	service_is_back();
	rig_settle();
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 1);
	ck_assert_int_eq(hear(other, 2, &rd), CLV_OK);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(len, 1 + CLV_RECORD_EXTRA);
	begin_get("shop", "a");
	ck_assert_int_eq(ask(fd, CLV_API_GET, &rd), CLV_OK);
	ck_assert_uint_eq(rig.member.vault->queued, 0);
	close(fd);
	close(other);
}
END_TEST

START_TEST(it_waits_for_no_longer_than_a_move_takes)
{
	struct clv_rd rd;
	int fd = dial();

	service_leaves();
	rig_advance(API_HOLD_MS / 2);
	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 1);
	rig_advance(API_HOLD_MS / 2 - 1);
	ck_assert_int_eq(hear(fd, 1, &rd), 1);
	rig_advance(1);
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_E_AWAY);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "cannot be reached"));
	/* the server is away: that is said at once */
	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_E_AWAY);
	/* a right that has run out is one that has ended */
	service_is_back();
	rig.now += 60000;
	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 2);
	ck_assert_int_eq(hear(fd, 2, &rd), 1);
	service_is_back();
	rig_settle();
	ck_assert_int_eq(hear(fd, 2, &rd), CLV_OK);
	close(fd);
}
END_TEST

START_TEST(what_comes_behind_a_waiting_write_keeps_its_order)
{
	struct clv_rd rd;
	int fd = dial();

	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	service_leaves();
	begin_put("shop", "a", 1, "2");
	say(fd, CLV_API_PUT, 0, 1);
	begin_get("shop", "a");
	say(fd, CLV_API_GET, 0, 2);
	rig_settle();
	ck_assert_int_eq(hear(fd, 1, &rd), 1);
	service_is_back();
	rig_settle();
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_OK);
	rig_settle();
	ck_assert_int_eq(hear(fd, 2, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 2);
	close(fd);
}
END_TEST

START_TEST(who_may_write_is_asked_when_the_time_has_come)
{
	struct clv_rd rd;
	int fd = dial();

	service_leaves();
	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 1);
	apps[1].users.count = 0;
	rig.member.who_version++;
	service_is_back();
	rig_settle();
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_E_DENIED);
	ck_assert_ptr_null(rig_row("shop", "a", 0));
	close(fd);
}
END_TEST

/* 0: it comes, 1: it does not come, and that is said, 2: it is not said. */
START_TEST(what_was_just_granted_waits_for_the_list)
{
	struct member *m = &rig.member;
	int fd = dial(), r;
	struct clv_rd rd;

	ck_assert_int_eq(request(fd, CLV_API_LIST, "bank", &rd), CLV_E_DENIED);
	m->up = true;
	ck_assert_int_eq(request(fd, CLV_API_LIST, "bank", &rd), CLV_E_DENIED);
	m->told_list = m->apps_version + 1;
	in_app("bank", "");
	say(fd, CLV_API_LIST, 0, 1);
	rig_advance(API_LIST_MS - 1);
	api_on_change(&rig.k); /* the keys come first */
	ck_assert_int_eq(hear(fd, 1, &rd), 1);
	if (_i == 0) {
		apps[0].users = (struct auth_acl){shop_users, users, 1};
		m->apps_version++;
		m->who_version++;
	}
	if (_i == 2)
		rig_advance(1);
	else
		api_on_list(&rig.k);
	rig_settle();
	r = hear(fd, 1, &rd);
	if (_i == 0)
		ck_assert(r != CLV_E_DENIED && r != 1);
	else
		ck_assert_int_eq(r, CLV_E_DENIED);
	ck_assert_uint_eq(m->vault->queued, 0);
	/* who is away knows what there is */
	m->told_list = m->apps_version + 1;
	m->state = CLV_MEMBER_AWAY;
	ck_assert_int_eq(request(fd, CLV_API_LIST, "none", &rd), CLV_E_DENIED);
	close(fd);
}
END_TEST

START_TEST(waiting_writes_are_bounded_and_leave_nothing)
{
	size_t before = clv_guard_used(rig.k.guard);
	char value[60001];
	struct clv_rd rd;
	int fds[5], held = 0;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	service_leaves();
	for (uint8_t i = 0; i < 5; i++) {
		fds[i] = dial();
		begin_put("shop", "a", i + 1, value);
		say(fds[i], CLV_API_PUT, 0, i + 1u);
		held += hear(fds[i], i + 1u, &rd) == 1;
	}
	ck_assert_int_eq(held, VAULT_QUEUE_LEN / 2 / 60000);
	ck_assert_uint_gt(clv_guard_used(rig.k.guard), before + 60000);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	rig_poll();
	ck_assert_uint_eq(rig.k.api->count, 0);
	ck_assert_uint_eq(clv_guard_used(rig.k.guard), before);
	ck_assert_uint_eq(rig.member.vault->queued, 0);
	fds[0] = dial();
	begin_put("shop", "a", 1, value);
	say(fds[0], CLV_API_PUT, 0, 1);
	api_end(); /* the daemon ends meanwhile */
	ck_assert_uint_eq(clv_guard_used(rig.k.guard), before);
	close(fds[0]);
}
END_TEST

START_TEST(who_reads_finds_room_beside_waiting_writes)
{
	static char value[60000];
	struct clv_rd rd;
	int fds[4];

	service_leaves();
	for (uint8_t i = 0; i < 4; i++) {
		fds[i] = dial();
		in_app("shop", "a");
		clv_buf_raw(&body, value, CLV_API_ID_LEN);
		clv_buf_u32(&body, 0);
		clv_buf_bytes(&body, value, sizeof(value));
		say(fds[i], CLV_API_PUT, 0, i + 1u);
	}
	close(fds[3]);
	fds[3] = dial();
	in_app("shop", "x"); /* whose keys are not here yet */
	clv_buf_bytes(&body, value, sizeof(value));
	ck_assert_int_eq(ask(fds[3], CLV_API_OPEN, &rd), CLV_E_VERSION);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}
END_TEST

/* Told why, and nothing after it. */
static void
is_ended(int fd, int result, const char *why)
{
	struct clv_rd rd;

	ck_assert_int_eq(hear(fd, 0, &rd), result);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), why));
	ck_assert_int_eq(hear(fd, 0, &rd), -1000);
	close(fd);
}

START_TEST(messages_that_cannot_be_end_the_connection)
{
	static uint8_t big[CLV_API_MSG_MAX + 1];
	struct clv_api_header h = {
	    .magic = CLV_API_MAGIC, .op = CLV_API_STATUS, .id = 1};
	struct clv_api_header bad[4] = {h, h, h, h};
	struct clv_rd rd;
	int fd, other = dial();

	begin_put("shop", "a", 1, "geheim");
	say(other, CLV_API_PUT, 0, 7);
	bad[0].magic ^= 1;
	bad[1].len = 1;
	bad[2].result = -1;
	for (size_t i = 0; i < 3; i++) {
		fd = dial();
		ck_assert_int_eq(send(fd, &bad[i], sizeof(h), 0), sizeof(h));
		is_ended(fd, CLV_E_PROTOCOL, "no message of");
	}
	for (size_t n = 1; n < sizeof(h); n++) {
		fd = dial();
		ck_assert_int_eq(send(fd, &h, n, 0), (ssize_t)n);
		is_ended(fd, CLV_E_PROTOCOL, "no message of");
	}
	fd = dial(); /* nothing looks like the end */
	ck_assert_int_eq(send(fd, &h, 0, 0), 0);
	ck_assert_int_eq(hear(fd, 1, &rd), -1000);
	close(fd);
	h.len = sizeof(big) - sizeof(h);
	memcpy(big, &h, sizeof(h));
	fd = dial();
	ck_assert_int_eq(send(fd, big, sizeof(big), 0), sizeof(big));
	is_ended(fd, CLV_E_FULL, "65536 bytes");
	/* the largest is only malformed */
	h.len--;
	memcpy(big, &h, sizeof(h));
	fd = dial();
	ck_assert_int_eq(send(fd, big, sizeof(big) - 1, 0), sizeof(big) - 1);
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_E_PROTOCOL);
	close(fd);
	rig_poll();
	ck_assert_uint_eq(rig.k.api->count, 1);
	/* Whoever was there before has not noticed. */
	rig_settle();
	ck_assert_int_eq(hear(other, 7, &rd), CLV_OK);
	close(other);
}
END_TEST

START_TEST(descriptors_are_not_taken)
{
	struct clv_api_header h = {
	    .magic = CLV_API_MAGIC, .op = CLV_API_STATUS, .id = 1};
	char room[CMSG_SPACE(sizeof(int))] = "", c;
	struct iovec iov = {&h, sizeof(h)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = room,
	    .msg_controllen = sizeof(room)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	int fd = dial(), ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &ends[1], sizeof(int));
	ck_assert_int_eq(sendmsg(fd, &m, 0), sizeof(h));
	close(ends[1]);
	is_ended(fd, CLV_E_PROTOCOL, "no descriptors");
	ck_assert_int_eq(read(ends[0], &c, 1), 0); /* nobody has it */
	close(ends[0]);
}
END_TEST

START_TEST(truncated_requests_are_refused)
{
	struct clv_buf whole;
	struct clv_rd rd;
	int fd = dial();

	begin_put("shop", "a", 1, "geheim");
	clv_buf_init(&whole);
	clv_buf_raw(&whole, body.data, body.len);
	clv_buf_fini(&body);
	for (size_t n = 0; n < whole.len; n++) {
		clv_buf_raw(&body, whole.data, n);
		ck_assert_int_eq(ask(fd, CLV_API_PUT, &rd), CLV_E_PROTOCOL);
		ck_assert_ptr_nonnull(strstr(text_of(&rd), "malformed"));
	}
	clv_buf_raw(&body, whole.data, whole.len);
	clv_buf_u8(&body, 0); /* something behind it */
	ck_assert_int_eq(ask(fd, CLV_API_PUT, &rd), CLV_E_PROTOCOL);
	clv_buf_fini(&whole);
	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, 99, &rd), CLV_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "does not know"));
	ck_assert_int_eq(ask(fd, CLV_API_EVENT, &rd), CLV_E_PROTOCOL);
	ck_assert_uint_eq(rig.db.row_count, 0);
	close(fd);
}
END_TEST

START_TEST(a_long_name_is_called_so)
{
	char name[300];
	struct clv_rd rd;
	int fd = dial();

	memset(name, 'n', sizeof(name));
	name[200] = '\0';
	begin_get("shop", name);
	ck_assert_int_eq(ask(fd, CLV_API_GET, &rd), CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "1 to 128"));
	begin_put("shop", name, 1, "x");
	ck_assert_int_eq(ask(fd, CLV_API_PUT, &rd), CLV_E_INVALID);
	begin_get("shop", "a\nb");
	ck_assert_int_eq(ask(fd, CLV_API_GET, &rd), CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "1 to 128"));
	in_app("shop", "");
	body.len -= 4;
	clv_buf_bytes(&body, "a\0b", 3);
	clv_buf_u64(&body, 0);
	ck_assert_int_eq(ask(fd, CLV_API_GET, &rd), CLV_E_INVALID);
	/* a context */
	memset(name, 'c', sizeof(name));
	name[256] = '\0';
	for (uint16_t op = CLV_API_SEAL; op <= CLV_API_OPEN; op++) {
		in_app("shop", name);
		clv_buf_bytes(&body, "x", 1);
		ck_assert_int_eq(ask(fd, op, &rd), CLV_E_INVALID);
		ck_assert_ptr_nonnull(strstr(text_of(&rd), "255"));
	}
	close(fd);
}
END_TEST

START_TEST(names_that_no_application_has)
{
	static const char *const bad[] = {"", ".", "..", "-a", ".a", "a/b",
	    "../shop", "a b", "a\n", "shop\033[2J", "a'b", "\303\244",
	    "a234567890123456789012345678901234567890123456789012345678901234"
	    "5"};
	static const uint16_t ops[] = {CLV_API_GET, CLV_API_PUT, CLV_API_DELETE,
	    CLV_API_LIST, CLV_API_HISTORY, CLV_API_SEAL, CLV_API_OPEN};
	struct clv_rd rd;
	int fd;

	caller_uid = 0;
	fd = dial();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t j = 0; j < sizeof(ops) / sizeof(ops[0]); j++) {
			ck_assert_int_eq(
			    request(fd, ops[j], bad[i], &rd), CLV_E_INVALID);
			ck_assert_ptr_nonnull(strstr(text_of(&rd), "1 to 64"));
		}
	ck_assert_int_eq(
	    request(fd, CLV_API_GET, "none", &rd), CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "no application none"));
	close(fd);
}
END_TEST

START_TEST(the_second_request_waits_for_the_first)
{
	struct clv_rd rd;
	int fd = dial();

	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 1);
	begin_get("shop", "a");
	say(fd, CLV_API_GET, 0, 2);
	clv_buf_init(&body);
	say(fd, CLV_API_STATUS, 0, 3);
	ck_assert_int_eq(hear(fd, 1, &rd), 1);
	rig_settle();
	ck_assert_int_eq(hear(fd, 1, &rd), CLV_OK);
	ck_assert_int_eq(hear(fd, 2, &rd), 1);
	rig_settle();
	ck_assert_int_eq(hear(fd, 2, &rd), CLV_OK);
	ck_assert_uint_eq(clv_rd_u64(&rd), 1);
	ck_assert_int_eq(hear(fd, 3, &rd), CLV_OK);
	close(fd);
}
END_TEST

START_TEST(who_hangs_up_while_it_is_done)
{
	struct clv_rd rd;
	int fd = dial();

	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 1);
	close(fd);
	rig_poll();
	ck_assert_uint_eq(rig.k.api->count, 0);
	rig_settle();
	fd = dial();
	begin_put("shop", "b", 2, "1");
	say(fd, CLV_API_PUT, 0, 1);
	begin_get("shop", "a");
	say(fd, CLV_API_GET, 0, 2); /* not read before the first is done */
	rig_poll();
	close(fd);
	rig_settle();
	rig_poll();
	ck_assert_uint_eq(rig.k.api->count, 0);
	fd = dial();
	ck_assert_int_eq(request(fd, CLV_API_GET, "shop", &rd), CLV_OK);
	ck_assert_ptr_nonnull(rig_row("shop", "b", 0));
	close(fd);
}
END_TEST

START_TEST(the_daemon_ends_while_it_is_done)
{
	struct clv_rd rd;
	int fd = dial();

	begin_put("shop", "a", 1, "1");
	say(fd, CLV_API_PUT, 0, 1);
	api_end();
	rig_settle();
	ck_assert_int_eq(recv(fd, &msg, sizeof(msg), 0), 0);
	close(fd);
	(void)rd;
}
END_TEST

START_TEST(who_does_not_read_is_let_go)
{
	char value[60001];
	struct clv_rd rd;
	int fd = dial();
	unsigned n;

	memset(value, 'v', sizeof(value));
	value[60000] = '\0';
	begin_put("shop", "a", 1, value);
	ck_assert_int_eq(ask(fd, CLV_API_PUT, &rd), CLV_OK);
	for (n = 0; n < 1000 && rig.k.api->count > 0; n++) {
		begin_get("shop", "a");
		say(fd, CLV_API_GET, 0, 1);
		rig_settle();
		rig_poll();
	}
	ck_assert_uint_lt(n, 1000);
	while (recv(fd, &msg, sizeof(msg), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(recv(fd, &msg, sizeof(msg), MSG_DONTWAIT), 0);
	close(fd);
}
END_TEST

START_TEST(connections_are_bounded)
{
	static int fds[API_CONNS_USER_MAX + 1];
	struct clv_rd rd;
	int fd;

	for (size_t i = 0; i < API_CONNS_USER_MAX; i++)
		fds[i] = dial();
	fd = dial();
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_E_BUSY);
	ck_assert_ptr_nonnull(strstr(text_of(&rd), "too many connections"));
	close(fd);
	caller_uid = 1001; /* another user is not kept out by it */
	fd = dial();
	ck_assert_int_eq(request(fd, CLV_API_PUT, "shop", &rd), CLV_OK);
	close(fd);
	for (size_t i = 0; i < API_CONNS_USER_MAX; i++)
		close(fds[i]);
	rig_poll();
	ck_assert_uint_eq(rig.k.api->count, 0);
}
END_TEST

START_TEST(root_always_finds_a_place)
{
	static int fds[API_CONNS_MAX];
	struct clv_rd rd;
	size_t n = 0;
	int fd;

	for (; n < API_CONNS_MAX - API_CONNS_ROOT; n++) {
		caller_uid = 2000 + (uid_t)(n % 50);
		fds[n] = dial();
	}
	fd = dial();
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_E_BUSY);
	close(fd);
	caller_uid = 0;
	fds[n++] = dial();
	ck_assert_int_eq(request(fds[n - 1], CLV_API_PUT, "shop", &rd), CLV_OK);
	for (; n < API_CONNS_MAX; n++)
		fds[n] = dial();
	fd = dial();
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_E_BUSY);
	close(fd);
	while (n > 0)
		close(fds[--n]);
	rig_poll();
}
END_TEST

START_TEST(a_caller_without_groups_is_turned_away)
{
	struct clv_rd rd;
	int fd;

	no_groups = true;
	fd = dial();
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_E_SYSTEM);
	close(fd);
}
END_TEST

START_TEST(a_host_of_no_system_says_so)
{
	struct clv_rd rd;
	int fd = dial();

	rig.k.member = NULL;
	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_STATUS, &rd), CLV_E_NOT_READY);
	rig.k.member = &rig.member;
	close(fd);
}
END_TEST

START_TEST(changes_are_told)
{
	struct clv_rd rd;
	int fd = dial();

	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_SUBSCRIBE, &rd), CLV_OK);
	member_event(&rig.member, MEMBER_EV_REFRESHED, "");
	ck_assert_int_eq(hear(fd, 0, &rd), 1); /* nothing new */
	member_event(&rig.member, MEMBER_EV_FAILED, "");
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_OK);
	ck_assert_uint_eq(msg.h.op, CLV_API_EVENT);
	ck_assert_uint_eq(clv_rd_u8(&rd), CLV_MEMBER_AWAY);
	rig.member.generation = 2;
	member_event(&rig.member, MEMBER_EV_REFRESHED, "");
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_OK);
	ck_assert_int_eq(hear(fd, 0, &rd), 1);
	rig.member.seen.epoch++; /* a failover that nobody noticed */
	member_event(&rig.member, MEMBER_EV_REFRESHED, "");
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_OK);
	ck_assert_int_eq(hear(fd, 0, &rd), 1);
	/* ... also while a request is under way */
	begin_get("shop", "a");
	say(fd, CLV_API_GET, 0, 5);
	member_event(&rig.member, MEMBER_EV_FAILED, "");
	rig_settle();
	ck_assert_int_eq(hear(fd, 0, &rd), CLV_OK);
	ck_assert_int_eq(hear(fd, 5, &rd), CLV_E_NOT_FOUND);
	close(fd);
}
END_TEST

START_TEST(a_subscriber_that_does_not_read_is_let_go)
{
	struct clv_rd rd;
	int fd = dial(), other = dial();
	unsigned n;

	clv_buf_init(&body);
	ck_assert_int_eq(ask(fd, CLV_API_SUBSCRIBE, &rd), CLV_OK);
	clv_buf_init(&body);
	ck_assert_int_eq(ask(other, CLV_API_SUBSCRIBE, &rd), CLV_OK);
	for (n = 0; n < 100000 && rig.k.api->count > 1; n++) {
		member_event(&rig.member,
		    n % 2 == 0 ? MEMBER_EV_FAILED : MEMBER_EV_REFRESHED, "");
		ck_assert_int_eq(hear(other, 0, &rd), CLV_OK);
	}
	ck_assert_uint_lt(n, 100000);
	close(fd);
	close(other);
}
END_TEST

/* Credentials for systemd. */

static int
dial_as(const char *address, size_t len)
{
	struct sockaddr_un me = {.sun_family = AF_UNIX};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (address != NULL) {
		memcpy(me.sun_path + 1, address, len);
		ck_assert_int_eq(
		    bind(fd, (struct sockaddr *)&me,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    len)),
		    0);
	}
	strcpy(sa.sun_path, credentials_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	rig_poll();
	return fd;
}

/* What comes until the end: its length. */
static size_t
credential(const char *address)
{
	char path[108];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%x%s", randombytes_random(), address);
	fd = dial_as(path, strlen(path));
	rig_settle();
	while ((n = recv(fd, msg.body + len, sizeof(msg.body) - len,
		    MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0);
	close(fd);
	return len;
}

START_TEST(a_unit_gets_its_credential)
{
	static char big[CLV_VALUE_MAX + 1];

	ck_assert_int_eq(rig_put("shop", "token", "geheim")->result, CLV_OK);
	ck_assert_uint_eq(credential("/unit/shop.service/token"), 6);
	ck_assert_mem_eq(msg.body, "geheim", 6);
	ck_assert_uint_eq(credential("/unit/other.service/token"), 0);
	ck_assert_ptr_nonnull(strstr(rig.log, "grant APP unit:UNIT"));
	ck_assert_uint_eq(credential("/unit/shop.service/none"), 0);
	ck_assert_ptr_nonnull(strstr(rig.log, "no secret none"));
	memset(big, 'b', CLV_VALUE_MAX);
	ck_assert_int_eq(rig_put("shop", "big", big)->result, CLV_OK);
	ck_assert_uint_eq(credential("/unit/shop.service/big"), CLV_VALUE_MAX);
	/* root's rights are not the unit's */
	strcpy(shop_users, "user:web");
	ck_assert_uint_eq(credential("/unit/shop.service/token"), 0);
}
END_TEST

START_TEST(a_unit_of_two_applications_gets_nothing)
{
	strcpy(bank_users, "unit:shop.service");
	apps[0].users.count = 1;
	ck_assert_int_eq(rig_put("shop", "token", "geheim")->result, CLV_OK);
	ck_assert_uint_eq(credential("/unit/shop.service/token"), 0);
	ck_assert_ptr_nonnull(strstr(rig.log, "several applications"));
}
END_TEST

START_TEST(addresses_that_name_no_credential)
{
	static const char *const bad[] = {"", "/unit/", "/unit//",
	    "/unit//token", "/unit/shop.service", "/unit/shop.service/",
	    "/unit/shop.service/a/b", "/init/shop.service/token",
	    "/unit/shop.service/.x", "/unit/shop.service/a b"};
	int fd;

	ck_assert_int_eq(rig_put("shop", "token", "geheim")->result, CLV_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig.log[0] = '\0';
		ck_assert_uint_eq(credential(bad[i]), 0);
		ck_assert_msg(
		    strstr(rig.log, "was refused") != NULL, "%s", bad[i]);
	}
	fd = dial_as(NULL, 0);
	ck_assert_int_eq(recv(fd, msg.body, 1, MSG_DONTWAIT), 0);
	close(fd);
	/* as long as an address can be */
	memset(msg.body, 'x', 107);
	memcpy(msg.body, "r/unit/", 7);
	msg.body[50] = '/';
	fd = dial_as((const char *)msg.body, 107);
	ck_assert_int_eq(recv(fd, msg.body, 1, MSG_DONTWAIT), 0);
	close(fd);
}
END_TEST

START_TEST(only_root_asks_for_credentials)
{
	ck_assert_int_eq(rig_put("shop", "token", "geheim")->result, CLV_OK);
	peer_uid = 1000;
	ck_assert_uint_eq(credential("/unit/shop.service/token"), 0);
	ck_assert_ptr_nonnull(strstr(rig.log, "was refused"));
	ck_assert_ptr_nonnull(strstr(rig.log, "which is root"));
}
END_TEST

/* While the database is slow. Whatever they send is not read. */
START_TEST(credentials_that_wait_are_bounded)
{
	enum { WAITING = 64 };
	char address[64], c;
	int fds[WAITING + 1];

	ck_assert_int_eq(rig_put("shop", "token", "geheim")->result, CLV_OK);
	rig_restart();
	for (unsigned i = 0; i <= WAITING; i++) {
		snprintf(address, sizeof(address),
		    "%x.%u/unit/shop.service/token", randombytes_random(), i);
		fds[i] = dial_as(address, strlen(address));
		(void)send(fds[i], msg.body, 1000, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	ck_assert_uint_eq(rig.k.api->credentials_waiting, WAITING);
	ck_assert_ptr_nonnull(strstr(rig.log, "too many wait"));
	ck_assert_int_eq(recv(fds[0], &c, 1, MSG_DONTWAIT), -1);
	rig_settle();
	ck_assert_uint_eq(rig.k.api->credentials_waiting, 0);
	for (unsigned i = 0; i < WAITING; i++) {
		ck_assert_int_eq(recv(fds[i], msg.body, 7, MSG_DONTWAIT), 6);
		ck_assert_mem_eq(msg.body, "geheim", 6);
	}
	for (unsigned i = 0; i <= WAITING; i++)
		close(fds[i]);
	ck_assert_uint_eq(credential("/unit/shop.service/token"), 6);
}
END_TEST

START_TEST(the_daemon_ends_while_a_credential_waits)
{
	static const char address[] = "r1/unit/shop.service/token";
	int fd = dial_as(address, sizeof(address) - 1);

	ck_assert_uint_eq(rig.k.api->credentials_waiting, 1);
	api_end();
	while (rig.calls != NULL)
		rig_fail_call(rig.calls, CLV_E_CANCELLED);
	ck_assert_int_eq(recv(fd, msg.body, 1, MSG_DONTWAIT), 0);
	close(fd);
}
END_TEST

/* The library's client, against a daemon in a thread. */

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop, paused;
static unsigned cut; /* so many requests' connections break first */

static void *
serve(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!stop) {
		struct pollfd p[16];
		nfds_t n = (nfds_t)rig_watched(p, 16);

		pthread_mutex_unlock(&lock);
		(void)poll(p, n, 2);
		pthread_mutex_lock(&lock);
		if (paused || rig.k.api == NULL)
			continue;
		rig_poll();
		if (cut > 0 && rig.calls != NULL) {
			cut--;
			rig_do(rig.calls); /* done, but nobody is told */
			api_end();
			listen_again();
		}
		rig_settle();
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void
set_up_thread(void)
{
	set_up();
	stop = paused = false;
	cut = 0;
	peer_uid = geteuid();
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void
tear_down_thread(void)
{
	pthread_mutex_lock(&lock);
	stop = true;
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	tear_down();
}

static struct clv_client *
client(void)
{
	struct clv_client *c = NULL;

	ck_assert_int_eq(clv_client_open(api_path, &c), CLV_OK);
	return c;
}

START_TEST(the_library_does_all_of_it)
{
	struct clv_client *c = client();
	struct clv_secret_version *versions;
	struct clv_secret_name *names;
	struct clv_client_app *list;
	struct clv_client_status status;
	struct clv_secret *s = NULL, *plain = NULL;
	uint64_t version = 0;
	bool more;
	size_t n;

	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", "geheim", 6, 0, &version), CLV_OK);
	ck_assert_uint_eq(version, 1);
	ck_assert_int_eq(clv_client_get(c, "shop", "a", 0, 0, &s), CLV_OK);
	ck_assert_str_eq((const char *)s->data, "geheim");
	ck_assert_uint_eq(s->len, 6);
	ck_assert_uint_eq(s->version, 1);
	clv_secret_free(&s);
	ck_assert_int_eq(
	    clv_client_list(c, "shop", "", &names, &n, &more), CLV_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert(!more);
	ck_assert_str_eq(names[0].name, "a");
	free(names);
	ck_assert_int_eq(
	    clv_client_history(c, "shop", "a", &versions, &n), CLV_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert(versions[0].current && !versions[0].deleted);
	free(versions);
	ck_assert_int_eq(clv_client_apps(c, "", &list, &n, &more), CLV_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(list[0].name, "shop");
	ck_assert_uint_eq(list[0].roles, AUTH_APP_USER);
	free(list);
	ck_assert_int_eq(clv_client_seal(c, "shop", "x", "y", 1, &s), CLV_OK);
	ck_assert_int_eq(
	    clv_client_unseal(c, "shop", "x", s->data, s->len, &plain), CLV_OK);
	ck_assert_str_eq((const char *)plain->data, "y");
	clv_secret_free(&plain);
	ck_assert_int_eq(
	    clv_client_unseal(c, "shop", "z", s->data, s->len, &plain),
	    CLV_E_DAMAGED);
	ck_assert_ptr_nonnull(strstr(clv_client_text(c), "context"));
	clv_secret_free(&s);
	ck_assert_int_eq(clv_client_get_status(c, &status), CLV_OK);
	ck_assert(status.may_encrypt);
	ck_assert_int_eq(clv_client_delete(c, "shop", "a", &version), CLV_OK);
	ck_assert_uint_eq(version, 2);
	ck_assert_int_eq(
	    clv_client_get(c, "shop", "a", 0, 0, &s), CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    clv_client_get(c, "bank", "a", 0, 0, &s), CLV_E_DENIED);
	clv_client_close(&c);
}
END_TEST

START_TEST(the_library_knows_the_limits)
{
	static uint8_t big[CLV_API_MSG_MAX];
	struct clv_client *c = client();
	struct clv_secret *s = NULL;

	ck_assert_int_eq(clv_client_put(c, "shop", "a", big, CLV_VALUE_MAX,
			     CLV_API_KEEP_DEFAULT, NULL),
	    CLV_OK);
	ck_assert_int_eq(clv_client_get(c, "shop", "a", 0, 0, &s), CLV_OK);
	ck_assert_uint_eq(s->len, CLV_VALUE_MAX);
	clv_secret_free(&s);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", big, CLV_VALUE_MAX + 1, 0, NULL),
	    CLV_E_FULL);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", big, sizeof(big), 0, NULL),
	    CLV_E_FULL);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "e", "", 0, 0, NULL), CLV_OK);
	ck_assert_int_eq(clv_client_get(c, "shop", "e", 0, 0, &s), CLV_OK);
	ck_assert_uint_eq(s->len, 0);
	clv_secret_free(&s);
	clv_client_close(&c);
}
END_TEST

START_TEST(a_write_is_repeated_over_a_new_connection)
{
	struct clv_client *c = client();
	uint64_t version = 0;

	ck_assert_int_eq(
	    clv_client_put(c, "shop", "x", "0", 1, 0, &version), CLV_OK);
	pthread_mutex_lock(&lock);
	cut = 3;
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", "1", 1, 0, &version), CLV_OK);
	ck_assert_uint_eq(version, 1);
	pthread_mutex_lock(&lock);
	ck_assert_uint_eq(cut, 0);
	ck_assert_uint_eq(rig.db.row_count, 2);
	pthread_mutex_unlock(&lock);
	clv_client_close(&c);
}
END_TEST

START_TEST(what_cannot_be_told_is_unknown)
{
	struct clv_client *c = client();

	ck_assert_int_eq(
	    clv_client_put(c, "shop", "x", "0", 1, 0, NULL), CLV_OK);
	pthread_mutex_lock(&lock);
	paused = true;
	pthread_mutex_unlock(&lock);
	clv_client_timeout(c, 50);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", "1", 1, 0, NULL), CLV_E_UNKNOWN);
	/* Nobody there, and nothing left: it was not done. */
	pthread_mutex_lock(&lock);
	api_end();
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(
	    clv_client_put(c, "shop", "a", "1", 1, 0, NULL), CLV_E_NO_SERVER);
	ck_assert_ptr_nonnull(strstr(clv_client_text(c), "is it running"));
	clv_client_close(&c);
}
END_TEST

START_TEST(whoever_is_turned_away_learns_why)
{
	struct clv_client *c = NULL;
	struct clv_client_status status;

	pthread_mutex_lock(&lock);
	no_groups = true;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < 20; i++) {
		c = client();
		ck_assert_int_eq(
		    clv_client_get_status(c, &status), CLV_E_SYSTEM);
		ck_assert_ptr_nonnull(strstr(clv_client_text(c), "groups"));
		ck_assert_int_eq(clv_client_fd(c), -1);
		clv_client_close(&c);
	}
}
END_TEST

START_TEST(a_socket_that_is_not_roots_gets_nothing)
{
	struct clv_client *c = NULL;

	peer_uid = geteuid() + 1;
	ck_assert_int_eq(clv_client_open(api_path, &c), CLV_E_PERMISSION);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(
	    clv_client_open("/nowhere/api.sock", &c), CLV_E_NO_SERVER);
}
END_TEST

START_TEST(events_come_between_answers)
{
	struct clv_client *c = client();
	struct clv_client_status s;
	struct clv_secret *secret = NULL;

	ck_assert_int_eq(clv_client_next_event(c, 0, &s), CLV_E_NO_SERVER);
	ck_assert_int_eq(clv_client_subscribe(c, &s), CLV_OK);
	ck_assert_int_eq(s.state, CLV_MEMBER_FRESH);
	ck_assert_int_eq(clv_client_next_event(c, 0, &s), CLV_E_TIMEOUT);
	pthread_mutex_lock(&lock);
	member_event(&rig.member, MEMBER_EV_FAILED, "");
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(
	    clv_client_get(c, "shop", "a", 0, 0, &secret), CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_client_next_event(c, 0, &s), CLV_OK);
	ck_assert_int_eq(s.state, CLV_MEMBER_AWAY);
	pthread_mutex_lock(&lock);
	member_event(&rig.member, MEMBER_EV_REFRESHED, "");
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(clv_client_next_event(c, 5000, &s), CLV_OK);
	ck_assert_int_eq(s.state, CLV_MEMBER_FRESH);
	clv_client_close(&c);
}
END_TEST

/* Streams. */

static struct tape {
	uint8_t data[400000];
	size_t len, at;
} from, to;

static ssize_t
tape_read(void *arg, void *p, size_t len)
{
	size_t left = from.len - from.at;

	(void)arg;
	len = len < left ? len : left;
	if (len > 7000)
		len = 7000; /* as a pipe does */
	memcpy(p, from.data + from.at, len);
	from.at += len;
	return (ssize_t)len;
}

static ssize_t
tape_write(void *arg, const void *p, size_t len)
{
	(void)arg;
	ck_assert_uint_le(to.len + len, sizeof(to.data));
	memcpy(to.data + to.len, p, len);
	to.len += len;
	return (ssize_t)len;
}

static const struct clv_stream_io tapes = {tape_read, tape_write, NULL};

/* What was written is read next. */
static void
rewind_tapes(size_t len)
{
	from = to;
	from.len = len;
	from.at = 0;
	to.len = 0;
}

#define STREAM_HEAD (16 + 4 + 32 + CLV_RECORD_EXTRA + 24)
#define STREAM_CHUNK (65536 + 17)

static int
unseal(struct clv_client *c, const char *context)
{
	return clv_client_unseal_stream(c, "shop", context, &tapes);
}

START_TEST(streams_of_any_length)
{
	static const size_t lens[] = {
	    0, 1, 65535, 65536, 65537, 131072, 204800};
	static uint8_t plain[204800];
	struct clv_client *c = client();

	randombytes_buf(plain, sizeof(plain));
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		memcpy(to.data, plain, lens[i]);
		to.len = lens[i];
		rewind_tapes(lens[i]);
		ck_assert_int_eq(
		    clv_client_seal_stream(c, "shop", "c", &tapes), CLV_OK);
		ck_assert_uint_eq(
		    to.len, STREAM_HEAD + lens[i] + 17 * (lens[i] / 65536 + 1));
		rewind_tapes(to.len);
		ck_assert_int_eq(unseal(c, "c"), CLV_OK);
		ck_assert_uint_eq(to.len, lens[i]);
		ck_assert_mem_eq(to.data, plain, lens[i]);
	}
	clv_client_close(&c);
}
END_TEST

static struct tape sealed;

static void
seal_zeros(struct clv_client *c, size_t len)
{
	memset(&to, 0, sizeof(to));
	to.len = len;
	rewind_tapes(len);
	ck_assert_int_eq(
	    clv_client_seal_stream(c, "shop", "c", &tapes), CLV_OK);
	sealed = to;
}

START_TEST(a_stream_that_was_cut_short)
{
	struct clv_client *c = client();
	int r;

	seal_zeros(c, 3 * 65536);
	for (size_t n = 0; n < sealed.len;) {
		to = sealed;
		rewind_tapes(n);
		r = unseal(c, "c");
		ck_assert_msg(
		    r == CLV_E_TRUNCATED || (n < 16 && r == CLV_E_FORMAT),
		    "%zu: %d", n, r);
		n += n < STREAM_HEAD + 40 ? 1
		     : (n - STREAM_HEAD) % STREAM_CHUNK == 0
			 ? 1
			 : STREAM_CHUNK - (n - STREAM_HEAD) % STREAM_CHUNK;
	}
	clv_client_close(&c);
}
END_TEST

START_TEST(a_stream_that_was_changed)
{
	struct clv_client *c = client();
	static uint8_t chunk[STREAM_CHUNK];
	uint8_t *one = sealed.data + STREAM_HEAD, *two = one + STREAM_CHUNK;

	seal_zeros(c, 3 * 65536);
	to = sealed;
	rewind_tapes(sealed.len);
	ck_assert_int_eq(unseal(c, "d"), CLV_E_DAMAGED);
	ck_assert_uint_eq(to.len, 0);
	/* chunks swapped */
	memcpy(chunk, one, sizeof(chunk));
	memmove(one, two, sizeof(chunk));
	memcpy(two, chunk, sizeof(chunk));
	to = sealed;
	rewind_tapes(sealed.len);
	ck_assert_int_eq(unseal(c, "c"), CLV_E_DAMAGED);
	ck_assert_uint_eq(to.len, 0);
	/* one left out */
	seal_zeros(c, 3 * 65536);
	to = sealed;
	memmove(to.data + STREAM_HEAD, two,
	    sealed.len - STREAM_HEAD - STREAM_CHUNK);
	rewind_tapes(sealed.len - STREAM_CHUNK);
	ck_assert_int_eq(unseal(c, "c"), CLV_E_DAMAGED);
	/* something behind the end */
	to = sealed;
	rewind_tapes(sealed.len + 1);
	ck_assert_int_ne(unseal(c, "c"), CLV_OK);
	/* bytes of head and body */
	for (size_t i = 0; i < STREAM_HEAD + 100; i++) {
		to = sealed;
		to.data[i] ^= 1;
		rewind_tapes(sealed.len);
		ck_assert_int_ne(unseal(c, "c"), CLV_OK);
		ck_assert_uint_eq(to.len, 0);
	}
	clv_client_close(&c);
}
END_TEST

START_TEST(a_stream_is_no_sealed_value)
{
	struct clv_client *c = client();
	struct clv_secret *s = NULL;
	char context[256];

	ck_assert_int_eq(clv_client_seal(c, "shop", "c", "x", 1, &s), CLV_OK);
	memcpy(to.data, s->data, s->len);
	rewind_tapes(s->len);
	ck_assert_int_eq(unseal(c, "c"), CLV_E_FORMAT);
	clv_secret_free(&s);
	memset(context, 'c', sizeof(context));
	context[239] = '\0';
	rewind_tapes(0);
	ck_assert_int_eq(
	    clv_client_seal_stream(c, "shop", context, &tapes), CLV_OK);
	strcat(context, "c");
	rewind_tapes(0);
	ck_assert_int_eq(
	    clv_client_seal_stream(c, "shop", context, &tapes), CLV_E_INVALID);
	clv_client_close(&c);
}
END_TEST

static Suite *
api_suite(void)
{
	Suite *s = suite_create("api");
	TCase *t = tcase_create("requests");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_operation_answers);
	tcase_add_test(t, an_inspection_comes_part_by_part);
	tcase_add_loop_test(t, administrators_alone_inspect, 0, 5);
	tcase_add_test(t, a_history_fits_into_its_answer);
	tcase_add_test(t, an_answer_that_is_too_long_is_a_failure);
	tcase_add_test(t, roles_decide);
	tcase_add_test(t, a_user_who_was_made_meanwhile_is_known_when_he_asks);
	tcase_add_test(t, a_user_who_was_made_meanwhile_sees_his_applications);
	tcase_add_test(t, only_administration_of_applications_is_passed_on);
	tcase_add_test(
	    t, answer_about_administration_reaches_whoever_waits_for_it);
	tcase_add_test(t, member_host_administers_nothing);
	tcase_add_test(t, a_changed_list_counts_at_once);
	tcase_add_test(t, without_a_permit_nothing_is_written);
	tcase_add_test(t, a_copy_of_another_host_reads_and_writes_nothing);
	tcase_add_test(t, a_write_waits_while_the_service_moves);
	tcase_add_loop_test(t, what_was_just_granted_waits_for_the_list, 0, 3);
	tcase_add_test(t, it_waits_for_no_longer_than_a_move_takes);
	tcase_add_test(t, what_comes_behind_a_waiting_write_keeps_its_order);
	tcase_add_test(t, who_may_write_is_asked_when_the_time_has_come);
	tcase_add_test(t, waiting_writes_are_bounded_and_leave_nothing);
	tcase_add_test(t, who_reads_finds_room_beside_waiting_writes);
	tcase_add_test(t, messages_that_cannot_be_end_the_connection);
	tcase_add_test(t, descriptors_are_not_taken);
	tcase_add_test(t, truncated_requests_are_refused);
	tcase_add_test(t, a_long_name_is_called_so);
	tcase_add_test(t, names_that_no_application_has);
	tcase_add_test(t, the_second_request_waits_for_the_first);
	tcase_add_test(t, who_hangs_up_while_it_is_done);
	tcase_add_test(t, the_daemon_ends_while_it_is_done);
	tcase_add_test(t, who_does_not_read_is_let_go);
	tcase_add_test(t, connections_are_bounded);
	tcase_add_test(t, root_always_finds_a_place);
	tcase_add_test(t, a_caller_without_groups_is_turned_away);
	tcase_add_test(t, a_host_of_no_system_says_so);
	tcase_add_test(t, changes_are_told);
	tcase_add_test(t, a_subscriber_that_does_not_read_is_let_go);
	suite_add_tcase(s, t);
	t = tcase_create("credentials");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_unit_gets_its_credential);
	tcase_add_test(t, a_unit_of_two_applications_gets_nothing);
	tcase_add_test(t, addresses_that_name_no_credential);
	tcase_add_test(t, only_root_asks_for_credentials);
	tcase_add_test(t, credentials_that_wait_are_bounded);
	tcase_add_test(t, the_daemon_ends_while_a_credential_waits);
	suite_add_tcase(s, t);
	t = tcase_create("library");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up_thread, tear_down_thread);
	tcase_add_test(t, the_library_does_all_of_it);
	tcase_add_test(t, the_library_knows_the_limits);
	tcase_add_test(t, a_write_is_repeated_over_a_new_connection);
	tcase_add_test(t, what_cannot_be_told_is_unknown);
	tcase_add_test(t, whoever_is_turned_away_learns_why);
	tcase_add_test(t, a_socket_that_is_not_roots_gets_nothing);
	tcase_add_test(t, events_come_between_answers);
	tcase_add_test(t, streams_of_any_length);
	tcase_add_test(t, a_stream_that_was_cut_short);
	tcase_add_test(t, a_stream_that_was_changed);
	tcase_add_test(t, a_stream_is_no_sealed_value);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(api_suite());
	struct rlimit files;
	int failed;

	/* Both ends of all connections are in one process. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
