/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/supervisor/process.h"
#include "daemon/base/identity_cred.h"
#include "daemon/base/state.h"

#define PROGRAM "systemd-creds"
#define WITHIN_MS 20000 /* a TPM may be slow, and busy at boot */
#define TEXT_MAX 1024	/* more than any identity */

enum { IN, OUT, ERRORS, N_STREAMS };

/* Its environment is the fixed one, but for where the TPM is. TSS2_LOG: the
 * last line is the program's own. */
static void __attribute__((noreturn))
creds_exec(const char *const argv[], const int fd[static N_STREAMS])
{
	static char locale[] = "LC_ALL=C", quiet[] = "TSS2_LOG=all+NONE",
		    path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char device[256] = "";
	char *env[] = {locale, quiet, path, NULL, NULL};
	const char *tpm = getenv(IDENTITY_CRED_DEVICE);
	int kept[N_STREAMS];

	if (tpm != NULL && (size_t)snprintf(device, sizeof(device), "%s=%s",
			       IDENTITY_CRED_DEVICE, tpm) < sizeof(device))
		env[3] = device;
	for (int i = 0; i < N_STREAMS; i++) /* out of each other's way */
		kept[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	for (int i = 0; i < N_STREAMS; i++)
		if (kept[i] < 0 || dup2(kept[i], i) < 0)
			_exit(127);
	process_close_from(STDERR_FILENO + 1);
	signal(SIGPIPE, SIG_DFL);
	execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
	dprintf(STDERR_FILENO, PROGRAM " cannot be run: %s\n", strerror(errno));
	_exit(127);
}

/* The last line that it wrote, fit for a log. */
static void
last_words(int fd, char why[static IDENTITY_CRED_WHY_LEN])
{
	char text[2048], *at;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	for (size_t len = strlen(text); len > 0 && text[len - 1] == '\n'; len--)
		text[len - 1] = '\0';
	at = strrchr(text, '\n');
	at = at != NULL ? at + 1 : text;
	for (char *p = at; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	snprintf(why, IDENTITY_CRED_WHY_LEN, "%.250s",
	    *at != '\0' ? at : PROGRAM " does not say why");
}

/* What it prints fits into a pipe, so that nobody has to read meanwhile. */
static int
creds_run(const char *const argv[], int in, int *ret_out,
    char why[static IDENTITY_CRED_WHY_LEN])
{
	int out[2] = {-1, -1}, errors[2] = {-1, -1}, status = 0;
	int r = CLV_E_SYSTEM;
	bool in_time;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0 ||
	    fcntl(errors[0], F_SETFL, O_NONBLOCK) != 0 || (pid = fork()) < 0) {
		snprintf(why, IDENTITY_CRED_WHY_LEN, "%s", strerror(errno));
		goto out;
	}
	if (pid == 0) {
		const int fd[N_STREAMS] = {in, out[1], errors[1]};

		creds_exec(argv, fd);
	}
	in_time = process_wait(pid, WITHIN_MS);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		*ret_out = out[0];
		out[0] = -1;
		r = CLV_OK;
	} else if (!in_time) {
		snprintf(why, IDENTITY_CRED_WHY_LEN,
		    PROGRAM " did not end within %d s", WITHIN_MS / 1000);
		r = CLV_E_TIMEOUT;
	} else {
		last_words(errors[0], why);
		r = CLV_E_NO_IDENTITY;
	}
out:
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
	return r;
}

int
identity_cred_open(const char *state_dir, int *ret_fd,
    char ret_why[static IDENTITY_CRED_WHY_LEN])
{
	static const char *const argv[] = {
	    PROGRAM, "decrypt", "--name=" IDENTITY_CRED_NAME, "-", "-", NULL};
	char path[512];
	struct stat st;
	int fd, r;

	snprintf(path, sizeof(path), "%s/" IDENTITY_CRED_FILE, state_dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		r = fd < 0 && errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM;
		snprintf(ret_why, IDENTITY_CRED_WHY_LEN, "%s",
		    fd < 0 ? strerror(errno) : "it is not a file");
	} else
		r = creds_run(argv, fd, ret_fd, ret_why);
	if (fd >= 0)
		close(fd);
	return r;
}

static int
read_all(int fd, void *p, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < cap) {
		n = read(fd, (char *)p + len, cap - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	*ret_len = len;
	if (n < 0)
		return CLV_E_SYSTEM;
	return len < cap ? CLV_OK : CLV_E_FULL;
}

int
identity_cred_read(struct clv_guard *guard, int fd, struct clv_identity **ret)
{
	char *text = clv_guard_get(guard, TEXT_MAX);
	size_t len = 0;
	int r;

	r = text != NULL ? read_all(fd, text, TEXT_MAX, &len) : CLV_E_FULL;
	if (r == CLV_OK)
		r = clv_identity_parse(guard, text, len, ret);
	clv_guard_put(guard, text);
	close(fd);
	return r;
}

/* In a pipe from the first, as on the way back. */
static int
fill_pipe(const char *text, size_t len, int *ret_fd)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return CLV_E_SYSTEM;
	if (write(fd[1], text, len) != (ssize_t)len) {
		close(fd[0]);
		close(fd[1]);
		return CLV_E_SYSTEM;
	}
	close(fd[1]);
	*ret_fd = fd[0];
	return CLV_OK;
}

static int
take(int fd, void **ret_p, size_t *ret_len)
{
	void *p = malloc(IDENTITY_CRED_LEN_MAX);
	int r = p != NULL ? read_all(fd, p, IDENTITY_CRED_LEN_MAX, ret_len)
			  : CLV_E_NOMEM;

	if (r == CLV_OK)
		*ret_p = p;
	else
		free(p);
	return r;
}

int
identity_cred_make(const char *text, size_t len, const char *with_key,
    const char *pcrs, void **ret_p, size_t *ret_len,
    char ret_why[static IDENTITY_CRED_WHY_LEN])
{
	/* Register 16 is for debugging: nothing that starts a machine measures
	 * into it. With none at all systemd 252 seals, but does not open. */
	static const char stable[] = "16";
	char key[64], bound[96];
	const char *const argv[] = {PROGRAM, "encrypt", key, bound,
	    "--name=" IDENTITY_CRED_NAME, "-", "-", NULL};
	int in = -1, out = -1, r;

	snprintf(key, sizeof(key), "--with-key=%s", with_key);
	snprintf(bound, sizeof(bound), "--tpm2-pcrs=%s",
	    pcrs != NULL ? pcrs : stable);
	snprintf(ret_why, IDENTITY_CRED_WHY_LEN, "no pipe for it");
	r = fill_pipe(text, len, &in);
	if (r == CLV_OK)
		r = creds_run(argv, in, &out, ret_why);
	if (r == CLV_OK)
		r = take(out, ret_p, ret_len);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return r;
}
