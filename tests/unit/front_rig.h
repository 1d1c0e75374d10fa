/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_FRONT_RIG_H
#define TESTS_UNIT_FRONT_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <claviger/buf.h>
#include "daemon/base/chan.h"
#include "daemon/base/config.h"
#include "daemon/front/tls.h"
#include "tls_party.h"

/* A front process behind its filter, with the test as its keeper and its
 * supervisor. */
#define WAIT_MS 10000

extern struct config config; /* for the next front_rig_start() */
extern pid_t front_pid;
extern int front_link;
extern const char *front_user; /* NULL: no change of user */

void front_rig_start(void);
/* End it by closing the link; its exit status must be 0. */
void front_rig_stop(void);
int front_rig_status(void); /* wait for its end */

void keeper_send(enum chan_type type, struct clv_buf *body); /* frees body */
/* The next message of this type; others before it are kept for later calls.
 * The caller frees *ret. */
void keeper_get(enum chan_type type, struct clv_buf *ret);
/* Is there one, within wait_ms? */
bool keeper_has(enum chan_type type, int wait_ms);
void keeper_hang_up(void);
/* Be the keeper of another front; returns the channel to the one before. */
struct chan *front_rig_swap(struct chan *other);

/* Messages, put together. */
void keeper_tls(const struct party *p);
void keeper_pins(const struct party *const *p, size_t n);
int keeper_listen(const char *address, uint16_t port); /* its result */
/* The next request: who, and what. Answer it with the same body and `close`. */
uint64_t keeper_request(const struct party *who, const char *text);
void keeper_answer(uint64_t conn, const void *body, size_t len, bool close);

void keeper_notice(const void *body, size_t len);
void keeper_joiners(uint32_t for_s);
/* As keeper_request(), of one that is not enrolled; and its binding. */
uint64_t keeper_join(const struct party *who, const char *text,
    uint8_t ret_binding[static TLS_BINDING_LEN]);

uint16_t free_port(void);
/* A TCP connection to 127.0.0.1, from that address or NULL. */
int tcp_connect(const char *from, uint16_t port);
bool is_closed(int fd, int wait_ms); /* by the peer, within */

#endif
