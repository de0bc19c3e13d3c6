/* The conversation with a gateway: one line of JSON there, lines of JSON back. Also how perronctl speaks. */
#include "gw/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gw/base/obj.h"

int ctl_fail(const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "perronctl: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

void ctl_print(FILE *to, span text, bool lines)
{
    for (size_t i = 0; i < text.n; i++) {
        bool plain =
            (text.p[i] >= 0x20 && text.p[i] != 0x7f) || (lines && (text.p[i] == '\n' || text.p[i] == '\t'));
        fputc(plain ? text.p[i] : '?', to);
    }
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

/* The last line. */
static int outcome(json_t *answer)
{
    if (json_is_true(json_object_get(answer, "ok")))
        return 0;
    const char *why = json_string_value(json_object_get(answer, "error"));
    return ctl_fail("%s", why ? why : "the gateway refused");
}

int ctl_ask(const struct ctl *ctl, json_t *request, void (*line)(json_t *, void *), void *arg)
{
    FILE *f = dial(ctl);
    AUTO_FREE char *text = json_dumps(request, JSON_COMPACT);
    AUTO_FREE char *got = NULL;
    size_t cap = 0;
    int status = 1;
    bool done = false;
    json_decref(request);
    if (!f)
        return 1;
    fprintf(f, "%s\n", text ? text : "{}");
    fflush(f);
    for (ssize_t n; !done && (n = getline(&got, &cap, f)) > 0;) {
        json_t *answer = json_loadb(got, (size_t)n, 0, NULL);
        done = json_is_true(json_object_get(answer, "done"));
        if (done)
            status = outcome(answer);
        else if (answer)
            line(answer, arg);
        else
            ctl_fail("a process of the gateway said something that is no JSON; left out");
        json_decref(answer);
    }
    fclose(f);
    return done ? status : ctl_fail("the gateway hung up before it had answered");
}
