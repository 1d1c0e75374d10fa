/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sodium.h>

#include <claviger/result.h>
#include "daemon/base/machine.h"
#include "daemon/base/state.h"

#define HEAD "claviger-machine 1\n"
#define LINE_MAX_LEN (16 + 1 + 2 * MACHINE_MARK_LEN + 1)

static const struct {
	const char *path;
	const char *key; /* in our file */
} numbers[MACHINE_COUNT] = {
    [MACHINE_OS] = {"/etc/machine-id", "machine-id"},
    [MACHINE_BOARD] = {"/sys/class/dmi/id/product_uuid", "product-uuid"},
};

_Static_assert(sizeof(HEAD) + MACHINE_COUNT * LINE_MAX_LEN <= MACHINE_TEXT_MAX,
    "every line has room");

/* The numbers. */

static void
swap(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		uint8_t was = p[i];

		p[i] = p[len - 1 - i];
		p[len - 1 - i] = was;
	}
}

/* Of the two byte orders always the same one. */
static void
settle_order(uint8_t id[static MACHINE_ID_LEN])
{
	uint8_t other[MACHINE_ID_LEN];

	memcpy(other, id, sizeof(other));
	swap(other, 4);
	swap(other + 4, 2);
	swap(other + 6, 2);
	if (memcmp(other, id, sizeof(other)) < 0)
		memcpy(id, other, sizeof(other));
}

static bool
is_all(const uint8_t id[static MACHINE_ID_LEN], uint8_t value)
{
	for (size_t i = 0; i < MACHINE_ID_LEN; i++)
		if (id[i] != value)
			return false;
	return true;
}

int
machine_id_parse(enum machine_which which, const char *text, size_t len,
    uint8_t ret[static MACHINE_ID_LEN])
{
	uint8_t id[MACHINE_ID_LEN];
	size_t n = 0;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (sodium_hex2bin(id, sizeof(id), text, len, "-", &n, NULL) != 0 ||
	    n != sizeof(id))
		return CLV_E_FORMAT;
	if (is_all(id, 0) || is_all(id, 0xff))
		return CLV_E_INVALID;
	if (which == MACHINE_BOARD)
		settle_order(id);
	memcpy(ret, id, sizeof(id));
	return CLV_OK;
}

/* One that lies in memory is of this boot alone. */
static bool
is_lasting(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC;
}

static bool
number_get(enum machine_which which, uint8_t ret[static MACHINE_ID_LEN])
{
	char text[64];
	int fd = open(
	    numbers[which].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (is_lasting(fd))
		n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 && machine_id_parse(which, text, (size_t)n, ret) == CLV_OK;
}

void
machine_ids_get(struct machine_ids *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < MACHINE_COUNT; i++)
		ret->has[i] = number_get((enum machine_which)i, ret->id[i]);
}

/* The marks. */

void
machine_marks_make(const struct machine_ids *ids, const struct clv_identity *id,
    struct machine_marks *ret)
{
	static const uint8_t personal[] = "claviger-machine";
	uint8_t in[1 + MACHINE_ID_LEN];

	_Static_assert(
	    sizeof(personal) - 1 == crypto_generichash_blake2b_PERSONALBYTES,
	    "a personalization is 16 bytes");
	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < MACHINE_COUNT; i++) {
		if (!ids->has[i])
			continue;
		ret->has[i] = true;
		in[0] = (uint8_t)i;
		memcpy(in + 1, ids->id[i], MACHINE_ID_LEN);
		crypto_generichash_blake2b_salt_personal(ret->mark[i],
		    MACHINE_MARK_LEN, in, sizeof(in), id->box_sk,
		    sizeof(id->box_sk), NULL, personal);
	}
}

unsigned
machine_differs(
    const struct machine_marks *kept, const struct machine_marks *here)
{
	unsigned set = 0;

	for (int i = 0; i < MACHINE_COUNT; i++)
		if (kept->has[i] && here->has[i] &&
		    sodium_memcmp(
			kept->mark[i], here->mark[i], MACHINE_MARK_LEN) != 0)
			set |= 1u << i;
	return set;
}

