/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <claviger/age.h>

#include "daemon/admin/admin.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"

#define CONNS_MAX 64
#define LIST_PART (CTL_MSG_MAX - 4096)

struct control_conn {
	struct control_conn *next;
	struct keeper *k;
	int fd;
	unsigned roles;	     /* enum auth_role */
	enum ctl_op waiting; /* for the end of this, or 0 */
};

static void
conn_free(struct keeper *k, struct control_conn *c)
{
	struct control_conn **pp;

	for (pp = &k->conns; *pp != c; pp = &(*pp)->next)
		;
	*pp = c->next;
	admin_on_hang_up(k, c);
	loop_fd_del(k->loop, c->fd);
	close(c->fd);
	free(c);
}

static void
send_reply(struct control_conn *c, enum ctl_op op, int result, const void *p,
    size_t len)
{
	struct ctl_header h = {
	    CTL_MAGIC, (uint16_t)op, 0, result, (uint32_t)len};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)p, len}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	if (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control: %s", strerror(errno));
}

static void
reply(struct control_conn *c, enum ctl_op op, int result, const void *p,
    size_t len)
{
	c->waiting = 0;
	send_reply(c, op, result, p, len);
}

static enum ctl_role
shown_role(enum role_state s)
{
	switch (s) {
	case ROLE_OFF: return CTL_ROLE_OFF;
	case ROLE_LOCKED: return CTL_ROLE_LOCKED;
	case ROLE_STANDBY: return CTL_ROLE_STANDBY;
	case ROLE_WITNESS:
	case ROLE_CLAIM:
	case ROLE_OPEN:
	case ROLE_OPEN_AWAY: return CTL_ROLE_PROMOTING;
	case ROLE_ACTIVE: return CTL_ROLE_ACTIVE;
	case ROLE_AWAY:
	case ROLE_AWAY_WITNESS:
	case ROLE_AWAY_CLAIM: return CTL_ROLE_AWAY;
	case ROLE_STATES: break;
	}
	return CTL_ROLE_OFF;
}

static uint32_t
status_flags(struct keeper *k)
{
	uint32_t f = 0;

	f |= k->db.up ? CTL_FLAG_DATABASE : 0;
	f |= k->witness.configured ? CTL_FLAG_CLUSTER : 0;
	f |= witness_quorate(k) ? CTL_FLAG_QUORATE : 0;
	f |= serving_encrypts(k) ? CTL_FLAG_ENCRYPT : 0;
	f |= k->secret.keyring != NULL ? CTL_FLAG_UNLOCKED : 0;
	f |= secret_is_proven(k) ? CTL_FLAG_PROVEN : 0;
	f |= k->serving.by_agent ? CTL_FLAG_BY_AGENT : 0;
	f |= clv_guard_kind(k->guard) == CLV_GUARD_SECRETMEM
		 ? CTL_FLAG_SECRETMEM
		 : 0;
	f |= k->secret.list != NULL && serving_read_only(k) ? CTL_FLAG_READONLY
							    : 0;
	f |= k->serving.listening ? CTL_FLAG_LISTENING : 0;
	f |= k->copied[0] != '\0' ? CTL_FLAG_COPIED : 0;
	return f;
}

static void
status_of_list(struct keeper *k, struct ctl_status *st)
{
	const struct clv_list *list = k->secret.list;

	if (list == NULL)
		return;
	st->current_generation = clv_list_current(list)->number;
	st->list_version = list->version;
	memcpy(st->system_id, list->system_id, sizeof(st->system_id));
	snprintf(st->network_name, sizeof(st->network_name), "%s",
	    list->network_name);
	snprintf(st->address, sizeof(st->address), "%s", list->address);
	st->port = list->port;
}

