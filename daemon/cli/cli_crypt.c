/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/cli/cli_api.h"

/*
 * Data of any size that the caller keeps by itself. What goes into a file goes
 * into a temporary one first, so that neither a full disk nor a damaged input
 * leaves half of it under its name.
 */
struct flow {
	int in, out;
	uint64_t done;
	char temp[4096];
};

static ssize_t
on_read(void *arg, void *p, size_t len)
{
	struct flow *f = arg;
	ssize_t n;

	do
		n = read(f->in, p, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t
on_write(void *arg, const void *p, size_t len)
{
	struct flow *f = arg;
	const char *at = p;
	size_t left = len;
	ssize_t n;

	while (left > 0) {
		n = write(f->out, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		left -= (size_t)n;
	}
	if ((f->done += len) % (64u << 20) < len)
		cli_progress("%llu MiB", (unsigned long long)f->done >> 20);
	return (ssize_t)len;
}

static int
open_in(struct cli *c, struct flow *f)
{
	const char *file = c->arg_count > 1 ? c->args[1] : "-";

	f->in = STDIN_FILENO;
	if (strcmp(file, "-") != 0)
		f->in = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f->in >= 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_NOT_FOUND, NULL, "%s cannot be read: %s", file,
	    strerror(errno));
}

static int
open_out(struct cli *c, struct flow *f, bool encrypts)
{
	const char *file = cli_opt(c, "output");
	int n;

	f->out = STDOUT_FILENO;
	if (file == NULL && encrypts && isatty(STDOUT_FILENO))
		return cli_fail(c, CLV_E_USAGE, "give --output FILE, or > FILE",
		    "what is encrypted is not for a terminal");
	if (file == NULL)
		return CLV_OK;
	n = snprintf(
	    f->temp, sizeof(f->temp), "%s.%ld.part", file, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(f->temp)) {
		f->temp[0] = '\0';
		return cli_fail(
		    c, CLV_E_INVALID, NULL, "the path %s is too long", file);
	}
	f->out = open(f->temp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->out >= 0)
		return CLV_OK;
	n = errno;
	f->temp[0] = '\0';
	return cli_fail(c, CLV_E_SYSTEM, NULL, "%s cannot be written: %s", file,
	    strerror(n));
}

/* Whole and on disk, or not there at all. */
static int
finish_out(struct cli *c, struct flow *f, int r)
{
	const char *file = cli_opt(c, "output");

	if (f->temp[0] == '\0')
		return r;
	if (r == CLV_OK && (fsync(f->out) != 0 || rename(f->temp, file) != 0))
		r = cli_fail(c, CLV_E_SYSTEM, NULL, "%s cannot be written: %s",
		    file, strerror(errno));
	if (r != CLV_OK)
		unlink(f->temp);
	return r;
}

static int
crypt_it(struct cli *c, bool encrypts)
{
	struct flow f = {.in = -1, .out = -1};
	const struct clv_stream_io io = {on_read, on_write, &f};
	const char *context = cli_opt(c, "context");
	struct clv_client *api = NULL;
	int r;

	if (context == NULL)
		context = "";
	r = cli_api_open(c, &api);
	if (r == CLV_OK)
		r = open_in(c, &f);
	if (r == CLV_OK)
		r = open_out(c, &f, encrypts);
	if (r == CLV_OK) {
		r = encrypts
			? clv_client_seal_stream(api, c->args[0], context, &io)
			: clv_client_unseal_stream(
			      api, c->args[0], context, &io);
		if (r != CLV_OK)
			r = cli_api_fail(c, api, r,
			    encrypts ? "it was not encrypted"
				     : "it was not decrypted");
	}
	r = finish_out(c, &f, r);
	if (f.in > STDIN_FILENO)
		close(f.in);
	if (f.out > STDOUT_FILENO)
		close(f.out);
	clv_client_close(&api);
	return r;
}

int
cli_encrypt(struct cli *c)
{
	return crypt_it(c, true);
}

int
cli_decrypt(struct cli *c)
{
	return crypt_it(c, false);
}