bool
machine_add(struct machine_marks *kept, const struct machine_marks *here)
{
	bool added = false;

	for (int i = 0; i < MACHINE_COUNT; i++) {
		if (kept->has[i] || !here->has[i])
			continue;
		kept->has[i] = added = true;
		memcpy(kept->mark[i], here->mark[i], MACHINE_MARK_LEN);
	}
	return added;
}

unsigned
machine_set(const struct machine_marks *m)
{
	unsigned set = 0;

	for (int i = 0; i < MACHINE_COUNT; i++)
		set |= m->has[i] ? 1u << i : 0;
	return set;
}

const char *
machine_names(unsigned set)
{
	static const char *const names[1 << MACHINE_COUNT] = {"nothing",
	    "machine-id", "product UUID", "machine-id and product UUID"};

	return names[set % (1u << MACHINE_COUNT)];
}

/* The file. */

size_t
machine_format(const struct machine_marks *m, char *ret_text)
{
	char hex[2 * MACHINE_MARK_LEN + 1];
	size_t len = sizeof(HEAD) - 1;

	memcpy(ret_text, HEAD, sizeof(HEAD));
	for (int i = 0; i < MACHINE_COUNT; i++) {
		if (!m->has[i])
			continue;
		sodium_bin2hex(hex, sizeof(hex), m->mark[i], MACHINE_MARK_LEN);
		len += (size_t)snprintf(ret_text + len, MACHINE_TEXT_MAX - len,
		    "%s %s\n", numbers[i].key, hex);
	}
	return len;
}

/* One line without its end. Each key once. */
static int
parse_line(const char *p, size_t len, struct machine_marks *m)
{
	for (int i = 0; i < MACHINE_COUNT; i++) {
		size_t key = strlen(numbers[i].key), n = 0;

		if (len != key + 1 + (size_t)2 * MACHINE_MARK_LEN ||
		    memcmp(p, numbers[i].key, key) != 0 || p[key] != ' ')
			continue;
		if (m->has[i] ||
		    sodium_hex2bin(m->mark[i], MACHINE_MARK_LEN, p + key + 1,
			len - key - 1, NULL, &n, NULL) != 0 ||
		    n != MACHINE_MARK_LEN)
			return CLV_E_FORMAT;
		m->has[i] = true;
		return CLV_OK;
	}
	return CLV_E_FORMAT;
}

int
machine_parse(const char *text, size_t len, struct machine_marks *ret)
{
	struct machine_marks m = {{false}, {{0}}};
	const char *end = text + len, *nl;

	if (len < sizeof(HEAD) - 1 || memcmp(text, HEAD, sizeof(HEAD) - 1) != 0)
		return CLV_E_FORMAT;
	for (text += sizeof(HEAD) - 1; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (nl == NULL ||
		    parse_line(text, (size_t)(nl - text), &m) != CLV_OK)
			return CLV_E_FORMAT;
	}
	*ret = m;
	return CLV_OK;
}

static int
load(const char *dir, struct machine_marks *ret)
{
	void *p = NULL;
	size_t len = 0;
	int r = file_read(dir, MACHINE_FILE, MACHINE_TEXT_MAX, &p, &len);

	if (r == CLV_OK)
		r = machine_parse(p, len, ret);
	free(p);
	return r;
}

int
machine_check(const char *dir, const struct machine_marks *here,
    struct machine_marks *ret_kept, char ret_why[static MACHINE_WHY_LEN])
{
	struct machine_marks kept = {{false}, {{0}}};
	int r = load(dir, &kept);
	unsigned set;

	ret_why[0] = '\0';
	if (r != CLV_OK && r != CLV_E_NOT_FOUND) {
		snprintf(ret_why, MACHINE_WHY_LEN,
		    "whose machine this is cannot be read (%.40s): read-only "
		    "until claviger identity adopt",
		    file_why(r));
		return CLV_E_MISMATCH;
	}
	set = machine_differs(&kept, here);
	*ret_kept = kept;
	if (set == 0)
		return CLV_OK;
	snprintf(ret_why, MACHINE_WHY_LEN,
	    "a copy on another machine, by its %s: read-only until claviger "
	    "identity adopt",
	    machine_names(set));
	return CLV_E_MISMATCH;
}
