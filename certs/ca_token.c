/* ca/issuing.token: what it says, and the files that it names; see ca_token.h. */
#include "certs/ca_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"

enum { PATH_MAX_BYTES = 1024, URI_MAX = 1024, ENV_MAX = 1024 };

/* ---- the text ---- */

static bool printable(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return s.n > 0;
}

static bool is_path(span s)
{
    return printable(s) && s.n < PATH_MAX_BYTES && s.p[0] == '/' && span_find(s, '%', 0) == SIZE_MAX;
}

static span next_part(span *s, uint8_t sep)
{
    size_t end = span_find(*s, sep, 0);
    span part = span_cut(*s, 0, end == SIZE_MAX ? s->n : end);
    *s = end == SIZE_MAX ? SPAN_NONE : span_cut(*s, end + 1, s->n);
    return part;
}

static const char *take_query(span query, struct ca_token *t)
{
    static const span module = {(const uint8_t *)"module-path=", 12},
                      pin = {(const uint8_t *)"pin-source=", 11};
    while (query.n) {
        span q = next_part(&query, '&');
        if (span_has_prefix(q, module))
            t->module = span_cut(q, module.n, q.n);
        else if (span_has_prefix(q, pin))
            t->pin = span_cut(q, pin.n, q.n);
        else if (span_has_prefix(q, SPAN("pin-value=")))
            return "a PIN never stands in an address: put it into a file and say pin-source=file:/PATH";
        else
            return "after the question mark only module-path=/PATH and pin-source=file:/PATH are known";
    }
    if (span_has_prefix(t->pin, SPAN("file:")))
        t->pin = span_cut(t->pin, 5, t->pin.n);
    if (!is_path(t->module))
        return "module-path=/PATH is missing: the PKCS#11 module of the token";
    return is_path(t->pin) ? NULL : "pin-source=file:/PATH is missing: the file that the PIN is in";
}

static const char *take_uri(span value, struct ca_token *t)
{
    if (t->uri.n)
        return "a second uri";
    if (!printable(value) || value.n > URI_MAX || !span_has_prefix(value, SPAN("pkcs11:")))
        return "uri takes an address pkcs11:token=NAME;object=NAME?module-path=/PATH&pin-source=file:/PATH";
    t->uri = next_part(&value, '?');
    span attributes = span_cut(t->uri, strlen("pkcs11:"), t->uri.n);
    while (attributes.n) {
        if (span_has_prefix(next_part(&attributes, ';'), SPAN("pin-")))
            return "a PIN never stands in an address: put it into a file and say pin-source=file:/PATH";
    }
    return take_query(value, t);
}

static const char *take_line(span key, span value, struct ca_token *t)
{
    if (span_eq(key, SPAN("uri")))
        return take_uri(value, t);
    if (span_eq(key, SPAN("path"))) {
        if (t->n_paths == CA_TOKEN_PATHS || !is_path(value))
            return "path takes an absolute path, twice at most";
        t->paths[t->n_paths++] = value;
        return NULL;
    }
    if (span_eq(key, SPAN("env"))) {
        if (t->n_envs == CA_TOKEN_ENVS || !printable(value) || value.n >= ENV_MAX ||
            span_find(value, '=', 0) == SIZE_MAX || value.p[0] == '=' || span_has_prefix(value, SPAN("LD_")))
            return "env takes NAME=VALUE, twice at most, and nothing for the dynamic linker";
        t->envs[t->n_envs++] = value;
        return NULL;
    }
    return "a line begins with uri, path or env";
}

enum rc ca_token_parse(span text, const char *name, struct ca_token *out, struct buf *err)
{
    unsigned number = 0;
    *out = (struct ca_token){.n_paths = 0};
    while (text.n) {
        span line = span_trim(next_part(&text, '\n'));
        number++;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        span value = line, key = next_part(&value, ' ');
        const char *why = take_line(key, span_trim(value), out);
        if (why)
            return ca_fail(err, "%s:%u: %s", name, number, why);
    }
    return out->uri.n ? RC_OK : ca_fail(err, "%s: no line `uri pkcs11:...` in it", name);
}

/* ---- the files that it names, in the master ---- */

static const char *path_text(span s, char out[PATH_MAX_BYTES])
{
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return out;
}

/* Its code will run beside the use of the key. */
static enum rc check_module(span path, struct buf *err)
{
    char text[PATH_MAX_BYTES];
    struct stat st;
    if (stat(path_text(path, text), &st) != 0)
        return ca_fail(err, "%s: the token's module: %s", text, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
        return ca_fail(err, "%s: the token's module must be a file of root that nobody else can write", text);
    return RC_OK;
}

static enum rc open_pin(span path, uid_t signer_uid, int *out, struct buf *err)
{
    char text[PATH_MAX_BYTES];
    struct stat st;
    AUTO_CLOSE int fd = open(path_text(path, text), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return ca_fail(err, "%s: the token's PIN: %s", text,
                       errno == ELOOP ? "a symbolic link; must be the file itself" : strerror(errno));
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0177))
        return ca_fail(err, "%s: the token's PIN: its mode is %04o, it must be 0400 or 0600", text,
                       st.st_mode & 07777);
    if (st.st_uid != geteuid() && st.st_uid != signer_uid)
        return ca_fail(err, "%s: the token's PIN: belongs to uid %u, it must belong to uid %u", text,
                       st.st_uid, geteuid());
    *out = fd;
    fd = -1;
    return RC_OK;
}

enum rc ca_token_open(const struct ca_token *t, uid_t signer_uid, int fds[CA_TOKEN_FDS], struct buf *err)
{
    char text[PATH_MAX_BYTES];
    for (size_t i = 0; i < CA_TOKEN_FDS; i++)
        fds[i] = -1;
    enum rc rc = check_module(t->module, err);
    if (rc == RC_OK)
        rc = open_pin(t->pin, signer_uid, &fds[0], err);
    for (size_t i = 0; i < t->n_paths && rc == RC_OK; i++) {
        fds[1 + i] = open(path_text(t->paths[i], text), O_PATH | O_CLOEXEC);
        if (fds[1 + i] < 0)
            rc = ca_fail(err, "%s: the token is not there: %s", text, strerror(errno));
    }
    for (size_t i = 0; i < CA_TOKEN_FDS && rc != RC_OK; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
    return rc;
}

/* ---- to the signer ---- */

static enum rc put_text(struct buf *out, span s)
{
    TRY(buf_put_u16(out, (uint16_t)s.n));
    return buf_put(out, s);
}

enum rc ca_token_put(struct buf *out, const struct ca_token *t)
{
    TRY(put_text(out, t->uri));
    TRY(put_text(out, t->module));
    TRY(buf_put_u8(out, (uint8_t)t->n_paths));
    TRY(buf_put_u8(out, (uint8_t)t->n_envs));
    for (size_t i = 0; i < t->n_envs; i++)
        TRY(put_text(out, t->envs[i]));
    return RC_OK;
}

enum rc ca_token_get(span payload, struct ca_token *out)
{
    struct rd r = rd_of(payload);
    *out = (struct ca_token){.uri = rd_vec16(&r)};
    out->module = rd_vec16(&r);
    out->n_paths = rd_u8(&r);
    out->n_envs = rd_u8(&r);
    if (r.bad || out->n_paths > CA_TOKEN_PATHS || out->n_envs > CA_TOKEN_ENVS)
        return RC_BAD;
    for (size_t i = 0; i < out->n_envs; i++)
        out->envs[i] = rd_vec16(&r);
    return r.bad || rd_left(&r) || out->uri.n == 0 || out->module.n == 0 ? RC_BAD : RC_OK;
}
