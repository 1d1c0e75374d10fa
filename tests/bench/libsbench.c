/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsbench: an empty program with libsodium, libqb and OpenSSL initialised, as
 * a member needs them: one locked page, an event loop with a descriptor, two
 * TLS contexts with the member's own certificate and key. Prints its pid, and
 * waits until standard input ends.
 */
#include <config.h>

#include <err.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include <qb/qbloop.h>
#include <sodium.h>

#define CERTIFICATE "/var/lib/claviger/tls.crt"
#define KEY "/var/lib/claviger/tls.key"

static qb_loop_t *loop;

static SSL_CTX *
context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate_file(ctx, CERTIFICATE, SSL_FILETYPE_PEM) !=
		1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, KEY, SSL_FILETYPE_PEM) != 1)
		errx(1, "OpenSSL: %s", CERTIFICATE);
	return ctx;
}

static int32_t
on_input(int32_t fd, int32_t revents, void *data)
{
	char c;

	(void)revents;
	(void)data;
	if (read(fd, &c, 1) <= 0)
		qb_loop_stop(loop);
	return 0;
}

int
main(void)
{
	SSL_CTX *client, *server;
	void *page;

	if (sodium_init() < 0)
		errx(1, "libsodium");
	page = sodium_malloc(64);
	client = context(TLS_client_method());
	server = context(TLS_server_method());
	loop = qb_loop_create();
	if (page == NULL || loop == NULL ||
	    qb_loop_poll_add(
		loop, QB_LOOP_MED, STDIN_FILENO, POLLIN, NULL, on_input) != 0)
		errx(1, "libqb");
	printf("%d\n", (int)getpid());
	fflush(stdout);
	qb_loop_run(loop);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	sodium_free(page);
	qb_loop_destroy(loop);
	return 0;
}
