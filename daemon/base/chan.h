/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_CHAN_H
#define CLAVIGERD_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/buf.h>

/*
 * Between keeper and front: messages over one SOCK_SEQPACKET pair, cut into
 * fragments and put together again, bounded. The keeper treats the front as
 * hostile: whatever comes is parsed with clv_rd and limits.
 */
#define CHAN_FRAGMENT 32768
#define CHAN_MESSAGE_MAX (9u << 20)

enum chan_type {
	/* keeper -> front */
	CHAN_SQL = 1,	   /* u64 id, u8 lane, u32 stmt, u32 n, n x bytes */
	CHAN_TLS = 2,	   /* bytes certificate DER, bytes key PKCS#8 DER */
	CHAN_PINS = 3,	   /* u32 n, n x 32 B: who may connect; replaces all */
	CHAN_LISTEN = 4,   /* str address, u16 port */
	CHAN_UNLISTEN = 5, /* close listener and every connection */
	CHAN_ANSWER = 6,   /* u64 conn, bytes frame body, u8 close */
	CHAN_CAST = 7,	   /* bytes: multicast over CPG */
	CHAN_UPLINK = 8,   /* str host, u16 port, bytes certificate DER, bytes
			    * key PKCS#8 DER, u32 n, n x 32 B: whom to connect
			    * to, and which thumbprints it may have; none:
			    * nobody. Replaces what was before. */
	CHAN_ASK = 9,	  /* bytes frame body, for the uplink, which must answer
			   * within seconds; one waits, the newest, behind one
			   * that is under way */
	CHAN_NOTICE = 10, /* bytes frame body, for every known connection;
			   * replaces one that is not written yet */
	CHAN_JOINERS = 11, /* u32 seconds: so long hosts that are not enrolled
			    * may connect, to ask to join; 0: nobody */
	/* front -> keeper */
	CHAN_SQL_RESULT = 32, /* u64 id, u32 result (two's complement), str
			       * text, u32 rows, u32 columns, rows*columns x
			       * bytes (NULL is empty) */
	CHAN_DATABASE = 33,   /* u8 up, str why */
	CHAN_LISTENING = 34,  /* u32 result, str text: answers CHAN_LISTEN */
	CHAN_CLOSED = 35,     /* answers CHAN_UNLISTEN */
	CHAN_REQUEST = 36,    /* u64 conn, 32 B peer thumbprint, bytes body */
	CHAN_CLUSTER = 37,    /* u8 configured, u8 connected, u8 quorate,
			       * u32 members (nodes in the CPG group), u64 when
			       * (CLOCK_BOOTTIME, ms): about every second, and
			       * at once on a change; older than 3 s means no
			       * quorum, whenever it was read */
	CHAN_DELIVER = 38,    /* u32 corosync node id, u8 is_self, bytes */
	CHAN_REPLY = 39,      /* bytes frame body, of the uplink: an answer or a
			       * notice */
	CHAN_JOIN = 41, /* u64 conn, 32 B peer thumbprint, 32 B binding of the
			 * connection, bytes body: as REQUEST, but of a host
			 * that is not enrolled */
	CHAN_UPLINK_STATE =
	    40 /* u8 up, u32 result (two's complement), str why
		* (shorter than CHAN_WHY_MAX): at each change; when it is not
		* up, what was asked is lost, and each ask answered so */
};

#define CHAN_WHY_MAX 512

enum chan_lane { CHAN_LANE_ORDERED = 0, CHAN_LANE_POOL = 1 };

struct chan;
/* body is borrowed until it returns; it may send, but not free its channel. */
typedef void (*chan_fn)(void *arg, enum chan_type type, struct clv_rd *body);

/* fd is transferred. `fn` is called for each whole message. */
int chan_new(int fd, chan_fn fn, void *arg, struct chan **ret);
void chan_free(struct chan **c);
int chan_fd(const struct chan *c);
/* Queue a message (copied) and try to send; CLV_E_FULL when 64 MiB wait or it
 * is above CHAN_MESSAGE_MAX; CLV_E_NO_SERVER when the other end is gone. */
int chan_send(struct chan *c, enum chan_type type, const struct clv_buf *body);
bool chan_wants_write(const struct chan *c);
size_t chan_queued(const struct chan *c); /* bytes that wait to be written */
/* The descriptor is ready: read and deliver, at most 64 fragments a call.
 * CLV_E_NO_SERVER when the other end is gone, CLV_E_PROTOCOL. */
int chan_on_read(struct chan *c);
int chan_on_write(struct chan *c);

#endif
