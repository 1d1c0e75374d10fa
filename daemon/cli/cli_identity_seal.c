/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"

/* claviger identity seal and unseal: this host's identity at rest. */

#define UNIT_DIR CLV_SYSCONFDIR "/systemd/system"
#define DROP_IN_DIR UNIT_DIR "/clavigerd.service.d"
#define DROP_IN DROP_IN_DIR "/claviger-tpm2.conf"

static const char drop_in[] =
    "# By claviger identity seal: clavigerd opens its identity with the TPM2.\n"
    "[Service]\n"
    "PrivateDevices=no\n"
    "# The device is, as often as not, the user tss's.\n"
    "CapabilityBoundingSet=CAP_DAC_OVERRIDE\n"
    "DeviceAllow=/dev/tpmrm0 rw\n";

struct sealing {
	const char *key;	 /* tpm2, host or host+tpm2 */
	struct clv_identity *id; /* as it is in use */
	bool unit;		 /* the drop-in was written */
};

static int
check_key(struct cli *c, struct sealing *s)
{
	static const char *const keys[] = {"tpm2", "host", "host+tpm2"};

	s->key = cli_opt(c, "with-key");
	if (s->key == NULL)
		s->key = keys[0];
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(s->key, keys[i]) == 0)
			return CLV_OK;
	return cli_fail(c, CLV_E_INVALID, NULL,
	    "--with-key must be tpm2, host or host+tpm2");
}

static void
path_of(const struct cli *c, const char *name, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s/%s", c->config.state_dir, name);
}

/* What has a second name would stay on the disk. */
static int
check_plain(struct cli *c)
{
	struct stat st;
	char path[320];

	path_of(c, "identity", path, sizeof(path));
	if (lstat(path, &st) != 0) {
		path_of(c, IDENTITY_CRED_FILE, path, sizeof(path));
		if (lstat(path, &st) != 0)
			return CLV_OK; /* loading it says so */
		return cli_fail(c, CLV_E_EXISTS,
		    "claviger identity unseal, to seal it anew",
		    "this host's identity is sealed already");
	}
	if (st.st_nlink > 1)
		return cli_fail(c, CLV_E_PERMISSION,
		    "remove the other names (find -samefile), then repeat the "
		    "command",
		    "%s has %lu names: it would stay on the disk under another",
		    path, (unsigned long)st.st_nlink);
	return CLV_OK;
}

static int
confirm(struct cli *c, const struct sealing *s)
{
	char would[128], question[256];

	snprintf(would, sizeof(would),
	    "the plain identity of %s would be removed", s->id->name);
	snprintf(question, sizeof(question),
	    "From then on the identity of %s opens on this machine alone, by "
	    "%s;\nthe plain file is removed. Go on",
	    s->id->name, s->key);
	return cli_confirm(c, would, question);
}

/* Under systemd the daemon has no devices but these. */
static int
allow_tpm(struct cli *c, struct sealing *s)
{
	int r;

	if (strcmp(s->key, "host") == 0 || access(UNIT_DIR, F_OK) != 0)
		return CLV_OK;
	if (mkdir(DROP_IN_DIR, 0755) == 0)
		(void)chmod(DROP_IN_DIR, 0755);
	r = cli_file_put(c, DROP_IN, drop_in, sizeof(drop_in) - 1, 0644);
	s->unit = r == CLV_OK;
	return r;
}

static int
write_sealed(struct cli *c, const struct sealing *s)
{
	char *text = NULL, why[IDENTITY_CRED_WHY_LEN];
	void *p = NULL;
	size_t len = 0;
	int r = clv_identity_format(s->id, &text);

	if (r != CLV_OK)
		return cli_fail(
		    c, r, NULL, "not sealed: %s", clv_result_text(r));
	r = identity_cred_make(
	    text, strlen(text), s->key, cli_opt(c, "tpm2-pcrs"), &p, &len, why);
	clv_guard_put(c->guard, text);
	if (r != CLV_OK)
		return cli_fail(c, r,
		    "systemd-creds(1) of systemd 250 or later is needed, and "
		    "for a TPM2 also /dev/tpmrm0 and the libraries of tpm2-tss",
		    "the identity was not sealed by %s: %s", s->key, why);
	r = cli_state_put(
	    c, &c->config, IDENTITY_CRED_FILE, p, len, 0400, NULL);
	free(p);
	return r;
}

static bool
is_same(const struct clv_identity *a, const struct clv_identity *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       sodium_memcmp(a->box_sk, b->box_sk, sizeof(a->box_sk)) == 0 &&
	       sodium_memcmp(a->sign_sk, b->sign_sk, sizeof(a->sign_sk)) == 0;
}

