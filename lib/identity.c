/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/identity.h>
#include <claviger/result.h>
#include "text.h"

#define MAGIC "claviger-identity "
#define AGE_TEXT_LEN (CLV_AGE_IDENTITY_MAX - 1)
/* Every line at its longest, and a NUL. */
#define FILE_MAX \
	(sizeof(MAGIC "1\nname \nage \nsign \n") + CLV_NAME_MAX + \
	    AGE_TEXT_LEN + CLV__KEY_TEXT_LEN)

static struct clv_identity *
get_identity(struct clv_guard *guard)
{
	struct clv_identity *id = clv_guard_get(guard, sizeof(*id));

	if (id != NULL)
		id->guard = guard;
	return id;
}

void
clv_identity_free(struct clv_identity **id)
{
	if (*id != NULL)
		clv_guard_put((*id)->guard, *id);
	*id = NULL;
}

int
clv_identity_new(
    struct clv_guard *guard, const char *name, struct clv_identity **ret)
{
	struct clv_identity *id;

	if (clv_name_check(name) != CLV_OK)
		return CLV_E_INVALID;
	id = get_identity(guard);
	if (id == NULL)
		return CLV_E_FULL;
	memcpy(id->name, name, strlen(name) + 1);
	clv_age_keygen(id->box_sk, id->box_pk);
	crypto_sign_keypair(id->sign_pk, id->sign_sk);
	*ret = id;
	return CLV_OK;
}

static void
put_text(char **at, const char *s)
{
	size_t n = strlen(s);

	memcpy(*at, s, n);
	*at += n;
}

int
clv_identity_format(const struct clv_identity *id, char **ret_text)
{
	char *text = clv_guard_get(id->guard, FILE_MAX), *at = text;
	int r;

	if (text == NULL)
		return CLV_E_FULL;
	put_text(&at, MAGIC "1\nname ");
	put_text(&at, id->name);
	put_text(&at, "\nage ");
	r = clv_age_identity_format(id->box_sk, at);
	if (r != CLV_OK) {
		clv_guard_put(id->guard, text);
		return r;
	}
	at += AGE_TEXT_LEN;
	put_text(&at, "\nsign ");
	/* The first half of libsodium's secret key is the seed. */
	sodium_bin2base64(at, CLV__KEY_TEXT_LEN + 1, id->sign_sk,
	    crypto_sign_SEEDBYTES, sodium_base64_VARIANT_ORIGINAL);
	at += CLV__KEY_TEXT_LEN;
	put_text(&at, "\n");
	*ret_text = text;
	return CLV_OK;
}

static int
parse_head(struct clv__text *t, struct clv_identity *id)
{
	const char *name;
	uint32_t version;
	size_t len;

	clv__text_expect(t, MAGIC);
	version = clv__text_u32(t);
	clv__text_expect(t, "\n");
	if (t->failed)
		return CLV_E_FORMAT;
	if (version != 1)
		return CLV_E_VERSION;
	clv__text_expect(t, "name ");
	name = clv__text_line(t, CLV_NAME_MAX - 1, &len);
	if (name == NULL || memchr(name, '\0', len) != NULL)
		return CLV_E_FORMAT;
	memcpy(id->name, name, len); /* zeroed before */
	return clv_name_check(id->name) == CLV_OK ? CLV_OK : CLV_E_FORMAT;
}

/* scratch: NUL-terminated copy of one line, then a seed. */
static int
parse_keys(struct clv__text *t, struct clv_identity *id, char *scratch)
{
	const char *line;
	size_t len;

	clv__text_expect(t, "age ");
	line = clv__text_line(t, AGE_TEXT_LEN, &len);
	if (line == NULL || len != AGE_TEXT_LEN)
		return CLV_E_FORMAT;
	memcpy(scratch, line, len);
	scratch[len] = '\0';
	if (clv_age_identity_parse(scratch, id->box_sk) != CLV_OK ||
	    crypto_scalarmult_base(id->box_pk, id->box_sk) != 0)
		return CLV_E_FORMAT;
	clv__text_expect(t, "sign ");
	clv__text_key(t, (uint8_t *)scratch);
	if (clv__text_end(t) != CLV_OK)
		return CLV_E_FORMAT;
	crypto_sign_seed_keypair(
	    id->sign_pk, id->sign_sk, (const uint8_t *)scratch);
	return CLV_OK;
}

int
clv_identity_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_identity **ret)
{
	struct clv_identity *id = get_identity(guard);
	char *scratch = clv_guard_get(guard, CLV_AGE_IDENTITY_MAX);
	struct clv__text t;
	int r = CLV_E_FULL;

	if (id == NULL || scratch == NULL)
		goto out;
	clv__text_init(&t, text, len);
	r = parse_head(&t, id);
	if (r == CLV_OK)
		r = parse_keys(&t, id, scratch);
	if (r == CLV_OK) {
		*ret = id;
		id = NULL; /* transferred */
	}
out:
	clv_guard_put(guard, scratch);
	clv_identity_free(&id);
	return r;
}

/* Whole file into dst[cap]; CLV_E_FORMAT when it is longer. */
static int
read_all(int fd, char *dst, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap) {
		n = read(fd, dst + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CLV_E_SYSTEM;
		if (n == 0) {
			*ret_len = len;
			return CLV_OK;
		}
		len += (size_t)n;
	}
	return CLV_E_FORMAT;
}

static int
check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return CLV_E_SYSTEM;
	if (!S_ISREG(st.st_mode))
		return CLV_E_FORMAT;
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
	    (st.st_uid != 0 && st.st_uid != geteuid()))
		return CLV_E_PERMISSION;
	return CLV_OK;
}

int
clv_identity_load(
    struct clv_guard *guard, const char *path, struct clv_identity **ret)
{
	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	size_t len = 0;
	int r, saved;

	if (fd < 0)
		return errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM;
	r = check_owner(fd);
	if (r != CLV_OK)
		goto out;
	text = clv_guard_get(guard, FILE_MAX + 1);
	r = text != NULL ? read_all(fd, text, FILE_MAX + 1, &len) : CLV_E_FULL;
	if (r == CLV_OK)
		r = clv_identity_parse(guard, text, len, ret);
out:
	saved = errno;
	clv_guard_put(guard, text);
	close(fd);
	errno = saved;
	return r;
}
