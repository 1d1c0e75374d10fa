/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a program uses Claviger; claviger-client(3) says what it may rely on.
 * It is built with nothing but
 *
 *     cc -o client-example client-example.c \
 *         $(pkg-config --cflags --libs claviger)
 *
 *     client-example APP NAME <VALUE  stores the value, reads it, encrypts and
 *                                     decrypts it, and writes it to its output
 *     client-example                  tells in which state this host is, and
 *                                     of each change until its input ends
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <claviger/client.h>

#define VALUE_MAX 61440
#define CONTEXT "client-example" /* where the encrypted data belongs */
#define AGAIN_MS 500		 /* between two tries to reach clavigerd */

static int
fail(const struct clv_client *c, const char *what, int result)
{
	const char *text = c != NULL ? clv_client_text(c) : "";

	fprintf(stderr, "client-example: %s: %s\n", what,
	    text[0] != '\0' ? text : clv_result_text(result));
	return result;
}

/* Secrets. */

static int
read_value(uint8_t *value, size_t max, size_t *ret_len)
{
	ssize_t n;

	*ret_len = 0;
	while ((n = read(STDIN_FILENO, value + *ret_len, max - *ret_len)) > 0)
		*ret_len += (size_t)n;
	return n < 0 ? CLV_E_SYSTEM : CLV_OK;
}

static int
store(struct clv_client *c, const char *app, const char *name)
{
	uint8_t value[VALUE_MAX];
	uint64_t version;
	size_t len;
	int r;

	r = read_value(value, sizeof(value), &len);
	if (r != CLV_OK)
		return fail(NULL, "the value cannot be read", r);
	r = clv_client_put(
	    c, app, name, value, len, CLV_API_KEEP_DEFAULT, &version);
	explicit_bzero(value, sizeof(value)); /* ours to wipe */
	if (r != CLV_OK)
		return fail(c, "not stored", r);
	fprintf(stderr, "stored as version %" PRIu64 "\n", version);
	return CLV_OK;
}

/* What is encrypted may be kept anywhere: it needs no secrecy any more. */
static int
encrypt_and_back(
    struct clv_client *c, const char *app, const struct clv_secret *secret)
{
	struct clv_secret *sealed = NULL, *opened = NULL;
	int r;

	r = clv_client_seal(
	    c, app, CONTEXT, secret->data, secret->len, &sealed);
	if (r != CLV_OK) {
		fail(c, "not encrypted", r);
		goto out;
	}
	fprintf(stderr, "%zu bytes encrypted, %zu are to be kept\n",
	    secret->len, sealed->len);
	r = clv_client_unseal(
	    c, app, CONTEXT, sealed->data, sealed->len, &opened);
	if (r != CLV_OK)
		fail(c, "not decrypted", r);
	else if (write(STDOUT_FILENO, opened->data, opened->len) !=
		 (ssize_t)opened->len)
		r = fail(NULL, "not written", CLV_E_SYSTEM);
out:
	clv_secret_free(&opened); /* wipes; NULL is ignored */
	clv_secret_free(&sealed);
	return r;
}

static int
use_secrets(struct clv_client *c, const char *app, const char *name)
{
	struct clv_secret *secret = NULL;
	int r;

	r = store(c, app, name);
	if (r != CLV_OK)
		return r;
	r = clv_client_get(c, app, name, 0, 0, &secret);
	if (r != CLV_OK)
		return fail(c, "not read", r);
	r = encrypt_and_back(c, app, secret);
	clv_secret_free(&secret);
	return r;
}

/* States. */

static void
tell(const struct clv_client_status *s)
{
	static const char *const names[] = {
	    [CLV_MEMBER_NONE] = "none",
	    [CLV_MEMBER_FRESH] = "fresh",
	    [CLV_MEMBER_AWAY] = "away",
	    [CLV_MEMBER_EXPIRED] = "expired",
	};

	printf("%s, generation %" PRIu32 ", epoch %" PRIu64 "%s%s\n",
	    names[s->state], s->generation, s->epoch,
	    s->may_encrypt ? "" : ", reading only: ", s->why);
	fflush(stdout);
}

/* The daemon may have been restarted: the client connects again by itself, but
 * a subscription was that of the old connection. */
static void
subscribe(struct clv_client *c)
{
	struct clv_client_status s;

	if (clv_client_subscribe(c, &s) == CLV_OK)
		tell(&s);
}

/* A program that has a loop of its own watches clv_client_fd() in it, and asks
 * for events with a timeout of 0. */
static void
watch(struct clv_client *c)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	struct clv_client_status s;
	char byte;

	subscribe(c);
	for (;;) {
		p[1] =
		    (struct pollfd){.fd = clv_client_fd(c), .events = POLLIN};
		if (poll(p, 2, p[1].fd < 0 ? AGAIN_MS : -1) < 0)
			break;
		if (p[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
		if (p[1].fd < 0)
			subscribe(c);
		else if (p[1].revents != 0 &&
			 clv_client_next_event(c, 0, &s) == CLV_OK)
			tell(&s);
	}
}

int
main(int argc, char **argv)
{
	struct clv_client_status status;
	struct clv_client *c = NULL;
	int r;

	if (argc != 1 && argc != 3) {
		fputs("usage: client-example [APP NAME <VALUE]\n", stderr);
		return 2;
	}
	r = clv_client_open(NULL, &c);
	if (r != CLV_OK)
		return fail(NULL, "no connection to clavigerd", r) != CLV_OK;
	r = clv_client_get_status(c, &status);
	if (r != CLV_OK)
		fail(c, "no status", r);
	else if (argc == 1)
		watch(c);
	else
		r = use_secrets(c, argv[1], argv[2]);
	clv_client_close(&c);
	return r == CLV_OK ? 0 : 1;
}
