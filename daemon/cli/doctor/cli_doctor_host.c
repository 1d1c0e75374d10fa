/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/front/tls.h"

/* What is on this host. */

void
doctor_config(struct doctor *d)
{
	const struct cli *c = d->c;

	if (c->config_result == CLV_E_NOT_FOUND)
		doctor_found(d, c->path, NULL, "it is not there");
	else if (c->config_result != CLV_OK)
		doctor_found(d, "", "mend that line of the file, or restore it",
		    "%s",
		    c->config_why[0] != '\0'
			? c->config_why
			: clv_result_text(c->config_result));
	else if (c->config.system[0] == '\0')
		doctor_found(d, c->path, NULL,
		    "it has no line 'system = ' with a system's public key");
	else
		doctor_note(d, "%s: a %s", c->path,
		    d->is_server ? "server node" : "member");
}

/* Of root or that user, and for nobody else but as the mode allows. */
struct file_rule {
	const char *path;
	const struct passwd *pw; /* NULL: there is no such user */
	const char *user;
	unsigned mode;
};

static bool
owner_is_wrong(const struct file_rule *f, const struct stat *st)
{
	return st->st_uid != 0 &&
	       (f->pw == NULL || st->st_uid != f->pw->pw_uid);
}

static bool
mode_is_wrong(const struct file_rule *f, const struct stat *st)
{
	return (st->st_mode & 07777 & ~f->mode) != 0;
}

