/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_CONTROL_H
#define CLAVIGER_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The control socket of clavigerd: AF_UNIX SOCK_SEQPACKET, one message a
 * request and one an answer, in the machine's byte order (both ends are this
 * machine). The supervisor binds and listens as root, so the client knows the
 * server by SO_PEERCRED uid 0 and learns the supervisor's pid; the server
 * admits uid 0 only. This client is libc only: agents link it, and so does
 * the library.
 */
#define CTL_SOCKET "/run/claviger/control.sock"
#define CTL_MAGIC 0x434c5631u /* "CLV1" */
#define CTL_MSG_MAX 65536

enum ctl_op {
	CTL_STATUS = 1, /* -> struct ctl_status */
	CTL_START = 2,	/* struct ctl_start: switch the server role on */
	CTL_STOP = 3,	/* switch it off; answer: struct ctl_status */
	CTL_PROMOTE =
	    4,		/* answer when serving, or why not: struct ctl_status */
	CTL_DEMOTE = 5, /* answer when the listener is closed */
	CTL_LIST =
	    6, /* u64 offset -> u64 total, then bytes of the signed list */
	CTL_EXPORT = 7, /* 32 B X25519 key -> age file with the keyring text */
	CTL_RESTORE =
	    8, /* age file sealed to this node, holding keyring text */
	CTL_ADMIN =
	    9, /* daemon/admin/admin.h request -> daemon/admin/admin.h answer */
	CTL_SHUTDOWN = 10, /* end the process (answered first), unless its
			    * server role is switched on: CLV_E_BUSY */
	CTL_CERT = 11,	   /* u8 enum ctl_cert: this host's own certificate ->
			    * u8 another one is on its way, 32 B thumbprint of
			    * the one in use, 32 B of the next one, str why it
			    * waits */
	CTL_CONFIG = 12,   /* -> text of the configuration that is in force */
	CTL_RELOAD = 13,   /* read it again; answered at once */
	CTL_ADOPT = 14,	   /* look again whose machine this is; CLV_E_NOT_READY:
			    * another one's */
	CTL_AUDIT = 15	   /* -> u8 enum audit_state, u64 number of the newest
			    * row that was seen, 32 B hash of it, u64 rows that
			    * wait, u64 written, u64 lost, str what is wrong */
};

enum ctl_cert {
	CTL_CERT_SHOW = 0,
	CTL_CERT_ROTATE = 1, /* make a new one, and use it */
	CTL_CERT_NOW = 2     /* ... and have the one before refused at once */
};

struct ctl_header {
	uint32_t magic;
	uint16_t op;
	uint16_t reserved;
	int32_t result; /* enum clv_result; 0 in a request */
	uint32_t len;	/* of what follows */
};

struct ctl_start {
	char resource[64]; /* OCF_RESOURCE_INSTANCE, or "" */
	uint8_t by_agent;  /* the agent started this process */
	uint8_t reserved[7];
};

enum ctl_role { /* of the server role; also the names of `claviger status` */
	CTL_ROLE_OFF = 0,
	CTL_ROLE_LOCKED = 1,  /* on, but cannot serve: reason says why */
	CTL_ROLE_STANDBY = 2, /* on, proven */
	CTL_ROLE_PROMOTING = 3,
	CTL_ROLE_ACTIVE = 4, /* serving, inside the lease */
	CTL_ROLE_AWAY = 5,   /* serving for decryption only */
	CTL_ROLE_DEMOTING = 6
};

#define CTL_SCORE_ACTIVE 100
#define CTL_SCORE_STANDBY 50
#define CTL_SCORE_NEVER (-1000000) /* −INFINITY */

enum ctl_flag {
	CTL_FLAG_DATABASE = 1 << 0, /* connection to PostgreSQL is up */
	CTL_FLAG_CLUSTER = 1 << 1,  /* a cluster is configured on this host */
	CTL_FLAG_QUORATE = 1 << 2,
	CTL_FLAG_ENCRYPT = 1 << 3,  /* inside the lease */
	CTL_FLAG_UNLOCKED = 1 << 4, /* holds a keyring */
	CTL_FLAG_PROVEN = 1 << 5,   /* ... with the current generation */
	CTL_FLAG_BY_AGENT = 1 << 6, /* an agent started the process */
	CTL_FLAG_SECRETMEM = 1 << 7,
	CTL_FLAG_READONLY = 1 << 8, /* alarm: somebody has seen newer state */
	CTL_FLAG_LISTENING = 1 << 9,
	CTL_FLAG_COPIED = 1 << 10 /* a copy of another host: read-only */
};

struct ctl_status {
	uint32_t role; /* enum ctl_role */
	int32_t score; /* CTL_SCORE_* */
	uint32_t flags;
	uint32_t generation;	     /* newest in the keyring, 0: none */
	uint32_t current_generation; /* in the signed list */
	uint32_t locked_kib;
	uint64_t epoch;	       /* served or last seen */
	uint64_t list_version; /* on this node's disk */
	uint64_t lease_left_ms;
	uint8_t system_id[16];
	char system_pk[64]; /* base64 */
	char node[65];
	uint8_t node_number;
	uint8_t active_number; /* holder by the database, 0: nobody */
	uint8_t reserved[5];
	char network_name[254];
	char address[46];
	uint16_t port;
	char
	    reason[160]; /* why not ready, "" when ready; fits an exit reason */
	char resource[64]; /* that drives the server role, or "" */
};

/* Connect and check the server's uid. CLV_OK or CLV_E_NO_SERVER (nothing
 * listens), CLV_E_PERMISSION (not root's), CLV_E_TIMEOUT (it does not accept),
 * CLV_E_INVALID (path too long), CLV_E_SYSTEM.
 * *ret_pid: the supervisor's pid, by SO_PEERCRED. path NULL: CTL_SOCKET. */
int ctl_connect(const char *path, int timeout_ms, int *ret_fd, pid_t *ret_pid);
/* One request, all in one message of at most CTL_MSG_MAX, and its answer within
 * timeout_ms (CLOCK_BOOTTIME). Returns the answer's result, or CLV_E_TIMEOUT,
 * CLV_E_NO_SERVER (it went away), CLV_E_PROTOCOL (also an answer longer than
 * cap). *ret_len bytes of answer body, which is there also with many results <
 * 0 (a status with the reason). reply NULL: the body is thrown away. ret_len
 * may be NULL. After a failure of its own close fd: a late answer would be
 * taken for the next one's. */
int ctl_call(int fd, enum ctl_op op, const void *body, size_t len, void *reply,
    size_t cap, size_t *ret_len, int timeout_ms);

/* The same in two halves, for who has something else to do meanwhile. */
int ctl_send(
    int fd, enum ctl_op op, const void *body, size_t len, int timeout_ms);
int ctl_receive(int fd, enum ctl_op op, void *reply, size_t cap,
    size_t *ret_len, int timeout_ms);

#endif
