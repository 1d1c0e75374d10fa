/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_API_H
#define CLAVIGER_API_H

#include <stdint.h>

/*
 * The local API of clavigerd: AF_UNIX SOCK_SEQPACKET, one message a request
 * and one an answer, header in the machine's byte order (both ends are this
 * machine), body in the encoding of buf.h. The supervisor binds and listens as
 * root, so the client knows the server by SO_PEERCRED uid 0; the server takes
 * the caller's user and groups from the socket. Descriptors that come along
 * are refused. claviger/client.h is the client of it.
 *
 * One request at a time on a connection: the next one is read when the answer
 * to the one before has been sent. A failed request's answer has result < 0
 * and the body str text: a sentence that says what, why and what next. Such an
 * answer with op 0 and id 0 goes to whoever finds no place, or sent what is no
 * message, and the connection ends with it.
 */
#define CLV_API_SOCKET "/run/claviger/api.sock"
#define CLV_API_MAGIC 0x434c4131u /* "CLA1" */
#define CLV_API_MSG_MAX 65536	  /* header and body */
#define CLV_API_ID_LEN 16	  /* of an operation */
#define CLV_API_KEEP_DEFAULT UINT32_MAX

enum clv_api_op {
	CLV_API_STATUS = 1, /* -> status, below */
	/* str app, str name, u64 version (0: current); flag CACHED
	 * -> u64 version, u8 from the cache, bytes value */
	CLV_API_GET = 2,
	/* str app, str name, raw operation id, u32 keep (versions kept, 0 all,
	 * CLV_API_KEEP_DEFAULT as the application has it), bytes value
	 * -> u64 version. Repeating it with its id does it once. */
	CLV_API_PUT = 3,
	CLV_API_DELETE = 4, /* str app, str name, raw operation id
			     * -> u64 version */
	/* str app, str after ("" first) -> u8 more, u32 n, n x (str name,
	 * u64 version), in the order of the names' bytes */
	CLV_API_LIST = 5,
	/* str app, str name -> u32 n, n x (u64 version, u8 deleted, u8
	 * current, u64 age_s, u32 data key version), newest first */
	CLV_API_HISTORY = 6,
	CLV_API_SEAL = 7, /* str app, str context, bytes plain
			   * -> bytes sealed */
	CLV_API_OPEN = 8, /* str app, str context, bytes sealed
			   * -> bytes plain */
	/* -> status; from then on an EVENT with id 0 and the status as body at
	 * each change of state, generation, epoch or may_encrypt */
	CLV_API_SUBSCRIBE = 9,
	CLV_API_EVENT = 10,
	/* str after -> u8 more, u32 n, n x (str app, u8 roles of the caller):
	 * the applications in which the caller may do something */
	CLV_API_APPS = 11,
	/* an administrative request of daemon/admin/admin.h about applications,
	 * on a server node -> its answer */
	CLV_API_ADMIN = 12,
	/* str app, u8 begin (0: the next part) -> u8 more, u64 records done,
	 * u64 of so many (0: not known yet), u32 n, n x (str kind, str subject,
	 * str text): what is wrong with the application in the database, part
	 * by part. One inspection at a time on a host. */
	CLV_API_INSPECT = 13,
	/* -> u8 up, str why not, u64 epoch, u64 list version, u64 timeline,
	 * u64 system identifier: the database that the daemon is connected to;
	 * u64 timeline, u64 system identifier of the one that gave it the epoch
	 * that it holds (0: it holds none) */
	CLV_API_DATABASE = 14
};

enum clv_api_flag {
	CLV_API_CACHED = 1 /* GET: a value in the cache is good enough */
};

/* Status: u8 state, u64 age_ms since the last refresh, u32 generation, u64
 * epoch, u64 list version, u8 may_encrypt, str why (not), u8 database is up,
 * u8 is a server node. */
enum clv_member_state {
	CLV_MEMBER_NONE = 0, /* no keys have been obtained */
	CLV_MEMBER_FRESH = 1,
	CLV_MEMBER_AWAY = 2,   /* the server is away: reading goes on */
	CLV_MEMBER_EXPIRED = 3 /* the sealed cache is too old, by the clock */
};

struct clv_api_header {
	uint32_t magic;
	uint16_t op;
	uint16_t flags;
	int32_t result; /* enum clv_result; 0 in a request */
	uint32_t len;	/* of the body */
	uint64_t id;	/* comes back in the answer */
};

#endif
