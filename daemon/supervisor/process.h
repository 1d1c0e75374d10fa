/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_PROCESS_H
#define CLAVIGERD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "daemon/base/config.h"
#include "daemon/base/machine.h"

/*
 * The four processes. The supervisor stays root: it opens what root must
 * open, forks keeper and front, sends the ready notification
 * (sd_notify protocol, NOTIFY_SOCKET, path or abstract), watches both by
 * pidfd, and when either dies: kills the other, tells Pacemaker (tell.c; only
 * when the keeper told it a resource name) and ends with status 1. On SIGTERM
 * it asks the keeper to end. Keeper and front die with it (PR_SET_PDEATHSIG,
 * and EOF on the link), and the watcher tells Pacemaker in its place.
 */
struct keeper_fds {
	int control; /* listening control socket, bound and listening by root */
	int front;   /* SEQPACKET pair to the front */
	int link;    /* SEQPACKET pair to the supervisor, struct link_msg */
	int api;     /* as control, for everybody (claviger/api.h); -1: none */
	int credentials; /* SOCK_STREAM, for systemd's LoadCredential=; -1 */
	int identity; /* pipe with what was sealed (identity_cred.h); 0: a file
		       */
	struct machine_ids machine; /* which root has read */
};

enum link_op {
	LINK_READY = 1, /* keeper -> supervisor: serving the control socket */
	LINK_RESOURCE = 2, /* keeper -> supervisor: text is the resource name */
	LINK_END = 3,	   /* either way: orderly end */
	LINK_FAIL =
	    4, /* keeper -> supervisor: tell Pacemaker of a failure, go on */
	LINK_EVENT = 5, /* keeper -> supervisor: text is one of tell_events */
	LINK_RELOAD = 6 /* keeper -> supervisor: read the configuration again;
			 * back, and to the front: struct link_config */
};
struct link_msg {
	unsigned op;   /* enum link_op */
	char text[68]; /* [A-Za-z0-9._-]*, checked by the receiver */
};

/* The configuration as it is now; config_take_live() says what counts of it. */
struct link_config {
	unsigned op; /* LINK_RELOAD */
	struct config c;
};
/* supervisor_link.c: what the supervisor says, in keeper and front. */
enum link_word {
	LINK_SILENT,	  /* nothing, or nothing that concerns us */
	LINK_SAYS_CONFIG, /* *ret is it */
	LINK_SAYS_END,
	LINK_IS_GONE
};
enum link_word link_hear(int fd, struct link_config *ret);
void link_send_config(int fd, const struct config *c);

/* Run until the end; return the exit status. Each of the two runs in its own
 * process, its rights dropped, SIGINT, SIGTERM and SIGHUP ignored. */
typedef int (*keeper_fn)(const struct config *c, const struct keeper_fds *fds);
typedef int (*front_fn)(const struct config *c, int chan, int link);
int supervisor_main(const struct config *c, keeper_fn keeper, front_fn front);
int keeper_main(const struct config *c, const struct keeper_fds *fds);
/* chan: the front's end of the pair; link: as above (EOF: end). */
int front_main(const struct config *c, int chan, int link);

/* notify.c: tell whoever started us ("READY=1"), by the sd_notify protocol.
 * CLV_OK also when NOTIFY_SOCKET is not set. */
int notify_send(const char *state);

/* harden.c. In this order: process_clean() right at the program's start (clean
 * environment but TZ, PATH, NOTIFY_SOCKET and IDENTITY_CRED_DEVICE, umask 077,
 * close fds >= 3 but those kept, RLIMIT_CORE 1, RLIMIT_NOFILE 16384);
 * process_drop() in the child (groups, gid, uid, no capability, no_new_privs,
 * dumpable 0, PDEATHSIG); keeper_seccomp() / front_seccomp() last. */
void process_clean(void);
int process_drop(const char *user);
/* Ready: let go of the starter's standard streams, unless it is a terminal. */
void process_detach(void);
void process_close_from(int first); /* and every descriptor above it */
/* process_wait.c, of a child: true when it ended in time; what is late is
 * killed. It is the caller's to be reaped. */
bool process_wait(pid_t pid, uint64_t within_ms);
/* An unprivileged user: CLV_E_NOT_FOUND, CLV_E_PERMISSION (root's uid or gid).
 */
int process_user(const char *user, uid_t *ret_uid, gid_t *ret_gid);
/* seccomp.c; no filter in builds with AddressSanitizer. */
int keeper_seccomp(void); /* AF_UNIX only, no exec, no ptrace, no connect out */
int front_seccomp(void);  /* no exec, no ptrace, no bpf, no mount... */

#endif
