/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads an age file with the library, as fast as it goes:
 *
 *	bench-age IDENTITY <FILE >PLAINTEXT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/result.h>

static void
must(int result, const char *what)
{
	if (result == CLV_OK)
		return;
	fprintf(stderr, "bench-age: %s: %s\n", what, clv_result_name(result));
	exit(1);
}

static int
to_stdout(void *arg, const void *p, size_t len)
{
	(void)arg;
	return write(STDOUT_FILENO, p, len) == (ssize_t)len ? CLV_OK
							    : CLV_E_SYSTEM;
}

/* The line of age-keygen that is no comment. */
static void
read_identity(const char *path, uint8_t sk[static CLV_AGE_KEY_LEN])
{
	FILE *f = fopen(path, "r");
	char line[256] = "";

	while (
	    f != NULL && line[0] != 'A' && fgets(line, sizeof(line), f) != NULL)
		line[strcspn(line, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
	must(clv_age_identity_parse(line, sk), path);
}

int
main(int argc, char **argv)
{
	static uint8_t buf[64 * 1024];
	uint8_t sk[CLV_AGE_KEY_LEN];
	struct clv_age_reader *r = NULL;
	struct clv_guard *guard = NULL;
	ssize_t n;

	if (argc != 2 || sodium_init() < 0)
		return 2;
	must(clv_guard_new(256u * 1024, &guard), "guarded memory");
	read_identity(argv[1], sk);
	must(clv_age_read_identity(guard, sk, to_stdout, NULL, &r), "read");
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		must(clv_age_reader_put(r, buf, (size_t)n), "put");
	must(n == 0 ? clv_age_reader_finish(r) : CLV_E_SYSTEM, "finish");
	clv_age_reader_free(&r);
	clv_guard_free_all(&guard);
	return 0;
}
