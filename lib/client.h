/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_CLIENT_IMPL_H
#define CLV_CLIENT_IMPL_H

#include <sys/un.h>
#include <claviger/buf.h>
#include <claviger/client.h>

/* Between the files of the client only. */

#define CLV__BODY_MAX (CLV_API_MSG_MAX - sizeof(struct clv_api_header))

struct clv_client {
	int fd;
	struct sockaddr_un address;
	uint64_t id; /* of the last request */
	unsigned timeout_ms;
	bool subscribed;
	bool sent; /* the last request left, so it may have been done */
	bool has_event;
	struct clv_client_status event;
	char text[512];
	/* A request, and then its answer: wiped after each call. */
	struct {
		struct clv_api_header head;
		uint8_t body[CLV__BODY_MAX];
	} msg;
	size_t used;
};

/* Begin a request: its body is written to *b, which is not to be freed. */
void clv__client_begin(struct clv_client *c, struct clv_buf *b);
/* Send it and wait for its answer, whose body *rd reads until _end(). */
int clv__client_call(struct clv_client *c, enum clv_api_op op, unsigned flags,
    const struct clv_buf *b, struct clv_rd *rd);
/* The same, and once more over a new connection while time is left. */
int clv__client_call_once(struct clv_client *c, enum clv_api_op op,
    const struct clv_buf *b, struct clv_rd *rd);
void clv__client_end(struct clv_client *c); /* wipes request and answer */
int clv__client_fail(struct clv_client *c, int result, const char *text);
/* After the last field of an answer was read: CLV_E_PROTOCOL. */
int clv__client_read_all(struct clv_client *c, const struct clv_rd *rd);
int clv__client_read_status(struct clv_rd *rd, struct clv_client_status *ret);
int clv__secret_new(const void *p, size_t len, struct clv_secret **ret);

#endif
