/* perronctl show revocation: the revocation lists that the gateway goes by, as they were last written down
 * (at most a minute ago), with their age. Read from the state directory; the gateway need not run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/revoked.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/ctl/moment.h"

static void show_text(const struct revoked_source *s, int64_t now_s)
{
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    moment_text(s->this_s, from);
    moment_text(s->next_s, to);
    printf("%8zu  %s  %s%s  %s  ", s->serials.n / CRL_SERIAL, from, to, now_s < s->next_s ? "  " : " !",
           s->authorities ? "authorities" : "others     ");
    ctl_print(stdout, s->url, false);
    printf("\n");
}

static void show_json(const struct revoked_source *s, int64_t now_s)
{
    json_t *url = json_stringn((const char *)s->url.p, s->url.n);
    json_t *o = json_pack("{s:{s:o, s:I, s:I, s:I, s:b, s:b}}", "list", "url", url ? url : json_string("?"),
                          "entries", (json_int_t)(s->serials.n / CRL_SERIAL), "this_update",
                          (json_int_t)s->this_s, "next_update", (json_int_t)s->next_s, "authorities",
                          s->authorities, "out_of_date", now_s >= s->next_s);
    ctl_print_json(o);
    json_decref(o);
}

static void show_all(const struct ctl *ctl, const struct revoked *r)
{
    int64_t now = clock_wall_s();
    if (!ctl->json)
        printf(" entries  from              to                  about        list\n");
    for (size_t i = 0; i < revoked_n_sources(r); i++) {
        struct revoked_source s;
        revoked_source_at(r, i, &s);
        if (ctl->json)
            show_json(&s, now);
        else
            show_text(&s, now);
    }
}

int ctl_show_revocation(const struct ctl *ctl)
{
    struct stat st;
    struct revoked *r = NULL;
    AUTO_CLOSE int dir = open(ctl->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int fd = dir < 0 ? -1 : openat(dir, "revoked.set", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && dir >= 0)
        return 0; /* no list yet */
    if (fd < 0 || fstat(fd, &st) < 0)
        return ctl_fail("%s: %s", ctl->dir, strerror(errno));
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return ctl_fail("revoked.set: %s", strerror(errno));
    enum rc rc = revoked_over(span_of(p, (size_t)st.st_size), &r);
    if (rc == RC_OK)
        show_all(ctl, r);
    revoked_free(r);
    munmap(p, (size_t)st.st_size);
    return rc == RC_OK ? 0 : ctl_fail("revoked.set: %s", rc_text(rc));
}
