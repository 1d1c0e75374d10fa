/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front_uplink.h"
#include "daemon/base/log.h"

/*
 * A member's connection to the active server, made again and again until it
 * holds: the name's addresses one after the other, TLS with the server's
 * thumbprints pinned, a heartbeat that proves that the server knows us. The
 * keeper orders it and is told how it stands; it trusts what it hears by its
 * signature alone.
 */

static void attempt(struct front_uplink *u);
static void on_fd(void *arg, int fd, bool readable, bool writable);
static void on_timer(void *arg);

/* The only one that writes the state. */
static void
enter(struct front_uplink *u, enum uplink_state state, uint64_t allow_ms)
{
	u->state = state;
	loop_timer_set(u->front->loop, &u->timer, allow_ms, on_timer, u);
}

/* ---- what the keeper is told ---- */

static void
say(struct front_uplink *u)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u8(&b, u->up);
	clv_buf_u32(&b, (uint32_t)u->result);
	clv_buf_str(&b, u->why);
	front_send(u->front, CHAN_UPLINK_STATE, &b);
	clv_buf_fini(&b);
}

/* Once for each change: it is tried every second. */
static void
tell(struct front_uplink *u, bool up, int result, const char *why)
{
	if (u->told && u->up == up && u->result == result &&
	    strcmp(u->why, why) == 0)
		return;
	u->told = true;
	u->up = up;
	u->result = result;
	snprintf(u->why, sizeof(u->why), "%s", why);
	say(u);
}

/* ---- the end of a connection ---- */

static void
hang_up(struct front_uplink *u)
{
	int fd = u->tls != NULL ? tls_conn_fd(u->tls) : u->fd;

	if (fd >= 0)
		loop_fd_del(u->front->loop, fd);
	if (u->tls == NULL && u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	tls_conn_free(&u->tls);
	uplink_talk_end(u);
}

static uint64_t
pause_ms(void)
{
	return UPLINK_PAUSE_MIN_MS +
	       randombytes_uniform(
		   UPLINK_PAUSE_MAX_MS - UPLINK_PAUSE_MIN_MS + 1);
}

void
uplink_lost(struct front_uplink *u, int result, const char *why)
{
	hang_up(u);
	tell(u, false, result, why);
	enter(u, UPLINK_PAUSE, pause_ms());
	/* Meanwhile the name may have got another address; if it is not known
	 * by then, the one that was is tried. */
	if (resolver_ask(u->resolver, u->host, u->port) != CLV_OK)
		log_error("the name %s cannot be looked up", u->host);
}

void
uplink_proven(struct front_uplink *u)
{
	if (u->state != UPLINK_PROVE)
		return;
	u->state = UPLINK_UP;
	tell(u, true, CLV_OK, "");
}

/* ---- which server ---- */

/* Every pin is looked at, whatever the ones before it said. */
static bool
is_pinned(void *arg, const uint8_t thumb[static 32])
{
	const struct front_uplink *u = arg;
	unsigned found = 0;
	uint32_t i;

	for (i = 0; i < u->pin_count; i++)
		found |= sodium_memcmp(u->pins[i], thumb, 32) == 0;
	return found != 0;
}

/* Who is there, and who should be. */
static void
name_stranger(const struct front_uplink *u, char why[static CHAN_WHY_MAX])
{
	char found[65], pin[65], next[65] = "";

	sodium_bin2hex(found, sizeof(found), tls_conn_thumb(u->tls), 32);
	sodium_bin2hex(pin, sizeof(pin), u->pins[0], 32);
	if (u->pin_count > 1)
		sodium_bin2hex(next, sizeof(next), u->pins[1], 32);
	snprintf(why, CHAN_WHY_MAX,
	    "the server there has thumbprint %s, not %s%s%s", found, pin,
	    next[0] != '\0' ? " or " : "", next);
}

/* ---- connecting ---- */

static void
fail(struct front_uplink *u, int result, const char *what)
{
	char why[CHAN_WHY_MAX];

	snprintf(
	    why, sizeof(why), "%.100s port %u: %.390s", u->host, u->port, what);
	uplink_lost(u, result, why);
}

/* What the TLS connection says about its end. */
static void
fail_tls(struct front_uplink *u, int result)
{
	char why[CHAN_WHY_MAX];

	if (u->state == UPLINK_HANDSHAKE && result == CLV_E_UNKNOWN_PEER &&
	    !is_pinned(u, tls_conn_thumb(u->tls)))
		name_stranger(u, why);
	else if (result == CLV_E_TIMEOUT)
		snprintf(why, sizeof(why), "nothing was heard for %d s",
		    UPLINK_SILENCE_MS / 1000);
	else
		snprintf(why, sizeof(why), "%s",
		    tls_conn_text(u->tls)[0] != '\0' ? tls_conn_text(u->tls)
						     : clv_result_text(result));
	fail(u, result, why);
}

static void
set_tick(struct front_uplink *u)
{
	uint64_t now = loop_now_ms(), next = uplink_talk_next_ms(u);

	loop_timer_set(u->front->loop, &u->timer, next > now ? next - now : 0,
	    on_timer, u);
}

static void
talk(struct front_uplink *u, int r)
{
	if (r != CLV_E_AGAIN)
		fail_tls(u, r);
	else if (u->state == UPLINK_UP)
		set_tick(u);
}

void
uplink_watch(struct front_uplink *u, bool write)
{
	loop_fd_set(u->front->loop, tls_conn_fd(u->tls), true,
	    write || tls_conn_want(u->tls) == CLV_WANT_WRITE);
}

static void
shake(struct front_uplink *u)
{
	int r = tls_conn_handshake(u->tls);

	if (r == CLV_E_AGAIN) {
		loop_fd_set(u->front->loop, tls_conn_fd(u->tls),
		    tls_conn_want(u->tls) != CLV_WANT_WRITE,
		    tls_conn_want(u->tls) == CLV_WANT_WRITE);
		return;
	}
	if (r != CLV_OK) {
		fail_tls(u, r);
		return;
	}
	u->state = UPLINK_PROVE; /* within the same time */
	uplink_talk_begin(u);
	talk(u, uplink_talk(u));
}

/* The address answered, or the next one is tried. */
static void
on_connected(struct front_uplink *u)
{
	socklen_t len = sizeof(int);
	int error = 0, r;

	getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		errno = error;
		attempt(u);
		return;
	}
	r = tls_conn_new(u->ctx, u->fd, &u->tls);
	if (r != CLV_OK) {
		fail(u, r, clv_result_text(r));
		return;
	}
	u->fd = -1; /* transferred */
	enter(u, UPLINK_HANDSHAKE, UPLINK_HANDSHAKE_MS);
	shake(u);
}

