/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_CLIENT_H
#define CLAVIGER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <claviger/api.h>
#include <claviger/result.h>

/*
 * What an application links: secrets that clavigerd on this host reads and
 * writes for it, and keys to seal data that it keeps by itself. Who it is the
 * kernel tells the daemon; nothing has to be presented.
 *
 * Calls block, for at most the client's timeout. A client is one connection,
 * used by one thread at a time; several threads have a client each. Nothing
 * here is safe in a signal handler or across fork(). Results are enum
 * clv_result; clv_client_text() says what a person should read. Secrets that
 * come out are freed with clv_secret_free(), which wipes them; what goes in is
 * copied. All of it in claviger-client(3); a whole program is
 * examples/client-example.c in the documentation's folder.
 */
struct clv_client;

/* path NULL: CLV_API_SOCKET. CLV_E_NO_SERVER (no daemon runs there),
 * CLV_E_PERMISSION (it is not root's), CLV_E_INVALID (path too long),
 * CLV_E_NOMEM, CLV_E_SYSTEM. Caller closes. */
int clv_client_open(const char *path, struct clv_client **ret);
void clv_client_close(struct clv_client **c); /* NULL is ignored */
/* For each call from now on; 30000 at first. */
int clv_client_timeout(struct clv_client *c, unsigned timeout_ms);
/* Of the last call that failed, a sentence without a full stop; borrowed until
 * the next call. */
const char *clv_client_text(const struct clv_client *c);
/* Readable when an event has come, or the daemon has gone; -1 when there is no
 * connection at the moment. Another one, perhaps, after a call that failed. */
int clv_client_fd(const struct clv_client *c);

/* Bytes that are wiped when they are freed. */
struct clv_secret {
	uint8_t *data; /* a NUL, which is not counted, stands behind it */
	size_t len;
	uint64_t version;
	bool cached; /* the database was not asked */
};
void clv_secret_free(struct clv_secret **secret); /* NULL is ignored */

/* version 0: the current one. flags: CLV_API_CACHED. CLV_E_NOT_FOUND,
 * CLV_E_DENIED, CLV_E_DATABASE_AWAY (and it is not in the cache),
 * CLV_E_DAMAGED, CLV_E_ROLLBACK and CLV_E_FORKED (the database was changed from
 * outside), CLV_E_GENERATION (the server is needed). Caller frees. */
int clv_client_get(struct clv_client *c, const char *app, const char *name,
    uint64_t version, unsigned flags, struct clv_secret **ret);
/* At most 61440 bytes, 0 allowed. keep: versions to keep, this one included;
 * 0 all; CLV_API_KEEP_DEFAULT. CLV_E_AWAY while the server is away. When the
 * connection breaks it is repeated under the same operation id, so that it is
 * done once; CLV_E_UNKNOWN when it cannot be told within the timeout. */
int clv_client_put(struct clv_client *c, const char *app, const char *name,
    const void *p, size_t len, uint32_t keep, uint64_t *ret_version);
/* The name is gone, its older versions stay as history does. */
int clv_client_delete(struct clv_client *c, const char *app, const char *name,
    uint64_t *ret_version);

#define CLV_SECRET_NAME_MAX 129 /* with NUL */
struct clv_secret_name {
	char name[CLV_SECRET_NAME_MAX];
	uint64_t version;
};
/* Names after `after` ("" from the first), in the order of their bytes, as
 * many as one answer holds; *ret_more says whether there are others. Caller
 * frees *ret with free(). */
int clv_client_list(struct clv_client *c, const char *app, const char *after,
    struct clv_secret_name **ret, size_t *ret_n, bool *ret_more);

struct clv_secret_version {
	uint64_t version;
	uint64_t age_s;
	uint32_t key_version;
	bool deleted, current;
};
/* Newest first. Caller frees *ret with free(). */
int clv_client_history(struct clv_client *c, const char *app, const char *name,
    struct clv_secret_version **ret, size_t *ret_n);

/* Seal data that the application keeps by itself, at most 61440 bytes; it
 * opens only with the same context (up to 255 bytes, "" allowed), which says
 * where it belongs. Sealing needs the server as writing does. Caller frees. */
int clv_client_seal(struct clv_client *c, const char *app, const char *context,
    const void *p, size_t len, struct clv_secret **ret);
int clv_client_unseal(struct clv_client *c, const char *app,
    const char *context, const void *p, size_t len, struct clv_secret **ret);

/*
 * The same for data of any length. read returns 0 at the end, like read(2),
 * and less than 0 for a failure (CLV_E_SYSTEM, errno is kept); write takes all
 * or returns less than 0. Memory does not grow with the data. What
 * clv_client_unseal_stream() has written before it fails is authentic, but
 * not whole: throw it away. CLV_E_TRUNCATED, CLV_E_DAMAGED, CLV_E_FORMAT.
 */
struct clv_stream_io {
	ssize_t (*read)(void *arg, void *p, size_t len);
	ssize_t (*write)(void *arg, const void *p, size_t len);
	void *arg;
};
int clv_client_seal_stream(struct clv_client *c, const char *app,
    const char *context, const struct clv_stream_io *io);
int clv_client_unseal_stream(struct clv_client *c, const char *app,
    const char *context, const struct clv_stream_io *io);

struct clv_client_app {
	char name[65];
	uint8_t roles; /* bits: 1 system administrator, 2 creator, 4 the
			* application's administrator, 8 its user */
};
/* Those in which the caller may do something. Caller frees with free(). */
int clv_client_apps(struct clv_client *c, const char *after,
    struct clv_client_app **ret, size_t *ret_n, bool *ret_more);

struct clv_client_status {
	enum clv_member_state state;
	uint64_t age_ms; /* since the last refresh; UINT64_MAX: never */
	uint32_t generation;
	uint64_t epoch;
	uint64_t list_version;
	bool may_encrypt;
	bool database_up;
	bool is_server_node;
	char why[256]; /* why nothing may be written, else "" */
};
int clv_client_get_status(struct clv_client *c, struct clv_client_status *ret);
/* From now on changes are told: wait with clv_client_next_event(), or poll
 * clv_client_fd() and then call it with timeout_ms 0. Between the two other
 * calls may be made; events that come meanwhile are kept, the newest of them:
 * after such a call ask once before polling. CLV_E_TIMEOUT: none came. After
 * CLV_E_NO_SERVER subscribe again. */
int clv_client_subscribe(struct clv_client *c, struct clv_client_status *ret);
int clv_client_next_event(
    struct clv_client *c, int timeout_ms, struct clv_client_status *ret);

/* Any request of claviger/api.h: its body of len bytes at p, the answer's to
 * *ret_len bytes at ret. For the command. */
int clv_client_ask(struct clv_client *c, enum clv_api_op op, const void *p,
    size_t len, void *ret, size_t cap, size_t *ret_len);
/* An administrative request as daemon/admin/admin.h encodes it; its answer to
 * *ret_len bytes at ret. For the command. */
int clv_client_admin(struct clv_client *c, const void *p, size_t len, void *ret,
    size_t cap, size_t *ret_len);

#endif