void
control_status(struct keeper *k, struct ctl_status *st)
{
	uint64_t now = loop_now_ms();

	memset(st, 0, sizeof(*st));
	st->role = shown_role(k->serving.state);
	st->score = serving_score(k);
	st->flags = status_flags(k);
	if (k->serving.state != ROLE_OFF)
		memcpy(st->resource, k->serving.resource, sizeof(st->resource));
	if (k->secret.keyring != NULL)
		st->generation = clv_keyring_newest(k->secret.keyring);
	st->locked_kib = (uint32_t)(clv_guard_locked(k->guard) / 1024);
	st->epoch = k->serving.epoch != 0 ? k->serving.epoch : k->seen.epoch;
	if (k->lease.until_ms > now)
		st->lease_left_ms = k->lease.until_ms - now;
	if (k->config->system[0] != '\0')
		sodium_bin2base64(st->system_pk, sizeof(st->system_pk),
		    k->system_pk, sizeof(k->system_pk),
		    sodium_base64_VARIANT_ORIGINAL);
	snprintf(st->node, sizeof(st->node), "%s",
	    k->identity != NULL ? k->identity->name : k->config->node);
	st->node_number = k->node_number;
	if (k->db.known && k->db.lease_until_ms > now)
		st->active_number = k->db.holder;
	if (role_serves(k->serving.state))
		st->active_number = k->node_number;
	status_of_list(k, st);
	serving_reason(k, st->reason, sizeof(st->reason));
}

static void
reply_status(
    struct keeper *k, struct control_conn *c, enum ctl_op op, int result)
{
	struct ctl_status st;

	control_status(k, &st);
	if (result != CLV_OK && st.reason[0] == '\0')
		snprintf(st.reason, sizeof(st.reason), "%s",
		    k->serving.last_failure);
	reply(c, op, result, &st, sizeof(st));
}

static void
answer_waiting(struct keeper *k, enum ctl_op op, int result)
{
	for (struct control_conn *c = k->conns; c != NULL; c = c->next)
		if (c->waiting == op)
			reply_status(k, c, op, result);
}

void
control_promoted(struct keeper *k, int result)
{
	answer_waiting(k, CTL_PROMOTE, result);
}

void
control_demoted(struct keeper *k)
{
	answer_waiting(k, CTL_DEMOTE, CLV_OK);
	answer_waiting(k, CTL_STOP, CLV_OK);
}

void
control_proven(struct keeper *k)
{
	answer_waiting(k, CTL_RESTORE, CLV_OK);
}

/* Operations. */

static void
on_start(struct keeper *k, struct control_conn *c, const void *p, size_t len)
{
	struct ctl_start start;

	if (len != sizeof(start)) {
		reply(c, CTL_START, CLV_E_PROTOCOL, NULL, 0);
		return;
	}
	memcpy(&start, p, sizeof(start));
	start.resource[sizeof(start.resource) - 1] = '\0';
	/* Two resources would stop it under each other's feet. */
	if (k->serving.state != ROLE_OFF && k->serving.resource[0] != '\0' &&
	    strcmp(k->serving.resource, start.resource) != 0) {
		reply_status(k, c, CTL_START, CLV_E_EXISTS);
		return;
	}
	memcpy(k->serving.resource, start.resource, sizeof(start.resource));
	if (start.by_agent)
		k->serving.by_agent = true;
	keeper_tell(k, LINK_RESOURCE, k->serving.resource);
	serving_event(k, ROLE_EV_START, "");
	reply_status(k, c, CTL_START, CLV_OK);
}

static void
on_promote(struct keeper *k, struct control_conn *c)
{
	c->waiting = CTL_PROMOTE;
	k->serving.last_failure[0] = '\0';
	secret_prove(k);
	if (c->waiting == CTL_PROMOTE)
		serving_event(k, ROLE_EV_PROMOTE, "");
}

static void
on_down(struct keeper *k, struct control_conn *c, enum ctl_op op)
{
	c->waiting = op;
	if (op == CTL_STOP)
		keeper_tell(k, LINK_RESOURCE, "");
	serving_event(k, op == CTL_STOP ? ROLE_EV_STOP : ROLE_EV_DEMOTE, "");
	if (!k->serving.listening)
		control_demoted(k);
}

static void
on_list(struct keeper *k, struct control_conn *c, const void *p, size_t len)
{
	const struct clv_buf *blob = &k->secret.list_blob;
	uint8_t part[sizeof(uint64_t) + LIST_PART];
	uint64_t offset = 0, total = blob->len;
	size_t n;

	if (k->secret.list == NULL) {
		reply(c, CTL_LIST, CLV_E_NOT_FOUND, NULL, 0);
		return;
	}
	if (len == sizeof(offset))
		memcpy(&offset, p, sizeof(offset));
	if (offset > total) {
		reply(c, CTL_LIST, CLV_E_INVALID, NULL, 0);
		return;
	}
	n = total - offset < LIST_PART ? total - offset : LIST_PART;
	memcpy(part, &total, sizeof(total));
	memcpy(part + sizeof(total), blob->data + offset, n);
	reply(c, CTL_LIST, CLV_OK, part, sizeof(total) + n);
}

