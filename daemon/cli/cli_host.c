/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sodium.h>
#include "daemon/cli/cli.h"
#include "daemon/base/state.h"
#include "daemon/front/tls.h"

void
cli_host_init(struct cli_host *h)
{
	memset(h, 0, sizeof(*h));
	clv_buf_init(&h->cert);
	clv_buf_init(&h->key);
}

void
cli_host_fini(struct cli_host *h)
{
	clv_identity_free(&h->id);
	clv_buf_fini(&h->cert);
	clv_buf_fini(&h->key);
}

static int
fill_party(struct cli_host *h)
{
	struct clv_party *p = &h->party;

	memcpy(p->name, h->id->name, sizeof(p->name));
	memcpy(p->sign_pk, h->id->sign_pk, sizeof(p->sign_pk));
	memcpy(p->box_pk, h->id->box_pk, sizeof(p->box_pk));
	return cert_thumb(h->cert.data, h->cert.len, p->thumb);
}

int
cli_host_make(
    struct cli *c, const char *name, const char *address, struct cli_host *h)
{
	const char *names[2] = {name, address};
	size_t n = address != NULL && address[0] != '\0' ? 2 : 1;
	int r = clv_identity_new(c->guard, name, &h->id);

	if (r == CLV_OK)
		r = cert_make(name, names, n, &h->cert, &h->key);
	if (r == CLV_OK)
		r = fill_party(h);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r, NULL,
	    "the identity of this host cannot be made: %s", clv_result_text(r));
}

/* A plain one as the service's user; a sealed one root alone can open. */
int
cli_host_identity(struct cli *c, struct clv_identity **ret,
    char ret_why[static IDENTITY_CRED_WHY_LEN])
{
	char path[320];
	int fd, saved, r = cli_become(c, &c->config);

	ret_why[0] = '\0';
	if (r != CLV_OK)
		return r;
	snprintf(path, sizeof(path), "%s/identity", c->config.state_dir);
	errno = 0;
	r = clv_identity_load(c->guard, path, ret);
	saved = errno;
	cli_unbecome();
	errno = saved;
	if (r != CLV_E_NOT_FOUND)
		return r;
	r = identity_cred_open(c->config.state_dir, &fd, ret_why);
	return r == CLV_OK ? identity_cred_read(c->guard, fd, ret) : r;
}

static int
load_pair(struct cli *c, struct cli_host *h, const char **ret_name)
{
	int saved, r = cli_become(c, &c->config);

	if (r != CLV_OK)
		return r;
	r = cert_pair_load(c->config.state_dir, &h->cert, &h->key, ret_name);
	if (r == CLV_OK)
		r = fill_party(h);
	saved = errno;
	cli_unbecome();
	errno = saved;
	return r;
}

static int
not_loaded(struct cli *c, int r, const char *name, int error)
{
	const char *dir = c->config.state_dir, *user = c->config.user;
	const char *next = "restore the file, or have this host join again "
			   "under a new name";

	if (r == CLV_E_PERMISSION || (r == CLV_E_SYSTEM && error == EACCES))
		return cli_fail(c, CLV_E_PERMISSION,
		    "chown and chmod it; if somebody could read it, have this "
		    "host revoked, and join again",
		    "this host's %s/%s must belong to user %s (or root) and "
		    "be for nobody else: mode 0400",
		    dir, name, user);
	return cli_fail(c, r, next, "this host's %s/%s cannot be used: %s", dir,
	    name, r == CLV_E_SYSTEM ? strerror(error) : clv_result_text(r));
}

static int
not_opened(struct cli *c, int r, const char *why)
{
	return cli_fail(c, r,
	    "on the machine that it was sealed on, mend that; on another one, "
	    "or with another TPM2, join under a new name, and claviger restore",
	    "this host's %s/" IDENTITY_CRED_FILE
	    " does not open on this machine: %s",
	    c->config.state_dir, why);
}

int
cli_host_load(struct cli *c, struct cli_host *h)
{
	char why[IDENTITY_CRED_WHY_LEN];
	const char *name = "identity";
	int r = cli_guard(c);

	if (r == CLV_OK)
		r = cli_become(c, &c->config); /* is there such a user? */
	if (r != CLV_OK)
		return r;
	cli_unbecome();
	r = cli_host_identity(c, &h->id, why);
	if (r != CLV_OK && r != CLV_E_NOT_FOUND && why[0] != '\0')
		return not_opened(c, r, why);
	if (r == CLV_OK)
		r = load_pair(c, h, &name);
	return r == CLV_OK ? r : not_loaded(c, r, name, errno);
}

static int
save_pem(struct cli *c, const struct config *config, const struct cli_host *h,
    struct cli_undo *undo)
{
	struct clv_buf pem;
	int r;

	clv_buf_init(&pem);
	r = cert_to_pem(h->cert.data, h->cert.len, &pem);
	if (r == CLV_OK)
		r = cli_state_put(
		    c, config, "tls.crt", pem.data, pem.len, 0444, undo);
	clv_buf_reset(&pem);
	if (r == CLV_OK)
		r = cert_key_to_pem(h->key.data, h->key.len, &pem);
	if (r == CLV_OK)
		r = cli_state_put(
		    c, config, "tls.key", pem.data, pem.len, 0400, undo);
	clv_buf_fini(&pem);
	return r;
}

int
cli_host_mark(struct cli *c, const struct config *config,
    const struct machine_marks *marks, struct cli_undo *undo)
{
	char text[MACHINE_TEXT_MAX];
	size_t len = machine_format(marks, text);

	return cli_state_put(c, config, MACHINE_FILE, text, len, 0400, undo);
}

int
cli_host_save(struct cli *c, const struct config *config,
    const struct cli_host *h, struct cli_undo *undo)
{
	struct machine_marks marks;
	struct machine_ids ids;
	char *text = NULL;
	int r = clv_identity_format(h->id, &text);

	if (r != CLV_OK)
		return cli_fail(c, r, NULL,
		    "the identity cannot be written: "
		    "%s",
		    clv_result_text(r));
	r = cli_state_put(
	    c, config, "identity", text, strlen(text), 0400, undo);
	clv_guard_put(c->guard, text);
	machine_ids_get(&ids);
	machine_marks_make(&ids, h->id, &marks);
	if (r == CLV_OK)
		r = cli_host_mark(c, config, &marks, undo);
	return r == CLV_OK ? save_pem(c, config, h, undo) : r;
}
