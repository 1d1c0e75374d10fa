/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/api/api_impl.h"
#include "daemon/base/log.h"

/*
 * systemd.exec(5), LoadCredential=NAME:/run/claviger/credentials.sock: the
 * service manager connects as root from an abstract address
 * "@RANDOM/unit/UNIT/NAME" and reads the credential until the end. It gets the
 * secret NAME of the application in which "unit:UNIT" is a user.
 */
#define WAITING_MAX 64

struct credential {
	struct api *api; /* NULL: it has ended before */
	struct credential *next;
	int fd;
	char unit[256];
	char name[VAULT_NAME_MAX];
};

static void
credential_end(struct credential *x)
{
	close(x->fd);
	free(x);
}

static void
stop_waiting(struct credential *x)
{
	struct credential **pp;

	if (x->api == NULL)
		return;
	for (pp = &x->api->credentials; *pp != x; pp = &(*pp)->next)
		;
	*pp = x->next;
	x->api->credentials_waiting--;
}

static void
on_value(void *arg, const struct vault_reply *r)
{
	struct credential *x = arg;

	stop_waiting(x);
	if (r->result != CLV_OK)
		log_warning(
		    "credential %s for %s: %s", x->name, x->unit, r->text);
	/* It fits into the socket's buffer. */
	else if (send(x->fd, r->value, r->len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		 (ssize_t)r->len)
		log_warning("credential %s for %s: %s", x->name, x->unit,
		    strerror(errno));
	credential_end(x);
}

/* "\0RANDOM/unit/UNIT/NAME" */
static bool
parse_address(
    const struct sockaddr_un *sa, socklen_t len, struct credential *ret)
{
	size_t n = len - offsetof(struct sockaddr_un, sun_path);
	char path[sizeof(sa->sun_path) + 1], *unit, *name;

	if (len <= offsetof(struct sockaddr_un, sun_path) + 1 ||
	    sa->sun_path[0] != '\0')
		return false;
	memcpy(path, sa->sun_path + 1, n - 1);
	path[n - 1] = '\0';
	unit = strstr(path, "/unit/");
	if (unit == NULL)
		return false;
	unit += strlen("/unit/");
	name = strchr(unit, '/');
	if (name == NULL || strchr(name + 1, '/') != NULL)
		return false;
	*name++ = '\0';
	if (unit[0] == '\0' || strlen(unit) >= sizeof(ret->unit) ||
	    strlen(name) >= sizeof(ret->name))
		return false;
	memcpy(ret->unit, unit, strlen(unit) + 1);
	memcpy(ret->name, name, strlen(name) + 1);
	return vault_name_check(name) == CLV_OK;
}

/* The one application that this unit may use. */
static const struct member_app *
find_app(struct credential *x, const char **ret_why)
{
	const struct member *m = x->api->k->member;
	/* It is the service manager who asks, which is root. */
	struct auth_caller who = {.unit = x->unit};
	const struct member_app *found = NULL;

	*ret_why = "no application has this unit among its users: claviger "
		   "app grant APP unit:UNIT";
	for (size_t i = 0; i < m->app_count; i++) {
		if (!auth_may(AUTH_OP_GET,
			api_roles_of(x->api->k, &who, &m->apps[i])))
			continue;
		if (found != NULL) {
			*ret_why = "the unit is a user of several "
				   "applications: which one is meant cannot "
				   "be told";
			return NULL;
		}
		found = &m->apps[i];
	}
	return found;
}

static void
serve(struct credential *x)
{
	const struct member_app *app;
	const char *why = "this host is of no system yet";

	app = x->api->k->member != NULL ? find_app(x, &why) : NULL;
	if (app == NULL) {
		log_warning(
		    "credential %s for %s refused: %s", x->name, x->unit, why);
		credential_end(x);
		return;
	}
	x->next = x->api->credentials;
	x->api->credentials = x;
	x->api->credentials_waiting++;
	vault_get(x->api->k->member->vault, app->name, x->name, 0, false,
	    on_value, x);
}

static bool
is_root(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 &&
	       len == sizeof(u) && u.uid == 0;
}

static void
refuse(struct credential *x, const char *why)
{
	log_warning(
	    "a connection to the credentials socket was refused: %s", why);
	credential_end(x);
}

static void
on_accept(void *arg, int fd, bool readable, bool writable)
{
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	struct api *api = arg;
	struct credential *x;
	int conn;

	(void)readable;
	(void)writable;
	conn = accept4(
	    fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return;
	x = calloc(1, sizeof(*x));
	if (x == NULL) {
		close(conn);
		return;
	}
	x->api = api;
	x->fd = conn;
	if (!is_root(conn))
		refuse(x, "it is for the service manager, which is root");
	else if (api->credentials_waiting >= WAITING_MAX)
		refuse(x, "too many wait already: is the database hung?");
	else if (!parse_address(&from, len, x))
		refuse(x, "it comes from no address that names unit and "
			  "credential, as the service manager's does");
	else
		serve(x);
}

int
api_credentials_init(struct api *api)
{
	if (api->credentials_fd < 0)
		return CLV_OK;
	return loop_fd_add(
	    api->k->loop, api->credentials_fd, true, false, on_accept, api);
}

void
api_credentials_fini(struct api *api)
{
	if (api->credentials_fd >= 0)
		loop_fd_del(api->k->loop, api->credentials_fd);
	for (struct credential *x = api->credentials; x != NULL; x = x->next)
		x->api = NULL; /* the vault ends them */
}