static void
note(struct keeper *k, const char *operation, const char *text)
{
	audit_note(k, &(struct audit_note){.who = "root",
			  .operation = operation,
			  .object = k->identity->name,
			  .result = CLV_OK,
			  .text = text});
}

static void
on_export(struct keeper *k, struct control_conn *c, const void *p, size_t len)
{
	struct clv_buf file;
	char *text = NULL;
	size_t text_len = 0;
	int r = CLV_OK;

	clv_buf_init(&file);
	if (len != CLV_AGE_KEY_LEN)
		r = CLV_E_PROTOCOL;
	else if (k->secret.keyring == NULL)
		r = CLV_E_NO_SECRET;
	if (r == CLV_OK)
		r = clv_keyring_format(k->secret.keyring, &text, &text_len);
	if (r == CLV_OK)
		r = clv_age_seal(k->guard, p, 1, false, text, text_len, &file);
	if (r == CLV_OK)
		note(k, "keyring-export", "to a local administrator, sealed");
	reply(c, CTL_EXPORT, r, file.data, r == CLV_OK ? file.len : 0);
	clv_guard_put(k->guard, text);
	clv_buf_fini(&file);
}

static void
on_restore(struct keeper *k, struct control_conn *c, const void *p, size_t len)
{
	struct clv_keyring *keyring = NULL;
	uint8_t *text = NULL;
	size_t text_len = 0;
	int r;

	if (k->identity == NULL) {
		reply(c, CTL_RESTORE, CLV_E_NOT_READY, NULL, 0);
		return;
	}
	r = clv_age_open(k->guard, k->identity->box_sk, p, len,
	    CLV_KEYRING_TEXT_MAX, &text, &text_len);
	if (r == CLV_OK)
		r = clv_keyring_parse(
		    k->guard, (char *)text, text_len, &keyring);
	clv_guard_put(k->guard, text);
	c->waiting = CTL_RESTORE; /* answered when this node is ready, or not */
	if (r == CLV_OK)
		r = secret_accept_keyring(k, &keyring);
	clv_keyring_free(&keyring);
	if (r != CLV_OK) {
		log_warning("restore refused: %s", clv_result_text(r));
		reply_status(k, c, CTL_RESTORE, r);
		return;
	}
	log_notice("the master secret was restored on this node");
	note(k, "keyring-restore", "from a copy");
	if (c->waiting == CTL_RESTORE && !k->secret.fetching)
		secret_prove(k);
}

void
control_admin_done(struct keeper *k, struct control_conn *c, int result,
    const void *p, size_t len)
{
	(void)k;
	reply(c, CTL_ADMIN, result, p, len);
}

static void
on_cert(struct keeper *k, struct control_conn *c, const void *p, size_t len)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	r = member_cert_control(k, p, len, &b);
	reply(c, CTL_CERT, r, b.data, r == CLV_OK ? b.len : 0);
	clv_buf_fini(&b);
}

static void
on_audit(struct keeper *k, struct control_conn *c)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	audit_format(k, &b);
	r = clv_buf_result(&b);
	reply(c, CTL_AUDIT, r, b.data, r == CLV_OK ? b.len : 0);
	clv_buf_fini(&b);
}

static void
on_config(struct keeper *k, struct control_conn *c)
{
	char text[CONFIG_TEXT_MAX];
	size_t len = config_text(k->config, text);

	reply(c, CTL_CONFIG, CLV_OK, text, len);
}

/* What is asked for inside an administrative request is admin_may()'s. */
static void
on_shutdown(struct keeper *k, struct control_conn *c)
{
	const bool in_use = k->serving.state != ROLE_OFF;

	reply(c, CTL_SHUTDOWN, in_use ? CLV_E_BUSY : CLV_OK, NULL, 0);
	if (!in_use)
		keeper_end(k, 0);
}

static enum auth_op
needed(enum ctl_op op)
{
	switch (op) {
	case CTL_STATUS:
	case CTL_ADMIN: return AUTH_OP_STATUS;
	case CTL_CONFIG:
	case CTL_AUDIT:
	case CTL_LIST: return AUTH_OP_SHOW;
	case CTL_EXPORT:
	case CTL_RESTORE: return AUTH_OP_KEYRING;
	case CTL_START:
	case CTL_STOP:
	case CTL_PROMOTE:
	case CTL_DEMOTE:
	case CTL_SHUTDOWN:
	case CTL_RELOAD:
	case CTL_ADOPT:
	case CTL_CERT: break;
	}
	return AUTH_OP_SERVICE;
}

