/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_AUTHORIZE_H
#define CLAVIGERD_AUTHORIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <claviger/list.h>

/*
 * Who may do what: one table of operations and roles, which every entry point
 * asks (control socket, local API, credentials socket, server port).
 */

enum auth_role { /* bits */
	AUTH_SYSTEM_ADMIN = 1,
	AUTH_CREATOR = 2,
	AUTH_APP_ADMIN = 4, /* of the application that the operation names */
	AUTH_APP_USER = 8,
	AUTH_ROOT = 16,	  /* has the four above as well */
	AUTH_NODE = 32,	  /* not a user: an enrolled server node */
	AUTH_MEMBER = 64, /* any enrolled host */
	AUTH_ANYBODY = 128
};
#define AUTH_ROLES 8

enum auth_op {
	/* by whoever reaches the socket */
	AUTH_OP_STATUS = 1,
	AUTH_OP_APPS, /* the applications in which the caller has a role */
	/* on the secrets of one application */
	AUTH_OP_GET,
	AUTH_OP_PUT,
	AUTH_OP_DELETE,
	AUTH_OP_LIST,
	AUTH_OP_HISTORY,
	AUTH_OP_SEAL,
	AUTH_OP_OPEN,
	/* on one application */
	AUTH_OP_APP_SHOW,
	AUTH_OP_APP_GRANT,
	AUTH_OP_APP_REVOKE,
	AUTH_OP_APP_REMOVE,
	AUTH_OP_APP_ADD,
	/* on the system */
	AUTH_OP_SETTING,
	AUTH_OP_NODE,	/* approve, revoke */
	AUTH_OP_MEMBER, /* add, revoke */
	AUTH_OP_ROTATE,
	AUTH_OP_BACKUPS, /* which were written */
	AUTH_OP_SHOW,	 /* the signed list, who asks to join */
	/* for claviger doctor */
	AUTH_OP_APP_INSPECT, /* an application, in the database */
	AUTH_OP_DATABASE,    /* which one this host is connected to */
	/* on this host */
	AUTH_OP_SERVICE, /* start, stop, promote, demote */
	AUTH_OP_KEYRING, /* hand it out, or take it in */
	/* of another host, over the server port */
	AUTH_OP_FETCH,
	AUTH_OP_HEADS,
	AUTH_OP_FORWARD, /* an administrative request of its root */
	AUTH_OP_JOIN,	 /* with a join token */
	AUTH_OP_CERT,	 /* another certificate of its own */
	AUTH_OPS
};

struct auth_caller {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	const char *unit; /* of the credentials socket, else NULL */
};

/* authorize_peer.c: SO_PEERCRED and SO_PEERGROUPS of a connection, as they
 * were when it was made. CLV_E_NOMEM, CLV_E_SYSTEM. */
int auth_caller_get(int fd, struct auth_caller *ret);
int auth_caller_copy(const struct auth_caller *c, struct auth_caller *ret);
/* Of one that one of these two made. */
void auth_caller_fini(struct auth_caller *c);

struct auth_id {
	uint8_t kind; /* enum clv_subject */
	bool known;   /* this host has such a user or group */
	uint32_t id;  /* uid or gid */
};

struct auth_acl { /* zeroed: nobody */
	char *text;
	struct auth_id *ids; /* one for each subject, in order */
	size_t count;
};

/* authorize_acl.c. Look up the names of a checked access list, again if it is
 * the one that a holds. A name that this host does not have matches nobody;
 * while the answer is a failure (a directory server that is away) what was
 * found before stays. It may block as long as such a server takes. CLV_E_NOMEM:
 * a is unchanged. */
int auth_acl_set(struct auth_acl *a, const char *text);
/* The same, but nobody is asked: a name that a did not hold matches nobody. */
int auth_acl_parse(struct auth_acl *a, const char *text);
void auth_acl_fini(struct auth_acl *a);

/*
 * authorize_names.c. What the name service says, once for all the access lists
 * of a round: begin, each list, end. A round asks it for AUTH_NAMES_MS, and for
 * as long as its last answer takes; the next one goes on where it stopped.
 */
#define AUTH_NAMES_MS 2000
struct auth_names {	    /* zeroed: nothing is known */
	void *now, *before; /* tsearch(3) */
	uint64_t pass_ms;   /* whom it was asked for since then is known */
	uint64_t until_ms;
	bool cut; /* the round ended before all were asked for */
};
/* anew: everybody, else those only who were never asked for. */
void auth_names_begin(struct auth_names *n, bool anew);
void auth_acl_look_up(struct auth_acl *a, struct auth_names *n);
void auth_names_end(struct auth_names *n);
void auth_names_fini(struct auth_names *n);
/* One, whose kind is set; it stays as it is when nobody can tell. */
void auth_id_look_up(struct auth_id *id, const char *name);

/*
 * authorize.c, pure. Roles of a caller; without an application the last two are
 * NULL. Root has all. A caller with a unit is the service manager asking for
 * that unit: root here, but with the rights of "unit:NAME.service" alone, which
 * are a user's at most. Anybody else who names a unit is believed nothing but
 * his uid.
 */
unsigned auth_roles(const struct auth_caller *caller,
    const struct auth_acl *system_admins, const struct auth_acl *creators,
    const struct auth_acl *app_admins, const struct auth_acl *app_users);
unsigned auth_host_roles(bool is_node);

/* May somebody with these roles do that? The only place that decides. */
bool auth_may(enum auth_op op, unsigned roles);

/* Short names for logs and the manual; never NULL. */
const char *auth_op_name(enum auth_op op);

#endif
