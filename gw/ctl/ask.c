/* The conversation with a gateway: one line of JSON there, lines of JSON back. Also how perronctl speaks. */
#include "gw/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/base/utf8.h"

enum { PAUSE_MS = 50, WAIT_MS = 10000 };

int ctl_fail(const char *fmt, ...)
{
    va_list ap;
    AUTO_FREE char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    fprintf(stderr, "perronctl: ");
    ctl_print(stderr, span_str(text ? text : "no memory"), false);
    fputc('\n', stderr);
    return 1;
}

/* Characters that were written. */
static int show(FILE *to, span text, bool lines)
{
    int n = 0;
    bool shown;
    for (size_t i = 0, len; i < text.n; i += len, n++) {
        len = utf8_shown(text, i, &shown);
        if (shown || (lines && (text.p[i] == '\n' || text.p[i] == '\t')))
            fwrite(text.p + i, 1, len, to);
        else
            fputc('?', to);
    }
    return n;
}

void ctl_print(FILE *to, span text, bool lines)
{
    show(to, text, lines);
}

void ctl_cell(const char *text, int width)
{
    int n = show(stdout, span_str(text), false);
    printf("%*s", n < width ? width - n + 2 : 2, "");
}

int ctl_error_line(span err, enum rc rc)
{
    while (err.n && err.p[err.n - 1] == '\n')
        err.n--;
    if (err.n == 0)
        return ctl_fail("%s; %s", rc_text(rc), rc_advice(rc));
    fprintf(stderr, "perronctl: ");
    ctl_print(stderr, err, true);
    fputc('\n', stderr);
    return 1;
}

void ctl_print_json(json_t *o)
{
    AUTO_FREE char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
    puts(text ? text : "{}");
}

static FILE *dial(const struct ctl *ctl)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/control", ctl->dir);
    if (n < 0 || (size_t)n >= sizeof at.sun_path) {
        ctl_fail("%s: the name is too long for a socket", ctl->dir);
        return NULL;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fdopen(fd, "r+");
    if (errno == EACCES)
        ctl_fail("%s: only root may talk to the gateway; try with sudo", at.sun_path);
    else
        ctl_fail("%s: no gateway runs on this state directory (%s); -d names another", at.sun_path,
                 strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* The last line. -1: somebody else is being served. */
static int outcome(json_t *answer, bool may_wait)
{
    if (json_is_true(json_object_get(answer, "ok")))
        return 0;
    if (may_wait && json_is_true(json_object_get(answer, "busy")))
        return -1;
    const char *why = json_string_value(json_object_get(answer, "error"));
    return ctl_fail("%s", why ? why : "the gateway refused");
}

/* One attempt; -1: another is due. */
static int attempt(const struct ctl *ctl, const char *text, bool may_wait, void (*line)(json_t *, void *),
                   void *arg)
{
    FILE *f = dial(ctl);
    AUTO_FREE char *got = NULL;
    size_t cap = 0;
    int status = 1;
    bool done = false;
    if (!f)
        return 1;
    fprintf(f, "%s\n", text);
    fflush(f);
    for (ssize_t n; !done && (n = getline(&got, &cap, f)) > 0;) {
        json_t *answer = json_loadb(got, (size_t)n, 0, NULL);
        done = json_is_true(json_object_get(answer, "done"));
        if (done)
            status = outcome(answer, may_wait);
        else if (answer)
            line(answer, arg);
        else
            ctl_fail("a process of the gateway said something that is no JSON; left out");
        json_decref(answer);
    }
    fclose(f);
    return done ? status : ctl_fail("the gateway hung up before it had answered");
}

/* Two people at once are served one after the other. */
int ctl_ask(const struct ctl *ctl, json_t *request, void (*line)(json_t *, void *), void *arg)
{
    AUTO_FREE char *text = json_dumps(request, JSON_COMPACT);
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    int status = -1;
    json_decref(request);
    for (int i = 0; status < 0; i++) {
        if (i)
            nanosleep(&pause, NULL);
        status = attempt(ctl, text ? text : "{}", i < WAIT_MS / PAUSE_MS, line, arg);
    }
    return status;
}
