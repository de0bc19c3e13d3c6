/* perronctl check --format: policy files in their normal form, to standard output or in place. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/ctl/check.h"
#include "policy/format.h"

static bool write_all(int fd, span s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = span_cut(s, (size_t)n, s.n);
    }
    return true;
}

/* Beside the file first, under its mode and owner, then in its place: a full disk leaves the old one. */
static bool replace(const char *path, span text)
{
    struct stat st;
    struct buf beside;
    buf_init(&beside, 0);
    bool ok = buf_printf(&beside, "%s.new", path) == RC_OK && buf_put_u8(&beside, 0) == RC_OK;
    const char *name = ok ? (const char *)buf_span(&beside).p : "";
    int fd = ok && stat(path, &st) == 0 ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        ok = write_all(fd, text) && fchmod(fd, st.st_mode & 07777) == 0 &&
             (fchown(fd, st.st_uid, st.st_gid) == 0 || errno == EPERM) && fsync(fd) == 0;
        ok = close(fd) == 0 && ok && rename(name, path) == 0;
        if (!ok)
            (void)unlink(name);
    }
    buf_fini(&beside);
    return fd >= 0 && ok;
}

/* Whether the file holds just that. */
static bool is_so(const char *path, span text)
{
    FILE *f = fopen(path, "re");
    struct buf b;
    bool ok = f != NULL;
    buf_init(&b, 0);
    while (ok && buf_len(&b) <= text.n) {
        ok = buf_reserve(&b, 65536) == RC_OK;
        size_t n = ok ? fread(b.p + b.w, 1, 65536, f) : 0;
        b.w += n;
        if (n == 0)
            break;
    }
    ok = ok && span_eq(buf_span(&b), text);
    if (f)
        fclose(f);
    buf_fini(&b);
    return ok;
}

static int one_file(bool in_place, const char *path)
{
    struct buf out, diag;
    int status = 0;
    buf_init(&out, 0);
    buf_init(&diag, 0);
    enum rc rc = policy_format(path, &out, &diag);
    if (rc != RC_OK && buf_len(&diag) == 0)
        status = ctl_fail("%s: %s", path, rc_text(rc));
    else if (rc != RC_OK)
        ctl_print(stderr, buf_span(&diag), true);
    else if (!in_place)
        fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
    else if (!is_so(path, buf_span(&out)) && !replace(path, buf_span(&out)))
        status = ctl_fail("%s: cannot be written: %s", path, strerror(errno));
    buf_fini(&out);
    buf_fini(&diag);
    return rc == RC_OK ? status : 1;
}

int check_format(bool in_place, int n_files, char **files)
{
    int status = 0;
    for (int i = 0; i < n_files; i++) {
        int one = one_file(in_place, files[i]);
        status = one > status ? one : status;
    }
    return status;
}