static void
on_message(struct keeper *k, struct control_conn *c, enum ctl_op op,
    const void *p, size_t len)
{
	struct admin_origin origin = {.conn = c};

	if (!auth_may(needed(op), c->roles)) {
		reply(c, op, CLV_E_DENIED, NULL, 0);
		return;
	}
	switch (op) {
	case CTL_STATUS: reply_status(k, c, op, CLV_OK); break;
	case CTL_START: on_start(k, c, p, len); break;
	case CTL_PROMOTE: on_promote(k, c); break;
	case CTL_STOP:
	case CTL_DEMOTE: on_down(k, c, op); break;
	case CTL_LIST: on_list(k, c, p, len); break;
	case CTL_EXPORT: on_export(k, c, p, len); break;
	case CTL_RESTORE: on_restore(k, c, p, len); break;
	case CTL_ADMIN:
		c->waiting = CTL_ADMIN;
		admin_request(k, &origin, p, len);
		break;
	case CTL_SHUTDOWN: on_shutdown(k, c); break;
	case CTL_CERT: on_cert(k, c, p, len); break;
	case CTL_CONFIG: on_config(k, c); break;
	case CTL_AUDIT: on_audit(k, c); break;
	case CTL_RELOAD:
		keeper_tell(k, LINK_RELOAD, "");
		reply(c, op, CLV_OK, NULL, 0);
		break;
	case CTL_ADOPT: reply(c, op, copied_again(k), NULL, 0); break;
	default: reply(c, op, CLV_E_PROTOCOL, NULL, 0);
	}
}

static void
on_conn(void *arg, int fd, bool readable, bool writable)
{
	static uint8_t msg[CTL_MSG_MAX];
	struct control_conn *c = arg;
	struct ctl_header h;
	ssize_t n;

	(void)readable;
	(void)writable;
	n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(h) || n > (ssize_t)sizeof(msg)) {
		conn_free(c->k, c);
		return;
	}
	memcpy(&h, msg, sizeof(h));
	if (h.magic != CTL_MAGIC || h.len != (size_t)n - sizeof(h)) {
		conn_free(c->k, c);
		return;
	}
	if (c->waiting != 0) /* one at a time on one connection */
		send_reply(c, h.op, CLV_E_BUSY, NULL, 0);
	else
		on_message(c->k, c, h.op, msg + sizeof(h), h.len);
	sodium_memzero(msg, (size_t)n);
}

static unsigned
roles_of(int fd)
{
	struct auth_acl nobody = {NULL, NULL, 0};
	struct auth_caller caller;
	unsigned roles;

	if (auth_caller_get(fd, &caller) != CLV_OK)
		return 0;
	roles = auth_roles(&caller, &nobody, &nobody, NULL, NULL);
	auth_caller_fini(&caller);
	return roles;
}

static unsigned
count(const struct keeper *k)
{
	unsigned n = 0;

	for (const struct control_conn *c = k->conns; c != NULL; c = c->next)
		n++;
	return n;
}

static void
on_accept(void *arg, int fd, bool readable, bool writable)
{
	struct keeper *k = arg;
	struct control_conn *c;
	unsigned roles;
	int conn;

	(void)readable;
	(void)writable;
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return;
	roles = roles_of(conn);
	c = calloc(1, sizeof(*c));
	if (c == NULL || (roles & AUTH_ROOT) == 0 || count(k) >= CONNS_MAX) {
		log_warning("control: a connection was refused: %s",
		    roles & AUTH_ROOT ? "too many" : "the caller is not root");
		free(c);
		close(conn);
		return;
	}
	c->k = k;
	c->fd = conn;
	c->roles = roles;
	c->next = k->conns;
	k->conns = c;
	if (loop_fd_add(k->loop, conn, true, false, on_conn, c) != CLV_OK)
		conn_free(k, c);
}

int
control_init(struct keeper *k)
{
	return loop_fd_add(k->loop, k->control_fd, true, false, on_accept, k);
}

void
control_fini(struct keeper *k)
{
	while (k->conns != NULL)
		conn_free(k, k->conns);
}
