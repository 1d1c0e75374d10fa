/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_RESULT_H
#define CLAVIGER_RESULT_H

/*
 * Results of every function, of the control protocol and of the server port:
 * 0 is success, failures are negative. The table in result.c gives each its
 * name, its text and the exit status of `claviger`; this is its only copy.
 * Values are part of the protocols: append, never renumber.
 */
enum clv_result {
	CLV_OK = 0,
	CLV_E_NOMEM = -1,	  /* out of memory */
	CLV_E_SYSTEM = -2,	  /* a system call failed; errno is kept */
	CLV_E_USAGE = -3,	  /* wrong options or arguments */
	CLV_E_INVALID = -4,	  /* a value that is not allowed */
	CLV_E_AGAIN = -5,	  /* not yet: wait for the descriptor */
	CLV_E_TIMEOUT = -6,	  /* the deadline passed */
	CLV_E_NOT_LOCKED = -7,	  /* memory could not be locked */
	CLV_E_FULL = -8,	  /* arena, table or message is full */
	CLV_E_FORMAT = -9,	  /* not a file or message of this kind */
	CLV_E_VERSION = -10,	  /* a newer or unsupported format */
	CLV_E_DAMAGED = -11,	  /* authentication of the content failed */
	CLV_E_PASSPHRASE = -12,	  /* wrong passphrase */
	CLV_E_NO_IDENTITY = -13,  /* sealed to somebody else */
	CLV_E_WORK_FACTOR = -14,  /* scrypt work factor above the limit */
	CLV_E_TRUNCATED = -15,	  /* ends too early */
	CLV_E_WRONG_SYSTEM = -16, /* of another system */
	CLV_E_STALE = -17,	  /* older than what was seen before */
	CLV_E_SIGNATURE = -18,	  /* signature does not verify */
	CLV_E_PERMISSION = -19,	  /* file or peer has the wrong owner or mode */
	CLV_E_EXISTS = -20,	  /* is there already */
	CLV_E_NOT_FOUND = -21,	  /* is not there */
	CLV_E_DATABASE = -22,	  /* PostgreSQL refused; text says why */
	CLV_E_DATABASE_AWAY = -23, /* PostgreSQL cannot be reached */
	CLV_E_UNKNOWN = -24,	   /* outcome of a write is not known */
	CLV_E_STALE_EPOCH = -25,   /* another server has taken a newer epoch */
	CLV_E_SCHEMA_OLDER = -26,  /* database schema must be upgraded */
	CLV_E_SCHEMA_NEWER = -27,  /* program is older than the database */
	CLV_E_NO_QUORUM = -28,	   /* the cluster has no quorum or is silent */
	CLV_E_NOT_ACTIVE = -29,	   /* another node is the active server */
	CLV_E_NOT_READY = -30,	   /* this node cannot serve; reason says why */
	CLV_E_NO_SECRET = -31,	   /* the master secret is absent here */
	CLV_E_DENIED = -32,	   /* the caller may not do this */
	CLV_E_REVOKED = -33,	   /* the caller was revoked */
	CLV_E_UNKNOWN_PEER = -34,  /* thumbprint or name is not enrolled */
	CLV_E_NO_SERVER = -35,	   /* the server or daemon cannot be reached */
	CLV_E_FINGERPRINT = -36,   /* fingerprint does not match */
	CLV_E_PROTOCOL = -37,	   /* peer broke the protocol */
	CLV_E_TLS = -38,	   /* TLS failed; text says why */
	CLV_E_BUSY = -39,	   /* another operation is under way */
	CLV_E_IN_USE = -40,	   /* address is in use on the network */
	CLV_E_CONFIG = -41,	   /* configuration file is wrong */
	CLV_E_MISMATCH = -42,	/* what was read back is not what was written */
	CLV_E_CANCELLED = -43,	/* interrupted by the operator */
	CLV_E_NO_KEYRING = -44, /* opened, but it holds no keyring */
	CLV_E_AWAY = -45,	/* no fresh word of the server: no writing */
	CLV_E_GENERATION = -46, /* keys of this generation are not here */
	CLV_E_ROLLBACK = -47,	/* the database is older than what was seen */
	CLV_E_FINDINGS = -48,	/* claviger doctor has found something */
	CLV_E_WORD = -49,	/* a word of a share is not of the list */
	CLV_E_CHECKSUM = -50,	/* a word of a share is not the right one */
	CLV_E_MIXED = -51,	/* shares of different sets */
	CLV_E_DUPLICATE = -52,	/* one share twice */
	CLV_E_SHARES = -53,	/* fewer or more shares than are needed */
	CLV_E_DIGEST = -54,	/* the shares make no secret together */
	CLV_E_FORKED = -55,	/* the database was set back and written on */
	CLV_E_LEFT = -56,	/* done, but for what is left to do by hand */
	CLV_E_LOST = -57,	/* keys of this generation are nowhere */
	CLV_E_LAST = -58	/* one past the last */
};

/* Text of a result: a static sentence part without a full stop; never NULL. */
const char *clv_result_text(int result);
/* Short stable name for scripts and --json: "ok", "no-memory"; never NULL. */
const char *clv_result_name(int result);
/* Exit status of `claviger` for a result: 0, or 1..99 (claviger(1) lists them).
 */
int clv_result_exit(int result);

#endif
