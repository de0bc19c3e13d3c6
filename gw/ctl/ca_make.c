/* perronctl ca init, prepare and switch: a CA is made, a second one beside it, and the second takes the place
 * of the first under a running gateway. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "certs/ca_switch.h"
#include "certs/untrusted.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/ca.h"
#include "gw/proc/sandbox.h"

enum { EXCLUDE_MAX = 32 };

struct words {
    struct ca_plan plan;
    span exclude[EXCLUDE_MAX];
    struct buf token; /* ca/issuing.token */
};

static enum rc token_line(struct words *w, const char *key, const char *value)
{
    return strchr(value, '\n') ? RC_BAD : buf_printf(&w->token, "%s %s\n", key, value);
}

/* One word and its value; false: not known here. */
static bool take(struct words *w, const char *word, const char *value)
{
    static const struct {
        const char *word, *key;
    } lines[] = {{"--token", "uri"}, {"--token-path", "path"}, {"--token-env", "env"}};
    if (!value)
        return false;
    for (size_t i = 0; i < N_ELEMS(lines); i++) {
        if (strcmp(word, lines[i].word) == 0)
            return token_line(w, lines[i].key, value) == RC_OK;
    }
    if (strcmp(word, "--org") == 0)
        w->plan.org = span_str(value);
    else if (strcmp(word, "--exclude") == 0 && w->plan.n_exclude < EXCLUDE_MAX)
        w->exclude[w->plan.n_exclude++] = span_str(value);
    else
        return false;
    return true;
}

static int read_words(struct words *w, const char *verb, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--keep-root") == 0 && w->plan.next)
            w->plan.keep_root = true;
        else if (take(w, argv[i], value))
            i++;
        else
            return ctl_fail("ca %s: cannot read %s; perronctl ca --help", verb, argv[i]);
    }
    if (w->plan.org.n == 0)
        return ctl_fail("ca %s: --org NAME is missing: clients see it as the issuer of every certificate",
                        verb);
    w->plan.exclude = w->exclude;
    w->plan.token = buf_span(&w->token);
    return 0;
}

static int make(const struct ctl *ctl, struct words *w)
{
    struct buf text = {0}, err = {0};
    if (mkdir(ctl->dir, 0711) == 0 && chmod(ctl->dir, 0711) < 0)
        return ctl_fail("%s: cannot be made", ctl->dir);
    enum rc rc = ca_init_plan(ctl->dir, &w->plan, &err);
    if (rc == RC_OK)
        rc = untrusted_open(ctl->dir, w->plan.now_s, &text, &err);
    buf_clear(&text);
    if (rc == RC_OK)
        rc = ca_show(ctl->dir, w->plan.now_s, ctl->json, &text, &err);
    return ca_report(ctl, rc, &text, &err);
}

int ca_make(const struct ctl *ctl, bool next, int argc, char **argv)
{
    struct words w = {
        .plan = {.signer_uid = sandbox_uid(ROLE_SIGNER, 0), .now_s = clock_wall_s(), .next = next}};
    int status = read_words(&w, next ? "prepare" : "init", argc, argv);
    if (status == 0)
        status = make(ctl, &w);
    buf_fini(&w.token);
    return status;
}

static void ignore(json_t *answer, void *arg)
{
    (void)answer;
    (void)arg;
}

/* Does somebody listen? A socket that a killed gateway left does not count. */
static bool gateway_runs(const struct ctl *ctl)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/control", ctl->dir);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return n > 0 && n < (int)sizeof at.sun_path && fd >= 0 &&
           connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

int ca_switch_now(const struct ctl *ctl, int argc, char **argv)
{
    struct buf text = {0}, err = {0};
    span back = SPAN_NONE;
    if (argc == 2 && strcmp(argv[0], "--back") == 0)
        back = span_str(argv[1]);
    else if (argc)
        return ctl_fail("ca switch: cannot read %s; perronctl ca --help", argv[0]);
    enum rc rc = ca_switch(ctl->dir, sandbox_uid(ROLE_SIGNER, 0), clock_wall_s(), back, &text, &err);
    int status = ca_report(ctl, rc, &text, &err);
    if (status || !gateway_runs(ctl)) /* it reads the files when it starts */
        return status;
    return ctl_ask(ctl, json_pack("{s:s}", "cmd", "ca"), ignore, NULL);
}
