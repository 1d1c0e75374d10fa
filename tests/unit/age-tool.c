/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's age as a filter from stdin to stdout, for age-interop.sh:
 *
 *	age-tool keygen                       identity, recipient: a line each
 *	age-tool seal|armor -r RECIPIENT…
 *	age-tool seal|armor -p FILE           FILE holds a passphrase
 *	age-tool open -i FILE                 FILE holds an identity
 *	age-tool open -p FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/result.h>

#define RECIPIENTS_MAX 16

static struct clv_guard *guard;

static void
must(int result, const char *what)
{
	if (result == CLV_OK)
		return;
	fprintf(stderr, "age-tool: %s: %s\n", what, clv_result_name(result));
	exit(1);
}

static int
to_stdout(void *arg, const void *p, size_t len)
{
	(void)arg;
	return fwrite(p, 1, len, stdout) == len ? CLV_OK : CLV_E_SYSTEM;
}

/* The first line of a file, which is wiped by leaving. */
static char *
read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(line, size, f) == NULL)
		must(CLV_E_SYSTEM, path);
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int
keygen(void)
{
	uint8_t sk[CLV_AGE_KEY_LEN], pk[CLV_AGE_KEY_LEN];
	char identity[CLV_AGE_IDENTITY_MAX];
	char recipient[CLV_AGE_RECIPIENT_MAX];

	clv_age_keygen(sk, pk);
	clv_age_identity_format(sk, identity);
	clv_age_recipient_format(pk, recipient);
	printf("%s\n%s\n", identity, recipient);
	return 0;
}

static int
seal(bool armor, bool passphrase, int n, char **args)
{
	uint8_t pk[RECIPIENTS_MAX][CLV_AGE_KEY_LEN];
	struct clv_age_writer *w = NULL;
	char line[256];
	uint8_t buf[1000];
	size_t len;

	if (passphrase) {
		must(clv_age_write_passphrase(guard,
			 read_line(args[0], line, sizeof(line)), 12, armor,
			 to_stdout, NULL, &w),
		    "write");
	} else {
		for (int i = 0; i < n && i < RECIPIENTS_MAX; i++)
			must(clv_age_recipient_parse(args[i], pk[i]), args[i]);
		must(clv_age_write_recipients(guard,
			 (const uint8_t(*)[CLV_AGE_KEY_LEN])pk, (size_t)n,
			 armor, to_stdout, NULL, &w),
		    "write");
	}
	while ((len = fread(buf, 1, sizeof(buf), stdin)) > 0)
		must(clv_age_writer_put(w, buf, len), "put");
	must(clv_age_writer_finish(w), "finish");
	clv_age_writer_free(&w);
	return 0;
}

static int
open_file(bool passphrase, const char *path)
{
	struct clv_age_reader *r = NULL;
	uint8_t sk[CLV_AGE_KEY_LEN];
	uint8_t buf[1000];
	char line[256];
	size_t len;

	read_line(path, line, sizeof(line));
	if (passphrase) {
		must(clv_age_read_passphrase(guard, line,
			 CLV_AGE_SCRYPT_LOGN_MAX, to_stdout, NULL, &r),
		    "read");
	} else {
		must(clv_age_identity_parse(line, sk), "identity");
		must(clv_age_read_identity(guard, sk, to_stdout, NULL, &r),
		    "read");
	}
	while ((len = fread(buf, 1, sizeof(buf), stdin)) > 0)
		must(clv_age_reader_put(r, buf, len), "put");
	must(clv_age_reader_finish(r), "finish");
	clv_age_reader_free(&r);
	return 0;
}

int
main(int argc, char **argv)
{
	bool passphrase;
	int r = 2;

	if (sodium_init() < 0)
		return 1;
	must(clv_guard_new(256u * 1024, &guard), "guarded memory");
	if (argc == 2 && strcmp(argv[1], "keygen") == 0)
		return keygen();
	if (argc < 4)
		return 2;
	passphrase = strcmp(argv[2], "-p") == 0;
	if (strcmp(argv[1], "open") == 0)
		r = open_file(passphrase, argv[3]);
	else
		r = seal(strcmp(argv[1], "armor") == 0, passphrase, argc - 3,
		    argv + 3);
	if (fflush(stdout) != 0)
		r = 1;
	clv_guard_free_all(&guard);
	return r;
}