/* errno says what came of it. */
static bool
begin_connect(struct front_uplink *u, unsigned at)
{
	u->fd = resolve_connect(&u->addresses, at);
	if (u->fd < 0)
		return false;
	if (loop_fd_add(u->front->loop, u->fd, false, true, on_fd, u) == CLV_OK)
		return true;
	close(u->fd);
	u->fd = -1;
	errno = ENOMEM;
	return false;
}

/* To the next address; errno is that of the one before. */
static void
attempt(struct front_uplink *u)
{
	int error = errno;

	hang_up(u);
	while (u->at < u->addresses.n) {
		if (begin_connect(u, u->at++)) {
			enter(u, UPLINK_CONNECT, UPLINK_CONNECT_MS);
			return;
		}
		error = errno;
	}
	fail(u, error == ETIMEDOUT ? CLV_E_TIMEOUT : CLV_E_NO_SERVER,
	    strerror(error));
}

/* From the first address on, as soon as there is one. */
static void
begin(struct front_uplink *u)
{
	u->at = 0;
	errno = EADDRNOTAVAIL;
	if (u->addresses.n > 0)
		attempt(u);
	else
		enter(u, UPLINK_RESOLVE, UPLINK_RESOLVE_MS);
}

static void
on_resolved(void *arg, const struct resolve_answer *a)
{
	struct front_uplink *u = arg;

	if (a->result == CLV_OK) {
		u->addresses = *a;
		u->at = a->n; /* no mixture of old and new ones */
		if (u->state == UPLINK_RESOLVE)
			begin(u);
	} else if (u->state == UPLINK_RESOLVE) {
		uplink_lost(u, a->result, a->why);
	}
}

static void
on_fd(void *arg, int fd, bool readable, bool writable)
{
	struct front_uplink *u = arg;

	switch (u->state) {
	case UPLINK_CONNECT: on_connected(u); break;
	case UPLINK_HANDSHAKE: shake(u); break;
	case UPLINK_PROVE:
	case UPLINK_UP: talk(u, uplink_talk(u)); break;
	case UPLINK_OFF:
	case UPLINK_RESOLVE:
	case UPLINK_PAUSE: break;
	}
}

static void
on_timer(void *arg)
{
	struct front_uplink *u = arg;

	switch (u->state) {
	case UPLINK_OFF: break;
	case UPLINK_RESOLVE:
		tell(u, false, CLV_E_TIMEOUT, "no name server answers");
		break; /* whenever it does */
	case UPLINK_CONNECT:
		errno = ETIMEDOUT;
		attempt(u);
		break;
	case UPLINK_HANDSHAKE:
	case UPLINK_PROVE:
		fail(u, CLV_E_TIMEOUT, "nobody answers on the connection");
		break;
	case UPLINK_UP: talk(u, uplink_talk_tick(u)); break;
	case UPLINK_PAUSE: begin(u); break;
	}
}

/* ---- the keeper's messages ---- */

static void
stop(struct front_uplink *u, int result, const char *why)
{
	hang_up(u);
	loop_timer_del(u->front->loop, &u->timer);
	tls_ctx_free(&u->ctx);
	u->state = UPLINK_OFF;
	tell(u, false, result, why);
}