/* What the service's user put there in the place of a file is left alone. */
static bool
set_right(const struct file_rule *f)
{
	int fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool ok =
	    fd >= 0 && fstat(fd, &st) == 0 &&
	    ((f->mode & 0100) != 0 ? S_ISDIR(st.st_mode)
				   : S_ISREG(st.st_mode) && st.st_nlink == 1);

	if (ok && owner_is_wrong(f, &st))
		ok = f->pw != NULL &&
		     fchown(fd, f->pw->pw_uid, f->pw->pw_gid) == 0;
	if (ok && mode_is_wrong(f, &st))
		ok = fchmod(fd, st.st_mode & f->mode) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static void
wrong_file(struct doctor *d, const struct file_rule *f, const struct stat *st)
{
	char before[64], after[64];
	bool fixed = cli_opt(d->c, "fix") != NULL && set_right(f);

	if (owner_is_wrong(f, st)) {
		snprintf(before, sizeof(before), "owner is user %u",
		    (unsigned)st->st_uid);
		snprintf(after, sizeof(after), "owner is user %s", f->user);
		if (fixed)
			doctor_fixed(d, f->path, before, after);
		else
			doctor_found(d, f->path, NULL, "its %s, not root or %s",
			    before, f->user);
	}
	if (!mode_is_wrong(f, st))
		return;
	snprintf(before, sizeof(before), "mode is %04o",
	    (unsigned)st->st_mode & 07777);
	snprintf(after, sizeof(after), "mode is %04o",
	    (unsigned)st->st_mode & f->mode);
	if (fixed)
		doctor_fixed(d, f->path, before, after);
	else
		doctor_found(
		    d, f->path, NULL, "its %s: %04o at most", before, f->mode);
}

static void
check_file(struct doctor *d, const char *dir, const char *name,
    const char *user, unsigned mode, bool must_be)
{
	struct stat st;
	char path[600];
	const struct file_rule f = {
	    .path = path, .pw = getpwnam(user), .user = user, .mode = mode};

	snprintf(path, sizeof(path), "%s%s%s", dir, name[0] != '\0' ? "/" : "",
	    name);
	if (lstat(path, &st) != 0) {
		if (must_be || errno != ENOENT)
			doctor_found(d, path,
			    "restore it, or have this host join again under a "
			    "new name",
			    "%s", strerror(errno));
		return;
	}
	if (owner_is_wrong(&f, &st) || mode_is_wrong(&f, &st))
		wrong_file(d, &f, &st);
}

/* One of the two: plain, or sealed. */
static void
check_identity(struct doctor *d)
{
	const char *dir = d->c->config.state_dir, *user = d->c->config.user;
	struct stat st;
	char sealed[320], plain[320];
	bool is_sealed, is_plain;

	snprintf(sealed, sizeof(sealed), "%s/" IDENTITY_CRED_FILE, dir);
	snprintf(plain, sizeof(plain), "%s/identity", dir);
	is_sealed = lstat(sealed, &st) == 0;
	is_plain = lstat(plain, &st) == 0;
	check_file(d, dir, "identity", user, 0400, !is_sealed);
	check_file(d, dir, IDENTITY_CRED_FILE, user, 0400, false);
	if (is_sealed && is_plain)
		doctor_found(d, plain, "remove that of the two that is older",
		    "it is in use although there is a sealed one");
	if (is_sealed && !is_plain)
		doctor_note(d, "the identity is sealed");
}

void
doctor_files(struct doctor *d)
{
	const struct config *config = &d->c->config;
	const char *dir = config->state_dir, *user = config->user;

	check_file(d, d->c->path, "", "root", 0644, true);
	check_file(d, config->run_dir, "", "root", 0755, false);
	check_file(d, dir, "", user, 0700, true);
	check_identity(d);
	check_file(d, dir, "tls.key", user, 0400, true);
	check_file(d, dir, "tls.crt", user, 0444, true);
	check_file(d, dir, MACHINE_FILE, user, 0400, false);
	check_file(d, dir, "state", user, 0600, false);
	check_file(d, dir, "state.bak", user, 0600, false);
	check_file(d, dir, "list", user, 0644, false); /* it is signed */
	if (config->database_passfile[0] != '\0')
		check_file(d, config->database_passfile, "", config->front_user,
		    0600, true);
}

/* What the file says, against this machine. */
static void
judge_machine(struct doctor *d, const struct machine_marks *here)
{
	struct machine_marks kept = {{false}, {{0}}};
	char why[MACHINE_WHY_LEN];
	unsigned set;
	int r = cli_become(d->c, &d->c->config);

	if (r != CLV_OK) /* files says so */
		return;
	r = machine_check(d->c->config.state_dir, here, &kept, why);
	cli_unbecome();
	if (r != CLV_OK) {
		doctor_found(d, "", NULL, "%s", why);
		return;
	}
	set = machine_set(&kept) & machine_set(here);
	doctor_note(d, "compared: %s", machine_names(set));
	if (d->daemon == CLV_OK && (d->st.flags & CTL_FLAG_COPIED) != 0)
		doctor_found(d, "", "restart clavigerd on this host",
		    "it is, but clavigerd takes it for a copy");
}

void
doctor_machine(struct doctor *d)
{
	struct clv_identity *id = NULL;
	char why[IDENTITY_CRED_WHY_LEN];
	struct machine_marks here;
	struct machine_ids ids;
	int r = cli_guard(d->c);

	if (r == CLV_OK)
		r = cli_host_identity(d->c, &id, why);
	if (r != CLV_OK) {
		doctor_note(d, "not known: this host's identity cannot be "
			       "read");
		return;
	}
	machine_ids_get(&ids);
	machine_marks_make(&ids, id, &here);
	clv_identity_free(&id);
	judge_machine(d, &here);
}

void
doctor_cert(struct doctor *d, const char *whose, const void *der, size_t len)
{
	struct cert_info info;
	int left, r = cert_info(der, len, &info);

	if (r != CLV_OK) {
		doctor_found(d, whose, NULL,
		    "the certificate cannot be read: %s", clv_result_text(r));
		return;
	}
	left = cert_days_left(&info, (int64_t)time(NULL));
	if (info.not_before > (int64_t)time(NULL))
		doctor_found(d, whose, "set this host's clock",
		    "the certificate is of a time that this host's clock has "
		    "not reached");
	else if (left < 0)
		doctor_found(
		    d, whose, NULL, "the certificate ended %d days ago", -left);
	else if (left <= CERT_WARN_DAYS)
		doctor_found(
		    d, whose, NULL, "the certificate ends in %d days", left);
}

void
doctor_expiry(struct doctor *d)
{
	char path[320];
	struct clv_buf der;
	int r = cli_become(d->c, &d->c->config);

	clv_buf_init(&der);
	snprintf(path, sizeof(path), "%s/tls.crt", d->c->config.state_dir);
	if (r == CLV_OK) {
		r = cert_load(path, &der);
		cli_unbecome();
	}
	if (r == CLV_OK)
		doctor_cert(d, path, der.data, der.len);
	else
		doctor_found(d, path, "claviger doctor --only files",
		    "the certificate cannot be read: %s", clv_result_text(r));
	clv_buf_fini(&der);
}

void
doctor_seen(struct doctor *d)
{
	const char *dir = d->c->config.state_dir;
	struct state s;
	int r = cli_become(d->c, &d->c->config);

	if (r == CLV_OK) {
		r = state_load(dir, &s);
		cli_unbecome();
	}
	if (r == CLV_E_NOT_FOUND)
		doctor_note(d, "nothing yet: this host is new");
	else if (r != CLV_OK)
		doctor_found(d, "", NULL,
		    "%s/state and its copy cannot be used: %s", dir,
		    clv_result_text(r));
	else
		doctor_note(d,
		    "epoch %" PRIu64 ", list version %" PRIu64
		    ", generation %u",
		    s.epoch, s.list_version, s.generation);
}

void
doctor_daemon(struct doctor *d)
{
	const struct ctl_status *st = &d->st;

	if (d->daemon != CLV_OK) {
		doctor_found(d, "", NULL, "it cannot be asked: %s",
		    clv_result_text(d->daemon));
		return;
	}
	if ((st->flags & CTL_FLAG_READONLY) != 0)
		doctor_found(d, "",
		    "the other checks say what; until that is mended nothing "
		    "can be changed",
		    "somebody has seen newer state than this node: it is "
		    "read-only");
	if (d->is_server && st->reason[0] != '\0')
		doctor_found(
		    d, "", "do what the reason says", "%s", st->reason);
	else if (d->is_server && st->role == CTL_ROLE_OFF)
		doctor_found(d, "", NULL,
		    "the server role is switched off on this node");
	if (st->role == CTL_ROLE_ACTIVE || st->role == CTL_ROLE_AWAY)
		doctor_note(d, "it serves");
	else
		doctor_note(d, d->is_server ? "ready to take over" : "it runs");
}

void
doctor_memory(struct doctor *d)
{
	if (d->st.locked_kib == 0)
		doctor_found(d, "", NULL, "clavigerd has locked none");
	doctor_note(d, "%u KiB (%s)", d->st.locked_kib,
	    (d->st.flags & CTL_FLAG_SECRETMEM) != 0 ? "memfd_secret" : "mlock");
}

void
doctor_keys(struct doctor *d)
{
	struct clv_client_status s;
	char age[32];
	int r = clv_client_get_status(d->api, &s);

	if (r != CLV_OK) {
		doctor_found(d, "", NULL, "%s", clv_client_text(d->api));
		return;
	}
	if (s.state != CLV_MEMBER_FRESH || !s.may_encrypt)
		doctor_found(d, "", NULL, "nothing can be written: %s",
		    s.why[0] != '\0' ? s.why : "no key was ever obtained");
	doctor_note(d, "generation %u, obtained %s ago", s.generation,
	    cli_age_text(s.age_ms / 1000, age, sizeof(age)));
}
