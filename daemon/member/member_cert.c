/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/front/tls.h"

/*
 * This host's own certificate is changed for a new one. That lies in a file
 * beside the one in use, before the server hears of it; the server writes it
 * into the signed list, and only then it is used. Whatever ends this process
 * between two of these steps, the server knows one of the two, and this host
 * has the key of either. With `now` the server knows only the new one from
 * then on: whoever is refused with the one in use tries the other.
 */

static int
thumb_of(int (*load)(
	     const char *, struct clv_buf *, struct clv_buf *, const char **),
    const char *dir, uint8_t ret[static 32])
{
	struct clv_buf cert, key;
	const char *name;
	int r;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	r = load(dir, &cert, &key, &name);
	if (r == CLV_OK)
		r = cert_thumb(cert.data, cert.len, ret);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	return r;
}

static void
say_why(struct member *m, const char *why)
{
	snprintf(m->cert.why, sizeof(m->cert.why), "%.159s", why);
}

/* From now on it is the one in use. */
static void
use_next(struct member *m)
{
	struct member_cert *c = &m->cert;
	int r = cert_pair_use_next(m->k->config->state_dir);

	if (r != CLV_OK) {
		say_why(m, file_why(r));
		log_error("this host's new certificate cannot be written to "
			  "%s: %s",
		    m->k->config->state_dir, c->why);
		return;
	}
	memcpy(c->current, c->next, sizeof(c->current));
	c->wanted = c->now = c->tries_next = false;
	c->why[0] = '\0';
	log_notice("this host's new certificate is in use");
	expiry_look(m->k);
	member_uplink_set(m);
}

void
member_cert_init(struct member *m)
{
	const char *dir = m->k->config->state_dir;
	struct member_cert *c = &m->cert;
	int r;

	if (thumb_of(cert_pair_load, dir, c->current) != CLV_OK)
		return; /* the uplink says so */
	if (m->k->copied[0] != '\0')
		return;
	r = thumb_of(cert_pair_next, dir, c->next);
	if (r == CLV_E_NOT_FOUND)
		return;
	if (r != CLV_OK) {
		log_warning(
		    "%s/tls.next: %s; it is not used", dir, clv_result_text(r));
	} else if (memcmp(c->current, c->next, sizeof(c->next)) == 0) {
		use_next(m);
	} else {
		c->wanted = true;
		c->now = cert_pair_next_is_alone(dir);
	}
}

/* With the names of the one in use. */
static int
make(const struct member *m, struct clv_buf *cert, struct clv_buf *key)
{
	const char *host = m->k->identity->name, *names[CERT_NAMES_MAX], *name;
	struct cert_info info;
	int r = cert_pair_load(m->k->config->state_dir, cert, key, &name);

	if (r == CLV_OK)
		r = cert_info(cert->data, cert->len, &info);
	clv_buf_reset(cert);
	clv_buf_reset(key);
	if (r != CLV_OK)
		return r;
	for (int i = 0; i < info.name_count; i++)
		names[i] = info.name[i];
	return cert_make(host, names, (size_t)info.name_count, cert, key);
}

static int
make_next(struct member *m, bool alone)
{
	const char *dir = m->k->config->state_dir;
	struct clv_buf cert, key;
	int r;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	r = make(m, &cert, &key);
	if (r == CLV_OK)
		r = cert_pair_save_next(dir, &cert, &key, alone);
	if (r == CLV_OK)
		r = cert_thumb(cert.data, cert.len, m->cert.next);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	return r;
}

static int
begin(struct member *m, bool now)
{
	struct member_cert *c = &m->cert;
	int r = c->wanted ? CLV_OK : make_next(m, now);

	if (r != CLV_OK) {
		log_error("this host's next certificate cannot be made in %s: "
			  "%s",
		    m->k->config->state_dir, file_why(r));
		return r;
	}
	c->wanted = true;
	c->now |= now;
	say_why(m, "the server is asked to accept the new one");
	return CLV_OK;
}

/* A copy would cut the other host off. */
static bool
is_copy(const struct member *m)
{
	return m->k->copied[0] != '\0';
}

int
member_cert_rotate(struct member *m, bool now)
{
	int r = is_copy(m) ? CLV_E_NOT_READY : begin(m, now);

	if (r == CLV_OK)
		member_refresh_begin(m);
	return r;
}

/* Within a refresh, whose last question is for the certificate. What lay on
 * this disk before is not enough after a compromise. */
void
member_cert_wish(struct member *m, const char *wish)
{
	struct member_cert *c = &m->cert;
	bool now = strcmp(wish, CLV_WIRE_ROTATE_NOW) == 0;

	if (is_copy(m) || (!now && strcmp(wish, CLV_WIRE_ROTATE) != 0) ||
	    (c->wanted && (c->now || !now)))
		return;
	log_notice("an administrator of the system asks for a new certificate "
		   "of this host");
	c->wanted = false;
	(void)begin(m, now);
}

int
member_cert_ask(struct member *m)
{
	const struct member_cert *c = &m->cert;
	struct clv_buf payload;
	int r;

	clv_buf_init(&payload);
	clv_buf_raw(&payload, c->current, sizeof(c->current));
	clv_buf_raw(&payload, c->next, sizeof(c->next));
	clv_buf_u8(&payload, c->now);
	r = clv_buf_result(&payload);
	if (r == CLV_OK)
		r = member_ask(m, CLV_WIRE_CERT, &payload);
	clv_buf_fini(&payload);
	return r;
}

void
member_cert_take(struct member *m, const struct clv_wire_answer *a)
{
	const char *text =
	    a->text[0] != '\0' ? a->text : clv_result_text(a->result);

	if (a->result == CLV_OK) {
		use_next(m);
		return;
	}
	if (a->result != CLV_E_AGAIN && strcmp(m->cert.why, text) != 0)
		log_warning(
		    "this host's new certificate is not accepted: %s", text);
	say_why(m, text);
}

bool
member_cert_refused(struct member *m)
{
	if (!m->cert.wanted || m->cert.tries_next)
		return false;
	m->cert.tries_next = true;
	member_uplink_set(m);
	return true;
}

void
member_cert_failed(struct member *m)
{
	if (!m->cert.tries_next)
		return;
	m->cert.tries_next = false;
	member_uplink_set(m);
}

void
member_cert_accepted(struct member *m)
{
	if (m->cert.tries_next)
		use_next(m);
}

int
member_cert_control(
    struct keeper *k, const void *p, size_t len, struct clv_buf *ret)
{
	struct member *m = k->member;
	uint8_t what = CTL_CERT_SHOW;
	int r = CLV_OK;

	if (m == NULL)
		return CLV_E_NOT_READY;
	if (len == sizeof(what))
		memcpy(&what, p, sizeof(what));
	if (len != sizeof(what) || what > CTL_CERT_NOW)
		return CLV_E_PROTOCOL;
	if (what != CTL_CERT_SHOW)
		r = member_cert_rotate(m, what == CTL_CERT_NOW);
	if (r != CLV_OK)
		return r;
	clv_buf_u8(ret, m->cert.wanted);
	clv_buf_raw(ret, m->cert.current, sizeof(m->cert.current));
	clv_buf_raw(ret, m->cert.next, sizeof(m->cert.next));
	clv_buf_str(ret, m->state == CLV_MEMBER_FRESH || m->failure[0] == '\0'
			     ? m->cert.why
			     : m->failure);
	return clv_buf_result(ret);
}