/* A key is not kept here a second time to be compared with. */
static void
hash_own(const uint8_t *cert, size_t cert_len, const uint8_t *key,
    size_t key_len, uint8_t ret[static 32])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, 32);
	crypto_generichash_update(&st, cert, cert_len);
	crypto_generichash_update(&st, key, key_len);
	crypto_generichash_final(&st, ret, 32);
	sodium_memzero(&st, sizeof(st));
}

static int
set_own(struct front_uplink *u, const uint8_t *cert, size_t cert_len,
    const uint8_t *key, size_t key_len, bool *ret_same)
{
	uint8_t own[32];
	struct tls_ctx *ctx;
	int r;

	hash_own(cert, cert_len, key, key_len, own);
	*ret_same = u->ctx != NULL && sodium_memcmp(own, u->own, 32) == 0;
	if (*ret_same)
		return CLV_OK;
	r = tls_ctx_new(
	    false, cert, cert_len, key, key_len, is_pinned, u, &ctx);
	if (r != CLV_OK)
		return r;
	tls_ctx_free(&u->ctx);
	u->ctx = ctx;
	memcpy(u->own, own, sizeof(own));
	return CLV_OK;
}

static bool
set_place(struct front_uplink *u, const char *host, uint16_t port)
{
	if (strcmp(u->host, host) == 0 && u->port == port)
		return true;
	snprintf(u->host, sizeof(u->host), "%s", host);
	u->port = port;
	u->addresses.n = 0;
	return false;
}

/* Is what there is, or is being made, what is wanted now? */
static bool
may_stay(const struct front_uplink *u)
{
	switch (u->state) {
	case UPLINK_PROVE:
	case UPLINK_UP: return is_pinned((void *)u, tls_conn_thumb(u->tls));
	case UPLINK_RESOLVE:
	case UPLINK_CONNECT:
	case UPLINK_HANDSHAKE:
	case UPLINK_PAUSE: return true;
	case UPLINK_OFF: break;
	}
	return false;
}

static void
start(struct front_uplink *u)
{
	hang_up(u);
	tell(u, false, CLV_E_NO_SERVER, "not connected yet");
	enter(u, UPLINK_RESOLVE, UPLINK_RESOLVE_MS);
	/* A number is there, and tried, when this returns. */
	if (resolver_ask(u->resolver, u->host, u->port) != CLV_OK)
		uplink_lost(u, CLV_E_SYSTEM, "no name can be looked up");
}

void
front_uplink_order(struct front_uplink *u, struct clv_rd *rd)
{
	const uint8_t *cert, *key, *pins = NULL;
	size_t cert_len, key_len;
	bool same_own, same_place;
	char host[sizeof(u->host)];
	uint16_t port;
	uint32_t n;
	int r;

	clv_rd_str(rd, host, sizeof(host));
	port = clv_rd_u16(rd);
	cert = clv_rd_bytes(rd, &cert_len);
	key = clv_rd_bytes(rd, &key_len);
	n = clv_rd_u32(rd);
	if (n <= UPLINK_PINS_MAX)
		pins = clv_rd_raw(rd, (size_t)n * 32);
	if (clv_rd_end(rd) != CLV_OK || n > UPLINK_PINS_MAX) {
		stop(u, CLV_E_FORMAT, "the order is malformed");
		return;
	}
	if (n == 0) {
		stop(u, CLV_E_NO_SERVER, "no connection is wanted");
		return;
	}
	r = set_own(u, cert, cert_len, key, key_len, &same_own);
	if (r != CLV_OK) {
		stop(u, r, "own certificate and key cannot be used");
		return;
	}
	memcpy(u->pins, pins, (size_t)n * 32);
	u->pin_count = n;
	same_place = set_place(u, host, port);
	if (!same_own || !same_place || !may_stay(u))
		start(u);
}

void
front_uplink_ask(struct front_uplink *u, struct clv_rd *rd)
{
	const uint8_t *p;
	size_t len;

	p = clv_rd_bytes(rd, &len);
	if (clv_rd_end(rd) != CLV_OK || len == 0 || len > CLV_WIRE_REQUEST_MAX)
		log_error("a request of the keeper's is malformed");
	else if (u->state != UPLINK_UP)
		say(u);
	else {
		uplink_talk_ask(u, p, len);
		talk(u, uplink_talk(u));
	}
}

int
front_uplink_new(struct front *f, struct front_uplink **ret)
{
	struct front_uplink *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return CLV_E_NOMEM;
	u->front = f;
	u->fd = -1;
	clv_buf_init(&u->next);
	clv_buf_init(&u->out);
	if ((r = resolver_new(f, on_resolved, u, &u->resolver)) != CLV_OK) {
		free(u);
		return r;
	}
	*ret = u;
	return CLV_OK;
}

void
front_uplink_free(struct front_uplink **ret)
{
	struct front_uplink *u = *ret;

	*ret = NULL;
	if (u == NULL)
		return;
	hang_up(u);
	loop_timer_del(u->front->loop, &u->timer);
	tls_ctx_free(&u->ctx);
	resolver_free(&u->resolver);
	free(u);
}
