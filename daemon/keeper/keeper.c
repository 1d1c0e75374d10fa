/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/api_server.h"
#include "daemon/keeper/heads.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/keeper/members_live.h"
#include "daemon/rotate/reencrypt.h"
#include "daemon/rotate/rewrap.h"
#include "daemon/base/identity_cred.h"
#include "daemon/base/system_pin.h"

/* Keyrings, identity and working copies, and a member's keys and values: a
 * fraction of the usual limit of 8 MiB, and all of the process that is
 * locked. */
#define ARENA_LEN (640u * 1024)

void
keeper_end(struct keeper *k, int status)
{
	if (status == 0 && audit_drain(k, status))
		return;
	k->status = status;
	/* Only an orderly end is announced: the other one is a failure, which
	 * the supervisor sees by the pidfd and tells Pacemaker. */
	if (status == 0)
		keeper_tell(k, LINK_END, "");
	loop_stop(k->loop);
}

void
keeper_tell(struct keeper *k, enum link_op op, const char *text)
{
	struct link_msg m = {.op = op};

	snprintf(m.text, sizeof(m.text), "%s", text);
	if (send(k->link_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warning("supervisor: %s", strerror(errno));
}

void
keeper_event(struct keeper *k, const char *event)
{
	if (k->config->on_event[0] != '\0')
		keeper_tell(k, LINK_EVENT, event);
}

int
keeper_send(struct keeper *k, enum chan_type type, const struct clv_buf *body)
{
	int r = chan_send(k->front, type, body);

	(void)loop_fd_set(
	    k->loop, chan_fd(k->front), true, chan_wants_write(k->front));
	return r;
}

const char *
keeper_node_name(const struct keeper *k, uint8_t number)
{
	const struct clv_list_node *n =
	    k->secret.list != NULL
		? clv_list_node_by_number(k->secret.list, number)
		: NULL;

	return n != NULL ? n->party.name : "an unknown node";
}

static void
on_front_message(void *arg, enum chan_type type, struct clv_rd *body)
{
	struct keeper *k = arg;

	switch (type) {
	case CHAN_SQL_RESULT: db_on_result(k, body); break;
	case CHAN_DATABASE: db_on_state(k, body); break;
	case CHAN_LISTENING: serving_on_listening(k, body); break;
	case CHAN_CLOSED: serving_on_closed(k); break;
	case CHAN_REQUEST: member_on_request(k, body); break;
	case CHAN_JOIN: join_on_request(k, body); break;
	case CHAN_CLUSTER:
		witness_on_cluster(k, body);
		/* It comes every second, and time alone changes things. */
		member_notice(k);
		break;
	case CHAN_DELIVER: peers_on_deliver(k, body); break;
	case CHAN_REPLY: member_on_reply(k, body); break;
	case CHAN_UPLINK_STATE: member_on_uplink(k, body); break;
	case CHAN_SQL:
	case CHAN_TLS:
	case CHAN_PINS:
	case CHAN_JOINERS:
	case CHAN_LISTEN:
	case CHAN_UNLISTEN:
	case CHAN_ANSWER:
	case CHAN_CAST:
	case CHAN_UPLINK:
	case CHAN_ASK:
	case CHAN_NOTICE: log_error("the front sent a keeper's message"); break;
	}
}

static void
on_front(void *arg, int fd, bool readable, bool writable)
{
	struct keeper *k = arg;
	int r = CLV_OK;

	if (readable)
		r = chan_on_read(k->front);
	if (r == CLV_OK && writable)
		r = chan_on_write(k->front);
	if (r != CLV_OK) {
		log_error("the front is gone: %s", clv_result_text(r));
		keeper_end(k, 1);
		return;
	}
	(void)loop_fd_set(k->loop, fd, true, chan_wants_write(k->front));
}

/* A refresh sets every timer anew by the new numbers. */
static void
reload(struct keeper *k, const struct config *c)
{
	config_take_live(&k->own_config, c);
	if (k->member != NULL)
		member_refresh_soon(k);
	log_notice("the configuration was read again");
}

static void
on_link(void *arg, int fd, bool readable, bool writable)
{
	struct keeper *k = arg;
	struct link_config m;
	enum link_word word = link_hear(fd, &m);

	(void)readable;
	(void)writable;
	if (word == LINK_SAYS_CONFIG)
		reload(k, &m.c);
	if (word == LINK_SAYS_CONFIG || word == LINK_SILENT)
		return;
	if (word == LINK_IS_GONE)
		log_error("the supervisor is gone");
	loop_fd_del(k->loop, fd);
	keeper_end(k, word == LINK_SAYS_END ? 0 : 1);
}

static void
on_signal(void *arg, int sig)
{
	(void)sig;
	keeper_end(arg, 0);
}

static int
load_identity(struct keeper *k, int sealed)
{
	char path[512];
	int r;

	if (k->config->system[0] == '\0') {
		log_notice("no system is configured on this host yet");
		return CLV_OK;
	}
	r = system_pin_load(k->config, k->system_pk);
	if (r == CLV_E_CONFIG) {
		log_error("%s: system is not a public key", k->config->path);
		return r;
	}
	if (r != CLV_OK)
		log_warning("%s/successor is not used: %s",
		    k->config->state_dir, clv_result_text(r));
	snprintf(path, sizeof(path), "%s/identity", k->config->state_dir);
	r = sealed > 0 ? identity_cred_read(k->guard, sealed, &k->identity)
		       : clv_identity_load(k->guard, path, &k->identity);
	if (r == CLV_E_PERMISSION)
		log_error("%s must belong to user %s (or root) and be for "
			  "nobody else: mode 0400",
		    path, k->config->user);
	else if (r != CLV_OK)
		log_error("%s: %s", path, file_why(r));
	return r;
}

static int
load_state(struct keeper *k)
{
	int r = state_load(k->config->state_dir, &k->seen);

	if (r == CLV_E_NOT_FOUND)
		return CLV_OK;
	if (r != CLV_OK)
		log_error("%s/state: %s; it says what this node has promised, "
			  "so it is not guessed: join again after claviger "
			  "node revoke",
		    k->config->state_dir, clv_result_text(r));
	return r;
}

static int
watch(struct keeper *k)
{
	int r;

	/* Who may connect is on its way already. */
	r = loop_fd_add(k->loop, chan_fd(k->front), true,
	    chan_wants_write(k->front), on_front, k);
	if (r == CLV_OK)
		r = loop_fd_add(k->loop, k->link_fd, true, false, on_link, k);
	if (r == CLV_OK)
		r = loop_signal_add(k->loop, SIGTERM, on_signal, k);
	if (r == CLV_OK)
		r = loop_signal_add(k->loop, SIGINT, on_signal, k);
	return r == CLV_OK ? control_init(k) : r;
}

/* Of a server every member is the memory. */
static uint64_t
heads_save_ms(const struct config *c)
{
	return config_is_server(c) ? KEEPER_HEADS_MS : MEMBER_HEADS_MS;
}

int
keeper_init(
    struct keeper *k, const struct config *c, const struct keeper_fds *fds)
{
	int r;

	k->own_config = *c;
	k->config = &k->own_config;
	k->control_fd = fds->control;
	k->link_fd = fds->link;
	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	randombytes_buf(k->instance, sizeof(k->instance));
	snprintf(k->db.why, sizeof(k->db.why), "not connected yet");
	r = clv_guard_new(ARENA_LEN, &k->guard);
	if (r != CLV_OK) {
		log_error("%u KiB of memory cannot be locked: raise the limit "
			  "(LimitMEMLOCK=, ulimit -l)",
		    ARENA_LEN / 1024);
		return r;
	}
	r = loop_new(&k->loop);
	if (r == CLV_OK)
		r = chan_new(fds->front, on_front_message, k, &k->front);
	if (r == CLV_OK)
		r = load_state(k);
	if (r == CLV_OK)
		r = load_identity(k, fds->identity);
	if (r == CLV_OK)
		copied_init(k, &fds->machine);
	if (r == CLV_OK)
		r = reencrypt_new(k, &k->reencrypt);
	if (r == CLV_OK)
		r = rewrap_new(k, &k->rewrap);
	if (r == CLV_OK)
		r = members_live_new(&k->live);
	if (r == CLV_OK && k->identity != NULL)
		r = heads_open(
		    k->loop, c->state_dir, heads_save_ms(c), &k->heads);
	if (r == CLV_OK && k->identity != NULL)
		r = secret_init(k);
	if (r == CLV_OK && k->identity != NULL)
		audit_init(k);
	if (r == CLV_OK && k->identity != NULL)
		r = member_init(k);
	if (r == CLV_OK && k->identity != NULL)
		expiry_look(k);
	if (r == CLV_OK)
		r = api_init(k, fds->api, fds->credentials);
	if (r == CLV_OK)
		r = watch(k);
	return r;
}

void
keeper_fini(struct keeper *k)
{
	if (k->loop == NULL)
		return;
	api_fini(k);
	admin_fini(k);
	control_fini(k);
	publish_fini(k);
	tlsnext_fini(k);
	expiry_fini(k);
	audit_fini(k);
	rewrap_free(&k->rewrap);
	reencrypt_free(&k->reencrypt);
	db_cancel_pool(k);
	member_fini(k);
	heads_claims_fini(&k->watch.claims);
	heads_close(&k->heads);
	members_live_free(&k->live);
	member_forget_sealed(k);
	lease_fini(k);
	witness_fini(k);
	peers_fini(k);
	secret_fini(k);
	db_fini(k);
	if (k->front != NULL) {
		loop_fd_del(k->loop, chan_fd(k->front));
		chan_free(&k->front);
	}
	clv_identity_free(&k->identity);
	loop_free(&k->loop);
	clv_guard_free_all(&k->guard);
}

int
keeper_main(const struct config *c, const struct keeper_fds *fds)
{
	static struct keeper k;
	int r;

	r = keeper_init(&k, c, fds);
	if (r == CLV_OK)
		r = keeper_seccomp();
	if (r == CLV_OK) {
		secret_prove(&k);
		keeper_tell(&k, LINK_READY, "");
		process_detach();
		loop_run(k.loop);
	} else {
		log_error("the keeper cannot start: %s", clv_result_text(r));
		k.status = 1;
	}
	keeper_fini(&k);
	return k.status;
}
