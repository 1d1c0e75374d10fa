/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include "fuzz.h"

/*
 * The main of a fuzz target that is an ordinary test: every file of the
 * folders or files named, by default of the committed corpus, is fed to it.
 */

static size_t replayed;

static int
replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	uint8_t *copy;
	size_t len;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* A block of the exact length, so that a sanitizer sees its end. */
	copy = malloc(len != 0 ? len : 1);
	FUZZ_REQUIRE(copy != NULL);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	replayed++;
	return 0;
}

static int
replay(const char *path)
{
	struct dirent *e;
	char file[4096];
	int failed = 0;
	DIR *d = opendir(path);

	if (d == NULL)
		return replay_file(path);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		failed |= replay_file(file);
	}
	closedir(d);
	return failed;
}

int
main(int argc, char **argv)
{
	int failed = 0, i;

	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	if (argc < 2)
		failed |= replay(FUZZ_CORPUS);
	printf("%zu inputs\n", replayed);
	return failed || replayed == 0;
}