/* Opened again from the disk, before the plain one goes. */
static int
prove(struct cli *c, const struct sealing *s)
{
	char why[IDENTITY_CRED_WHY_LEN] = "it holds something else";
	struct clv_identity *back = NULL;
	int fd, r = identity_cred_open(c->config.state_dir, &fd, why);

	if (r == CLV_OK)
		r = identity_cred_read(c->guard, fd, &back);
	if (r == CLV_OK && !is_same(back, s->id))
		r = CLV_E_MISMATCH;
	clv_identity_free(&back);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "the plain one is as it was",
	    "what was sealed does not open: %s", why);
}

/* And durably, before anybody is told. */
static int
remove_file(struct cli *c, const char *name)
{
	char path[320];
	int fd, saved = 0, r = cli_become(c, &c->config);

	if (r != CLV_OK)
		return r;
	path_of(c, name, path, sizeof(path));
	fd = open(c->config.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (unlink(path) != 0 && errno != ENOENT) || fsync(fd) != 0)
		saved = errno;
	if (fd >= 0)
		close(fd);
	cli_unbecome();
	if (saved == 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_SYSTEM, "remove it by hand",
	    "%s could not be removed: %s", path, strerror(saved));
}

static int
print(struct cli *c, const char *state, const struct sealing *s)
{
	struct cli_json *j;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_str(j, "node", s->id->name);
		cli_json_str(j, "state", state);
		cli_json_str(j, "key", s->key);
		cli_json_bool(j, "unit_changed", s->unit);
		return cli_json_print(j);
	}
	printf("The identity of %s is %s: %s/%s\n", s->id->name, state,
	    c->config.state_dir,
	    s->key[0] != '\0' ? IDENTITY_CRED_FILE : "identity");
	if (s->key[0] != '\0')
		puts("What was there before may still be on the disk, where it "
		     "was deleted, and in\nbackups of it: have a disk that was "
		     "copied or exchanged revoked.");
	if (s->unit)
		puts("Under systemd: systemctl daemon-reload (" DROP_IN ")");
	return CLV_OK;
}

static int
seal(struct cli *c, struct sealing *s)
{
	int r = confirm(c, s);

	if (r == CLV_OK)
		r = write_sealed(c, s);
	if (r != CLV_OK)
		return r;
	r = prove(c, s);
	if (r == CLV_OK)
		r = allow_tpm(c, s);
	if (r != CLV_OK) {
		(void)remove_file(c, IDENTITY_CRED_FILE);
		return r;
	}
	return remove_file(c, "identity");
}

/* The lock of init and join: nobody else changes the identity meanwhile. */
static int
begin(struct cli *c, struct cli_host *h, int *ret_lock)
{
	int r = cli_state_dir(c, &c->config, NULL, ret_lock);

	return r == CLV_OK ? cli_host_load(c, h) : r;
}

int
cli_identity_seal(struct cli *c)
{
	struct sealing s = {.key = ""};
	struct cli_host h;
	int lock = -1, r = check_key(c, &s);

	cli_host_init(&h);
	if (r == CLV_OK)
		r = check_plain(c);
	if (r == CLV_OK)
		r = begin(c, &h, &lock);
	s.id = h.id; /* borrowed */
	if (r == CLV_OK)
		r = seal(c, &s);
	if (r == CLV_OK)
		r = print(c, "sealed", &s);
	cli_host_fini(&h);
	if (lock >= 0)
		close(lock);
	return r;
}

static int
write_plain(struct cli *c, const struct clv_identity *id)
{
	char *text = NULL;
	int r = clv_identity_format(id, &text);

	if (r != CLV_OK)
		return cli_fail(
		    c, r, NULL, "not opened: %s", clv_result_text(r));
	r = cli_state_put(
	    c, &c->config, "identity", text, strlen(text), 0400, NULL);
	clv_guard_put(c->guard, text);
	return r;
}

int
cli_identity_unseal(struct cli *c)
{
	struct sealing s = {.key = ""};
	struct cli_host h;
	int lock = -1, r;

	cli_host_init(&h);
	r = begin(c, &h, &lock);
	s.id = h.id; /* borrowed */
	if (r == CLV_OK)
		r = write_plain(c, h.id);
	if (r == CLV_OK)
		r = remove_file(c, IDENTITY_CRED_FILE);
	if (r == CLV_OK && unlink(DROP_IN) == 0)
		s.unit = true;
	if (r == CLV_OK)
		r = print(c, "plain", &s);
	cli_host_fini(&h);
	if (lock >= 0)
		close(lock);
	return r;
}
