/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_API_IMPL_H
#define CLAVIGERD_API_IMPL_H

#include <claviger/api.h>

#include "daemon/api/api_server.h"
#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/* Between the files of the API only. */

struct api_conn;
struct api_held;
struct credential;
struct inspect;

struct api {
	struct keeper *k;
	int listen_fd, credentials_fd;
	struct api_conn *conns;
	unsigned count;
	struct api_call *spare;		/* the one that ended last */
	struct credential *credentials; /* that wait for the vault */
	unsigned credentials_waiting;
	struct loop_timer *hold; /* then none waits any longer */
	struct api_told {	 /* to those who have subscribed */
		int state;
		uint32_t generation;
		uint64_t epoch;
		bool may_encrypt;
	} told;
};

/* One request under way: it outlives a connection that goes away. */
struct api_call {
	struct api_conn *conn; /* NULL: nobody waits any more */
	uint16_t op;
	uint64_t id;
};

struct api_conn {
	struct api *api;
	struct api_conn *next, **link;
	int fd;
	struct auth_caller who;
	struct api_call *call;
	struct api_held *held;	 /* waits for the server, or the list */
	struct inspect *inspect; /* that this one drives */
	bool has_waited;	 /* for the list, with this request */
	bool muted;		 /* more came while a call is under way */
	bool subscribed;
	bool gone; /* freed when its event is over */
	/* the roles that were looked up last */
	char app[CLV_NAME_MAX];
	uint64_t who_version;
	unsigned roles;
};

/* api_server.c */
/* iov-like: up to two parts of a body. The connection may be gone after. */
void api_send(struct api_conn *c, uint16_t op, uint64_t id, int result,
    const void *a, size_t a_len, const void *b, size_t b_len);
void api_fail(
    struct api_conn *c, uint16_t op, uint64_t id, int result, const char *text);
/* A call that ends later; NULL: out of memory, and answered so. */
struct api_call *api_call_new(struct api_conn *c, uint16_t op, uint64_t id);
/* Its connection, or NULL; the call is gone afterwards. */
struct api_conn *api_call_end(struct api_call *call);
/* Go on reading, when nothing of this one is under way any more. */
void api_unmute(struct api_conn *c);

/* api_hold.c */
#define API_HOLD_MS 3000 /* from when the right to write ended */
/* A write that may not be done now may wait: true, and it is answered later.
 * body: all h->len bytes of it, which are copied. */
bool api_hold(
    struct api_conn *c, const struct clv_api_header *h, const void *body);
/* The same when it is refused by what is known here of an older list. */
#define API_LIST_MS 2000
bool api_hold_for_list(
    struct api_conn *c, const struct clv_api_header *h, const void *body);
/* Those that wait for the server are tried again, now. */
void api_hold_end(struct api *api);
/* The connection ends. */
void api_hold_drop(struct api_conn *c);

/* api_ops.c: one request; body is borrowed. */
void api_dispatch(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body);
unsigned api_roles(struct api_conn *c, const char *app);
unsigned api_roles_of(struct keeper *k, const struct auth_caller *who,
    const struct member_app *app);

/* api_admin.c */
void api_admin(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body);

/* api_inspect.c; the caller may do that */
void api_inspect(struct api_conn *c, const struct clv_api_header *h,
    const char *app, struct clv_rd *body);
void api_database(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body);

/* api_credentials.c */
int api_credentials_init(struct api *api);
void api_credentials_fini(struct api *api);

#endif
